package onnxgraph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// TestIntegerLimits gives attributes the least and the greatest number that they may have, and those beyond.
func TestIntegerLimits(t *testing.T) {
	image, filters := []int64{2, 4, 6, 6}, [][]int64{{4, 4, 3, 3}}
	for _, c := range []struct {
		call
		attribute   string
		least, most int64
	}{
		{call{op: "Conv", x: image, constants: filters}, "group", 1, 1<<31 - 1},
		{call{op: "ConvTranspose", x: image, constants: filters}, "group", 1, 1<<31 - 1},
		{call{op: "GroupNormalization", x: image}, "num_groups", 1, 1<<31 - 1},
		{call{op: "DepthToSpace", x: image}, "blocksize", 1, 1<<31 - 1},
		{call{op: "SpaceToDepth", x: image}, "blocksize", 1, 1<<31 - 1},
		{call{op: "RoiAlign", x: image}, "sampling_ratio", 0, 1 << 16},
		{call{op: "GatherND", x: image}, "batch_dims", 0, 1<<31 - 1},
	} {
		for value, refused := range map[int64]bool{c.least: false, c.most: false, c.least - 1: true, c.most + 1: true} {
			c.attrs = []Attribute{Int(c.attribute, value)}
			err := c.reparsed(t)
			if want := fmt.Sprintf("%s is %d", c.attribute, value); (err != nil) != refused || refused && !strings.Contains(err.Error(), want) {
				t.Errorf("%s with %s %d: got error %v", c.op, c.attribute, value, err)
			}
		}
	}
	for value, refused := range map[int64]bool{-1<<31 + 1: false, 1<<31 - 1: false, -1 << 31: true, 1 << 31: true} {
		if err := (call{op: "Trilu", x: image, lists: [][]int64{{value}}}).reparsed(t); (err != nil) != refused {
			t.Errorf("Trilu with k %d: got error %v", value, err)
		}
	}
}

// TestNumbersForEachAxis gives convolutions of two axes attributes that have too few numbers, and too many.
func TestNumbersForEachAxis(t *testing.T) {
	for _, op := range []string{"Conv", "ConvInteger", "ConvTranspose", "com.microsoft:FusedConv"} {
		for name, right := range map[string]int{"strides": 2, "dilations": 2, "kernel_shape": 2, "pads": 4} {
			for count := range 6 {
				numbers := make([]int64, count)
				for i := range numbers {
					numbers[i] = 3
				}
				err := call{op: op, x: []int64{2, 4, 9, 9}, constants: [][]int64{{4, 4, 3, 3}}, attrs: []Attribute{Ints(name, numbers...)}}.reparsed(t)
				want := fmt.Sprintf(`%s are %d, but its filters`, name, numbers)
				if refused := count > 0 && count != right; (err != nil) != refused || refused && !strings.Contains(err.Error(), want) {
					t.Errorf("%s with %d numbers in %s: got error %v", op, count, name, err)
				}
			}
		}
	}
}

// TestLimitsOfWhatIsNotKnown loads nodes of every operator that has limits, whose inputs, of which there may be too few, are not known
// before a run, or are known but no numbers: nothing is said of them.
func TestLimitsOfWhatIsNotKnown(t *testing.T) {
	text := &Tensor{proto: &onnxpb.TensorProto{DataType: proto.Int32(int32(String)), StringData: [][]byte{{'a'}}}}
	attrs := []Attribute{Int("hidden_size", 2), Ints("output_padding", 0, 0), Str("mode", "reflect")}
	for op := range limits {
		for count := range 10 {
			for _, kind := range []string{"inputs", "inputs without a shape", "inputs of one dim", "texts"} {
				m := New("g", 8, 18)
				var inputs []*Value
				for i := range count {
					shape := map[string][]Dim{"inputs": {{Size: -1}, {Size: 4}, {Size: -1, Param: "n"}, {Size: 6}}, "inputs of one dim": Static(4)}[kind]
					v, err := m.Graph.AddInput(fmt.Sprint("x", i), Float32, shape)
					if err != nil {
						t.Fatal(err)
					}
					if kind == "inputs without a shape" {
						m.Graph.inputs[i].info.Type = nil
					} else if kind == "texts" && i > 0 {
						m.Graph.MakeConstant(v, text)
					}
					inputs = append(inputs, v)
				}
				if isConvolution := strings.Contains(op, "Conv"); kind == "texts" && isConvolution {
					continue // filters of no dims are refused
				}
				if kind == "texts" && (op == "RNN" || op == "GRU" || op == "LSTM") {
					continue // so are weights of no dims
				}
				m.Graph.AddNodeOf("", op, inputs, 1, attrs...)
				if err := reloaded(t, m); err != nil {
					t.Errorf("%s of %d %s: %v", op, count, kind, err)
				}
			}
		}
	}
	for i := range 6 {
		inputs, outputs := i/2, i%2
		body, m := New("b", 8, 18).Graph, New("g", 8, 18)
		for i := range inputs {
			if _, err := body.AddInput(fmt.Sprint("in", i), Bool, nil); err != nil {
				t.Fatal(err)
			}
		}
		if outputs > 0 {
			body.AddOutput(body.AddNode("Less", nil).Output(0), Bool, nil)
		}
		m.Graph.AddNode("Loop", nil, Attribute{proto: &onnxpb.AttributeProto{Name: proto.String("body"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: body.proto}, graphs: []*Graph{body}})
		if err := reloaded(t, m); err != nil {
			t.Errorf("a Loop whose body has %d inputs and %d outputs: %v", inputs, outputs, err)
		}
	}
}

// TestLimitsByShape loads nodes that end the process in ONNX Runtime, or compute wrong numbers, for inputs of some sizes only. Sizes
// may be unknown, -1, and attributes may have too few numbers, which ONNX Runtime refuses itself.
func TestLimitsByShape(t *testing.T) {
	image, weight, reflect := []int64{2, 4, 6, 6}, [][]int64{{4, 4, 3, 3}}, Str("mode", "reflect")
	columns := [][]int64{{6, 6}, {2, 3}}
	const large = 1<<31 - 1
	for i, c := range []struct {
		call
		want string // "" if it is loaded
	}{
		{call{op: "ConvTranspose", x: []int64{2, 4, -1, 6}, constants: weight, attrs: []Attribute{Ints("output_shape", 9, 8)}}, ""},
		{call{op: "ConvTranspose", x: []int64{2, 4, -1, 6}, constants: weight, attrs: []Attribute{Ints("output_shape", 9, 9)}}, "at most 8 along axis 3"},
		{call{op: "ConvTranspose", x: []int64{2, 4, 1, 6}, constants: weight, attrs: []Attribute{Ints("output_shape", 3, 8)}}, ""},
		{call{op: "ConvTranspose", x: []int64{2, 4, 1, 6}, constants: weight, attrs: []Attribute{Ints("output_shape", 4, 8)}}, "at most 3 along axis 2"},
		{call{op: "ConvTranspose", x: []int64{2, 4, 0, 6}, constants: weight, attrs: []Attribute{Ints("output_shape", 4, 8)}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{{4, 4, 1, 3}}, attrs: []Attribute{Ints("output_shape", 7, 8)}}, "at most 6 along axis 2"},
		{call{op: "ConvTranspose", x: image, inputs: [][]int64{{4, 4, -1, 3}}, attrs: []Attribute{Ints("output_shape", 9, 8)}}, ""},
		{call{op: "ConvTranspose", x: image, inputs: [][]int64{{4, 4, 0, 3}}, attrs: []Attribute{Ints("output_shape", 9, 8)}}, ""},
		{call{op: "ConvTranspose", x: image, inputs: weight, attrs: []Attribute{Ints("output_shape", 8, 9)}}, "at most 8 along axis 3"},
		{call{op: "ConvTranspose", x: image, inputs: [][]int64{{4, 4, 3}}, attrs: []Attribute{Ints("output_shape", 8, 9)}}, ""},
		{call{op: "ConvTranspose", x: image, inputs: weight, attrs: []Attribute{Ints("output_shape", 9)}}, ""},
		{call{op: "ConvTranspose", x: image, inputs: weight, attrs: []Attribute{Ints("output_shape", 99, 9), Ints("strides", 2)}}, ""},
		{call{op: "ConvTranspose", x: image, inputs: weight, attrs: []Attribute{Ints("output_shape", 99, 9), Ints("dilations", 2)}}, ""},
		{call{op: "ConvTranspose", x: image, inputs: weight, attrs: []Attribute{Ints("output_padding", 0, 9), Ints("strides", 2)}}, ""},
		{call{op: "ConvTranspose", x: []int64{2}, inputs: [][]int64{{4}}, attrs: []Attribute{Ints("output_shape", 9)}}, ""},
		{call{op: "ConvTranspose", x: nil, inputs: [][]int64{nil}, attrs: []Attribute{Ints("output_shape", 9)}}, ""},
		{call{op: "ConvTranspose", x: image, inputs: weight, attrs: []Attribute{Ints("output_shape", 6*large+3, 8), Ints("strides", large, 1)}}, "at most 12884901884 along axis 2"},
		{call{op: "ConvTranspose", x: image, inputs: weight, attrs: []Attribute{Ints("output_shape", 9, 8), Ints("strides", 1<<61, 1)}}, ""},
		{call{op: "ConvTranspose", x: image, inputs: weight, attrs: []Attribute{Ints("output_shape", 9, 8), Ints("dilations", 1<<62, 1)}}, ""},

		{call{op: "Pad", x: []int64{2, 4, -1, 6}, lists: [][]int64{{0, 0, 9, 5, 0, 0, 9, 5}}, attrs: []Attribute{reflect}}, ""},
		{call{op: "Pad", x: []int64{2, 4, 0, 6}, lists: [][]int64{{0, 0, 0, 5, 0, 0, 0, 5}}, attrs: []Attribute{reflect}}, ""},
		{call{op: "Pad", x: []int64{2, 4, 1, 6}, lists: [][]int64{{0, 0, 0, 5, 0, 0, 0, 5}}, attrs: []Attribute{reflect}}, ""},
		{call{op: "Pad", x: []int64{2, 4, 1, 6}, lists: [][]int64{{0, 0, 1, 5, 0, 0, 0, 5}}, attrs: []Attribute{reflect}}, "axis 2"},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 0, -1, 0, 0, 0, 6, 0}}, attrs: []Attribute{reflect}}, ""},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 0, -1, 6, 0, 0, 0, 0}}, attrs: []Attribute{reflect}}, "axis 3"},
		{call{op: "Pad", x: image, lists: [][]int64{{9, 9}, nil, {4}}, attrs: []Attribute{reflect}}, ""}, // no such axis
		{call{op: "Pad", x: image, lists: [][]int64{{9, 9}, nil, {-5}}, attrs: []Attribute{reflect}}, ""},
		{call{op: "Pad", x: image, lists: [][]int64{{9, 6, 0, 0}, nil, {4, 3}}, attrs: []Attribute{reflect}}, "axis 3"},
		{call{op: "Pad", x: nil, lists: [][]int64{{9, 9}, nil, {0}}, attrs: []Attribute{reflect}}, ""},

		{call{op: "Col2Im", x: []int64{2, 24, 36}, lists: columns, attrs: []Attribute{Ints("strides", 1, 1), Ints("pads", 1, 0, 0, 2)}}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 35}, lists: columns, attrs: []Attribute{Ints("strides", 1, 1), Ints("pads", 1, 0, 0, 2)}}, "needs 36 columns"},
		{call{op: "Col2Im", x: []int64{2, 24, 0}, lists: columns}, "needs 20 columns"},
		{call{op: "Col2Im", x: []int64{2, 24, -1}, lists: columns}, ""},
		{call{op: "Col2Im", x: []int64{2, 9, 1}, lists: [][]int64{{1, 1}, {3, 3}}}, "needs 0 columns"},
		{call{op: "Col2Im", x: []int64{2, 9, 2}, lists: [][]int64{{4, 3}, {3, 3}}}, ""},
		{call{op: "Col2Im", x: []int64{2, 24}, lists: columns}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 1, 1}, lists: columns}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 1}, lists: [][]int64{{6, 6}, {6}}}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 1}, lists: [][]int64{{}, {}}}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 1}, lists: columns, attrs: []Attribute{Ints("strides", 1)}}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 1}, lists: columns, attrs: []Attribute{Ints("dilations", 1)}}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 1}, lists: columns, attrs: []Attribute{Ints("pads", 1, 1)}}, ""},
		{call{op: "Col2Im", x: []int64{2, 4, 1}, lists: [][]int64{{large, 1}, {1, 1}}}, "needs 2147483647 columns"},
		{call{op: "Col2Im", x: []int64{2, 4, 1}, lists: [][]int64{{large, large}, {1, 1}}}, "needs 2147483647 columns"},
		{call{op: "Col2Im", x: []int64{2, 4, 1}, lists: [][]int64{{large + 1, 1}, {1, 1}}}, "too large"},

		{call{op: "STFT", x: []int64{1, 64, 1}, lists: [][]int64{{1}, nil, {1}}}, ""},
		{call{op: "Conv", x: []int64{2, 4, 6}, constants: [][]int64{{4, 4, 3}}}, ""},
		{call{op: "Conv", x: []int64{2, 4, 6}, constants: [][]int64{{4, 4, 1}}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{{4, 3, 3, 3}, {3}}, attrs: []Attribute{Int("group", 2)}}, "must have one number for each of 6 channels"},
		{call{op: "LRN", x: []int64{0}}, ""},
		{call{op: "LRN", x: []int64{2, 1, 6, 6}}, ""},
		{call{op: "Relu", x: []int64{1 << 40, -1, 1 << 40}}, "too many elements"},
		{call{op: "Relu", x: []int64{-1, -1}}, ""},
	} {
		if err := c.reparsed(t); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("row %d, %s of %v: got error %v, want %q", i, c.op, c.x, err, c.want)
		}
	}
}
