package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// writeTwoHeads writes a classifier whose two heads, on features of two sizes, have one weight and one bias.
func writeTwoHeads(t *testing.T, path string) {
	t.Helper()
	m := onnxgraph.New("heads", 8, 18)
	g := m.Graph
	op := func(operator string, inputs []*onnxgraph.Value, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
		return g.AddNode(operator, inputs, attrs...).Output(0)
	}
	draw := func(name string, seed uint64, dims ...int64) *onnxgraph.Value {
		return g.AddConstant(name, convcases.Draw(onnxgraph.Float32, seed, dims...))
	}
	x, err := g.AddInput("input", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(1, side, side)...))
	if err != nil {
		t.Fatal(err)
	}
	pads := onnxgraph.Ints("pads", 1, 1, 1, 1)
	features := op("Relu", []*onnxgraph.Value{op("Conv", []*onnxgraph.Value{x, draw("stem", 1, 4, 1, 3, 3)}, pads)})
	weight, bias := draw("head.weight", 2, classCount, 4, 3, 3), draw("head.bias", 3, classCount)
	var scores []*onnxgraph.Value
	for _, v := range []*onnxgraph.Value{features, op("MaxPool", []*onnxgraph.Value{features}, onnxgraph.Ints("kernel_shape", 2, 2), onnxgraph.Ints("strides", 2, 2))} {
		scores = append(scores, op("GlobalAveragePool", []*onnxgraph.Value{op("Conv", []*onnxgraph.Value{v, weight, bias}, pads)}))
	}
	y := op("Flatten", []*onnxgraph.Value{op("Add", scores)})
	g.AddOutput(y, onnxgraph.Float32, []onnxgraph.Dim{{Size: -1}, {Size: classCount}})
	if err := m.Save(path, onnxgraph.ExternalNone); err != nil {
		t.Fatal(err)
	}
}

// TestSharedWeights converts, trains and exports a model with heads that share a weight: it comes out with as many parameters
// as it had, whatever stands in the blocks, and whatever trains.
func TestSharedWeights(t *testing.T) {
	workshop(t)
	writeTwoHeads(t, "heads.onnx")
	source := succeedJSON[rcfreeze.Inspection](t, "inspect", "heads.onnx").Parameters.Trainable
	if source != 4*9+classCount*(4*9+1) {
		t.Fatalf("the source has %d parameters", source)
	}
	for _, options := range []string{"", "--between batchnorm", "--pointwise random", "--add-batchnorm", "--add-batchnorm --data bands", "--pointwise calibrate --data bands"} {
		for _, variant := range []string{"frozen", "learned"} {
			r := succeedJSON[rcfreeze.Converted](t, append(strings.Fields("convert heads.onnx -o blocks.onnx -E 2"), strings.Fields(options)...)...)
			last := len(r.Convolutions) - 1
			if r.Convolutions[last].SharedWith == "" || r.Convolutions[last].After.Trainable != 0 || r.Convolutions[last].After.Bank != 0 {
				t.Errorf("%s: the second head has the row %+v", options, r.Convolutions[last])
			}
			succeed(t, strings.Fields("train blocks.onnx -o trained.onnx --data bands --epochs 1 -b 16 --run-dir run-"+variant+" --variant "+variant)...)
			trained := succeedJSON[rcfreeze.Inspection](t, "inspect", "trained.onnx").Parameters
			if trained.Trainable != r.After.Trainable || trained.Bank != r.After.Bank {
				t.Errorf("%s, %s: %+v parameters after training, %+v before", options, variant, trained, r.After)
			}
			succeed(t, "export", "trained.onnx", "-o", "merged.onnx")
			if merged := succeedJSON[rcfreeze.Inspection](t, "inspect", "merged.onnx").Parameters.Trainable; merged > source+4 || merged < source {
				t.Errorf("%s, %s: %d parameters after the export, the source has %d", options, variant, merged, source) // the stem may get a bias
			}
			if err := os.RemoveAll("run-" + variant); err != nil {
				t.Fatal(err)
			}
		}
	}
}
