package transform_test

import (
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/inference"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/rcfreeze/rcfreeze/transform/opset"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// rewriting is every pass that changes a model in place.
var rewriting = map[string]func(m *onnxgraph.Model) error{
	"Convert": func(m *onnxgraph.Model) error { return second(transform.Convert(m, transform.Options{})) },
	"identity": func(m *onnxgraph.Model) error {
		return second(transform.Convert(m, transform.Options{Pointwise: transform.Identity}))
	},
	"wrong options": func(m *onnxgraph.Model) error {
		return second(transform.Convert(m, transform.Options{Include: []string{"nothing"}}))
	},
	"Merge":  func(m *onnxgraph.Model) error { return second(transform.Merge(m)) },
	"Fold":   func(m *onnxgraph.Model) error { return second(normalization.Fold(m)) },
	"Add":    func(m *onnxgraph.Model) error { return second(normalization.Add(m)) },
	"Switch": func(m *onnxgraph.Model) error { return second(inference.Switch(m)) },
	"Reinit": func(m *onnxgraph.Model) error {
		return second(parameter.Reinit(m, parameter.ReinitOptions{Banks: true}))
	},
	"Separate":          func(m *onnxgraph.Model) error { parameter.Separate(m); return nil },
	"Start":             func(m *onnxgraph.Model) error { return parameter.Learned.Start(m, 1, true) },
	"Replace":           func(m *onnxgraph.Model) error { return second(head.Replace(m, 7, 1)) },
	"Choose":            func(m *onnxgraph.Model) error { return head.Choose(m, "no output") },
	"Upgrade":           func(m *onnxgraph.Model) error { return opset.Upgrade(m, opset.Newest) },
	"to float16":        func(m *onnxgraph.Model) error { return second(precision.Convert(m, onnxgraph.Float16)) },
	"to float32":        func(m *onnxgraph.Model) error { return second(precision.Convert(m, onnxgraph.Float32)) },
	"SetInputShape":     func(m *onnxgraph.Model) error { return batch.SetInputShape(m, []int64{3, 2, 7, 7}) },
	"SetSize":           func(m *onnxgraph.Model) error { return batch.SetSize(m, onnxgraph.Dim{Size: 5}) },
	"MakeChannelsFirst": batch.MakeChannelsFirst,
	"MakeFloat32":       batch.MakeFloat32,
	"MergeBlocks": func(m *onnxgraph.Model) error {
		_, _, err := trainstep.MergeBlocks(m, nil)
		return err
	},
}

// TestPasses has every pass rewrite models of every kind, sound ones and some that it must refuse: it either does its work, or
// leaves the model as it is.
func TestPasses(t *testing.T) {
	models := map[string]func(t *testing.T) *onnxgraph.Model{
		"no blocks, data gone": func(t *testing.T) *onnxgraph.Model { return convcases.WithoutData(t, wideCase.Model()) },
		"blocks, data gone": func(t *testing.T) *onnxgraph.Model {
			return convcases.WithoutData(t, transformtest.Converted(t, wideCase, transform.Options{}))
		},
		"record damaged": func(t *testing.T) *onnxgraph.Model {
			m := transformtest.Converted(t, wideCase, transform.Options{})
			m.SetMetadata("rcfreeze.block.conv", "{")
			return m
		},
		"unknown bank": func(t *testing.T) *onnxgraph.Model {
			m := transformtest.Converted(t, wideCase, transform.Options{})
			blocks, err := transform.Blocks(m)
			if err != nil {
				t.Fatal(err)
			}
			blocks[0].Record.Bank = "unheard of"
			if err := blocks[0].Rehash(m); err != nil {
				t.Fatal(err)
			}
			return m
		},
		"one good, one of unknown opset": func(t *testing.T) *onnxgraph.Model {
			m := transformtest.Sketch(t, "Conv x w -> a\nBatchNormalization a s b n v -> y")
			m.SetOpset("", 5)
			return m
		},
		"classifier": func(t *testing.T) *onnxgraph.Model {
			return transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
				flat := b.Op("Flatten", b.Op("GlobalAveragePool", x))
				return b.Op("Gemm", flat, b.Constant("fc.weight", 10, 6), b.Constant("fc.bias", 10), onnxgraph.Int("transB", 1))
			}, 2, 10)
		},
		"classifier that may treat classes differently": func(t *testing.T) *onnxgraph.Model {
			return transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
				flat := b.Op("Flatten", b.Op("GlobalAveragePool", x))
				y := b.Op("Gemm", flat, b.Constant("fc.weight", 10, 6), b.Constant("fc.bias", 10), onnxgraph.Int("transB", 1))
				return b.Op("Mul", b.Op("CumSum", y, b.Ints(1)), b.Constant("each", 10))
			}, 2, 10)
		},
		"training mode, statistics used": func(t *testing.T) *onnxgraph.Model {
			m := transformtest.Sketch(t, "Conv x w -> a\nRelu a -> y")
			n := m.Graph.Value("a").Producer()
			inputs := []*onnxgraph.Value{n.Output(0)}
			for _, name := range []string{"scale", "shift", "mean", "var"} {
				inputs = append(inputs, m.Graph.AddConstant(name, onnxgraph.NewTensor([]int64{4}, []float32{1, 2, 3, 4})))
			}
			first := m.Graph.AddNodeOf("", "BatchNormalization", inputs, 3, onnxgraph.Int("training_mode", 1))
			last := m.Graph.AddNodeOf("", "BatchNormalization", inputs, 3, onnxgraph.Int("training_mode", 1))
			m.Graph.AddOutput(first.Output(0), onnxgraph.Float32, nil)
			m.Graph.AddOutput(last.Output(1), onnxgraph.Float32, nil)
			return m
		},
	}
	for _, c := range convcases.Cases {
		models["case "+c.Name] = func(*testing.T) *onnxgraph.Model { return c.Model() }
	}
	for _, between := range []transform.Between{transform.None, transform.ReLU, transform.BatchNorm, transform.BatchNormReLU} {
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			models["blocks, "+string(between)+", "+string(layout)] = func(t *testing.T) *onnxgraph.Model {
				return transformtest.Converted(t, wideCase, transform.Options{Between: between, Layout: layout, Pointwise: transform.Random})
			}
		}
	}
	for _, place := range convcases.Places {
		models["nested, "+place.Name] = func(*testing.T) *onnxgraph.Model { return convcases.Nest(convcases.Named("bias").Model(), place) }
	}
	for name, model := range models {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for pass, run := range rewriting {
				t.Run(pass, func(t *testing.T) { transformtest.Apply(t, model(t), run) })
			}
		})
	}
}

// TestPassesOnModels does the same with every model at hand.
func TestPassesOnModels(t *testing.T) {
	for _, path := range transformtest.ModelFiles(t) {
		for name, pass := range rewriting {
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) {
				m, err := onnxgraph.Load(path)
				if err != nil {
					t.Fatal(err)
				}
				transformtest.Apply(t, m, pass)
			})
		}
	}
}
