package onnxgraph

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// call is one node whose first input is the graph input x of the given dims, and whose others are graph inputs and constants of
// the given dims.
type call struct {
	op        string
	x         []int64
	inputs    [][]int64 // further graph inputs
	constants [][]int64 // after those; nil for an absent one
	lists     [][]int64 // constants of integers, after those; nil for an absent one
	scalar    bool      // the lists are scalars
	outputs   int
	leftOut   []int // outputs with empty names
	attrs     []Attribute
}

// reparsed returns the model as it is loaded from its file, or why it is not.
func (c call) reparsed(t *testing.T) error {
	t.Helper()
	m := New("g", 8, 18)
	x, err := m.Graph.AddInput("x", Float32, Static(c.x...))
	if err != nil {
		t.Fatal(err)
	}
	inputs := []*Value{x}
	for i, dims := range c.inputs {
		v, err := m.Graph.AddInput(fmt.Sprint("x", i+1), Float32, Static(dims...))
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, v)
	}
	for _, dims := range c.constants {
		var v *Value
		if dims != nil {
			v = m.Graph.AddConstant("c", NewTensor(dims, make([]float32, ElementCount(dims))))
		}
		inputs = append(inputs, v)
	}
	for _, list := range c.lists {
		var v *Value
		if list != nil {
			dims := []int64{int64(len(list))}
			if c.scalar {
				dims = nil
			}
			v = m.Graph.AddConstant("list", NewTensor(dims, list))
		}
		inputs = append(inputs, v)
	}
	domain, op, found := strings.Cut(c.op, ":")
	if !found {
		domain, op = "", c.op
	} else {
		m.SetOpset(domain, 1)
	}
	n := m.Graph.AddNodeOf(domain, op, inputs, max(c.outputs, 1), c.attrs...)
	n.Rename("node")
	for _, i := range c.leftOut {
		m.Graph.forget(n.outputs[i])
		n.outputs[i] = nil
	}
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(data, "")
	return err
}

// TestWhatCrashesIsRefused loads nodes that end the process in ONNX Runtime 1.24, or let it read memory of others: the error
// names the node and what is wrong. What is like them and computes something is loaded.
func TestWhatCrashesIsRefused(t *testing.T) {
	image := []int64{2, 4, 6, 6}
	reference := Attribute{proto: &onnxpb.AttributeProto{Name: proto.String("group"), RefAttrName: proto.String("g"), Type: onnxpb.AttributeProto_INT.Enum()}}
	window := Ints("kernel_shape", 3, 3)
	weight, volume := []int64{4, 4, 3, 3}, []int64{4, 4, 3, 3, 3}
	cases := []struct {
		call
		want string // "" if it is loaded
	}{
		{call{op: "Conv", x: image, constants: [][]int64{weight}}, ""},
		{call{op: "Conv", x: image, constants: [][]int64{weight, {4}}, attrs: []Attribute{Ints("pads", 0, 1, 2, 3), Ints("strides", 1, 2), window, Int("group", 1)}}, ""},
		{call{op: "Conv", x: image, constants: [][]int64{weight}, attrs: []Attribute{Str("auto_pad", "VALID"), Ints("pads", -1, -1, -1, -1)}}, ""},
		{call{op: "Conv", x: image, constants: [][]int64{weight}, attrs: []Attribute{Str("auto_pad", "NOTSET"), Ints("pads", 0, 0, 0, -1)}}, "pads are [0 0 0 -1]"},
		{call{op: "Conv", x: image, constants: [][]int64{weight}, attrs: []Attribute{reference}}, ""},
		{call{op: "Conv", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("strides")}}, ""},
		{call{op: "Conv", x: image, constants: [][]int64{weight}, attrs: []Attribute{Int("group", 0)}}, "group is 0"},
		{call{op: "Conv", x: image, constants: [][]int64{weight, {3}}}, "its bias"},
		{call{op: "Conv", x: image, constants: [][]int64{weight, {}}}, "its bias"},
		{call{op: "Conv", x: image, constants: [][]int64{{4, 4, 0, 3}}}, "its filters"},
		{call{op: "Conv", x: image, constants: [][]int64{{4, 4}}}, "its filters"},
		{call{op: "Conv", x: image, constants: [][]int64{volume}}, "its input"},
		{call{op: "Conv", x: []int64{2, 4}, constants: [][]int64{weight}}, "its input"},
		{call{op: "Conv", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("pads", 1, 1, 1)}}, "pads are [1 1 1]"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight, {4}}, attrs: []Attribute{Int("group", 1)}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{{4, 3, 3, 3}, {6}}, attrs: []Attribute{Int("group", 2)}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{{4, 3, 3, 3}, {6}}, attrs: []Attribute{reference}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight, {0}}}, "its bias"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Int("group", 0)}}, "group is 0"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_padding", 0, 0)}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_padding", 1, 2), Ints("strides", 2, 3)}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_padding", 1, 2), Ints("strides", 2, 1), Ints("dilations", 1, 3)}}, "output_padding is [1 2]"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_padding", 1, 0)}}, "output_padding is [1 0]"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_padding", 1, 2), Ints("strides", 2, 2)}}, "output_padding is [1 2]"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_padding", 1<<20, 0), Ints("strides", 2, 2)}}, "output_padding is [1048576 0]"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{{4, 4, 3}}}, "its input"},
		{call{op: "ConvInteger", x: image, constants: [][]int64{weight, {}, {}}}, ""},
		{call{op: "QLinearConv", x: image, constants: [][]int64{{}, {}, weight, {}, {}, {}, {}, {4}}}, ""},
		{call{op: "QLinearConv", x: image, constants: [][]int64{{}, {}, weight, {}, {}, {}, {}, {3}}}, "its bias"},
		{call{op: "com.microsoft:FusedConv", x: image, constants: [][]int64{weight, {4}, image}}, ""},
		{call{op: "com.microsoft:FusedConv", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("strides", 0, 1)}}, "strides are [0 1]"},
		{call{op: "other:Conv", x: image, constants: [][]int64{{1}}, attrs: []Attribute{Ints("strides", 0, 1)}}, ""},
		{call{op: "MaxPool", x: []int64{2, 4, 6}, attrs: []Attribute{Ints("kernel_shape", 1), Ints("strides", 1), Ints("pads", 0, 0)}}, ""},
		{call{op: "MaxPool", x: []int64{2, 4, 6}, attrs: []Attribute{Ints("strides", 0)}}, "strides are [0]"},
		{call{op: "MaxPool", x: []int64{2, 4, 6}, attrs: []Attribute{Ints("pads", -1)}}, "pads are [-1]"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_shape", 8, 8)}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_shape", 2, 4, 8, 8)}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_shape", 8, 9)}}, "output_shape is [8 9]"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_shape", 2, 4, 1<<20, 8)}}, "output_shape is [1048576 8]"},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_shape", 16, 8), Ints("strides", 2, 1), Ints("dilations", 2, 1)}}, ""},
		{call{op: "ConvTranspose", x: image, constants: [][]int64{weight}, attrs: []Attribute{Ints("output_shape", 17, 8), Ints("strides", 2, 1), Ints("dilations", 2, 1)}}, "output_shape is [17 8]"},
		{call{op: "ConvTranspose", x: []int64{2, 4, 6}, constants: [][]int64{{4, 4, 3}}, attrs: []Attribute{Ints("output_shape", 9)}}, "output_shape is [9]"},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 0, 5, 5, 1, 3, 5, 5}}, attrs: []Attribute{Str("mode", "reflect")}}, ""},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 0, 6, 0, 0, 0, 0, 0}}, attrs: []Attribute{Str("mode", "reflect")}}, "axis 2 of its input \"x\" by reflection with 6 and 0"},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 0, 0, 0, 0, 4, 0, 0}}, attrs: []Attribute{Str("mode", "reflect")}}, "axis 1 of its input \"x\" by reflection with 0 and 4"},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 6}, nil, {-1}}, attrs: []Attribute{Str("mode", "reflect")}}, "axis 3 of its input \"x\" by reflection with 0 and 6"},
		{call{op: "Pad", x: image, lists: [][]int64{{5, 5}, nil, {2}}, attrs: []Attribute{Str("mode", "reflect")}}, ""},
		{call{op: "Pad", x: image, attrs: []Attribute{Str("mode", "reflect"), Ints("pads", 0, 0, 0, 6, 0, 0, 0, 0)}}, "axis 3"},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 0, 9, 9, 0, 0, 9, 9}}, attrs: []Attribute{Str("mode", "edge")}}, ""},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 0, 9, 9, 0, 0, 9, 9}}}, ""},
		{call{op: "Pad", x: image, lists: [][]int64{{0, 0, 9}}, attrs: []Attribute{Str("mode", "reflect")}}, ""}, // ONNX Runtime refuses it
		{call{op: "Col2Im", x: []int64{2, 4, 36}, lists: [][]int64{{6, 6}, {1, 1}}}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 10}, lists: [][]int64{{6, 6}, {2, 3}}, attrs: []Attribute{Ints("strides", 1, 2), Ints("dilations", 2, 1), Ints("pads", 0, 0, 1, 0)}}, ""},
		{call{op: "Col2Im", x: []int64{2, 24, 11}, lists: [][]int64{{6, 6}, {2, 3}}, attrs: []Attribute{Ints("strides", 1, 2), Ints("dilations", 2, 1), Ints("pads", 0, 0, 1, 0)}}, "needs 10 columns"},
		{call{op: "Col2Im", x: []int64{2, 4, 36}, lists: [][]int64{{1 << 20, 6}, {1, 1}}}, "needs 6291456 columns"},
		{call{op: "Col2Im", x: []int64{2, 4, 36}, lists: [][]int64{{1 << 40, 6}, {1, 1}}}, "too large"},
		{call{op: "Col2Im", x: []int64{2, 4, 36}, lists: [][]int64{{6, 6}, {0, 1}}}, "its blocks have the shape [0 1]"},
		{call{op: "Col2Im", x: []int64{2, 4, 36}, lists: [][]int64{{6, 6}, {1, 1}}, attrs: []Attribute{Ints("strides", 0, 1)}}, "strides are [0 1]"},
		{call{op: "Div", x: image, lists: [][]int64{{2, -1}}}, ""},
		{call{op: "Div", x: image, lists: [][]int64{{2, 0}}}, "[2 0]"},
		{call{op: "Mod", x: image, lists: [][]int64{{0}}}, "[0]"},
		{call{op: "Div", x: image, constants: [][]int64{{3}}}, ""}, // of floats
		{call{op: "LSTM", x: []int64{2, 4, 6}, constants: [][]int64{{1, 8, 6}, {1, 8, 2}}, attrs: []Attribute{Int("hidden_size", 2)}}, ""},
		{call{op: "LSTM", x: []int64{2, 4, 6}, constants: [][]int64{{1, 8, 6}, {1, 8, 2}}, attrs: []Attribute{Int("hidden_size", 1<<20)}}, "hidden_size is 1048576"},
		{call{op: "GRU", x: []int64{2, 4, 6}, constants: [][]int64{{1, 6, 6}, {1, 6, 2}}, attrs: []Attribute{Int("hidden_size", 3)}}, "hidden_size is 3"},
		{call{op: "RNN", x: []int64{2, 4, 6}, constants: [][]int64{{1, 2, 6}, {2, 2}}, attrs: []Attribute{Int("hidden_size", 2)}}, "hidden_size is 2"},
		{call{op: "RoiAlign", x: image, constants: [][]int64{{1, 4}, {1}}, attrs: []Attribute{Int("sampling_ratio", 2)}}, ""},
		{call{op: "RoiAlign", x: image, constants: [][]int64{{1, 4}, {1}}, attrs: []Attribute{Int("sampling_ratio", 1<<62)}}, "sampling_ratio is 4611686018427387904"},
		{call{op: "STFT", x: []int64{1, 64, 1}, lists: [][]int64{{4}, nil, {16}}}, ""},
		{call{op: "STFT", x: []int64{1, 64, 1}, lists: [][]int64{{0}, nil, {16}}}, "frame_step is [0]"},
		{call{op: "STFT", x: []int64{1, 64, 1}, lists: [][]int64{{4}, nil, {0}}}, "frame_length is [0]"},
		{call{op: "SplitToSequence", x: image, lists: [][]int64{{1}}, scalar: true}, ""},
		{call{op: "SplitToSequence", x: image, lists: [][]int64{{0}}, scalar: true}, "split is 0"},
		{call{op: "SplitToSequence", x: image, lists: [][]int64{{0, 2}}}, ""},
		{call{op: "Trilu", x: image, lists: [][]int64{{-9}}}, ""},
		{call{op: "Trilu", x: image, lists: [][]int64{{-1 << 63}}}, "k is [-9223372036854775808]"},
		{call{op: "Trilu", x: image, lists: [][]int64{{1<<63 - 1}}}, "k is [9223372036854775807]"},
		{call{op: "Split", x: image, outputs: 2, lists: [][]int64{{2, 0}}}, ""},
		{call{op: "Split", x: image, outputs: 2, lists: [][]int64{{1 << 20, 2 - 1<<20}}}, "split is [1048576 -1048574]"},
		{call{op: "Split", x: image, outputs: 2, attrs: []Attribute{Ints("split", -1, 3)}}, "split is [-1 3]"},
		{call{op: "Split", x: image, outputs: 2, attrs: []Attribute{Int("num_outputs", 2)}}, ""},
		{call{op: "Split", x: image, outputs: 2, attrs: []Attribute{Int("num_outputs", 1)}}, "num_outputs is 1"},
		{call{op: "Split", x: image, outputs: 2, leftOut: []int{0}}, "its output 0 has an empty name"},
		{call{op: "Split", x: image, outputs: 2, leftOut: []int{1}}, "its output 1 has an empty name"},
		{call{op: "Split", x: image, outputs: 2, leftOut: []int{0, 1}}, "its output 0 has an empty name"},
		{call{op: "Loop", x: []int64{1}, outputs: 2, leftOut: []int{0}}, "its output 0 has an empty name"},
		{call{op: "BatchNormalization", x: image, constants: [][]int64{{4}, {4}, {4}, {4}}, outputs: 3, attrs: []Attribute{Int("training_mode", 1)}}, ""},
		{call{op: "BatchNormalization", x: image, constants: [][]int64{{4}, {4}, {4}, {4}}, outputs: 3, leftOut: []int{1}, attrs: []Attribute{Int("training_mode", 1)}}, "its output 1 has"},
		{call{op: "BatchNormalization", x: image, constants: [][]int64{{4}, {4}, {4}, {4}}, outputs: 5, leftOut: []int{4}}, "its output 4 has"},
		{call{op: "LayerNormalization", x: image, constants: [][]int64{{6}}, outputs: 3, leftOut: []int{1}}, ""},
		{call{op: "LSTM", x: []int64{1, 2, 3}, constants: [][]int64{{1, 4, 3}, {1, 4, 1}}, outputs: 2, leftOut: []int{0}}, ""},
		{call{op: "GroupNormalization", x: image, constants: [][]int64{{4}, {4}}, attrs: []Attribute{Int("num_groups", 2)}}, ""},
		{call{op: "GroupNormalization", x: image, constants: [][]int64{{4}, {4}}, attrs: []Attribute{Int("num_groups", 0)}}, "num_groups is 0"},
		{call{op: "DepthToSpace", x: image, attrs: []Attribute{Int("blocksize", 2)}}, ""},
		{call{op: "DepthToSpace", x: image, attrs: []Attribute{Int("blocksize", 0)}}, "blocksize is 0"},
		{call{op: "SpaceToDepth", x: image, attrs: []Attribute{Int("blocksize", 0)}}, "blocksize is 0"},
		{call{op: "SpaceToDepth", x: image, attrs: []Attribute{Int("blocksize", 1)}}, ""},
		{call{op: "GroupNormalization", x: image, constants: [][]int64{{4}, {4}}, attrs: []Attribute{Int("num_groups", 1)}}, ""},
		{call{op: "DepthToSpace", x: image, attrs: []Attribute{Int("blocksize", 1<<62)}}, "blocksize is 4611686018427387904"},
		{call{op: "LRN", x: image, attrs: []Attribute{Int("size", 3)}}, ""},
		{call{op: "GatherND", x: image, constants: [][]int64{{2, 1}}, attrs: []Attribute{Int("batch_dims", 1)}}, ""},
		{call{op: "GatherND", x: image, constants: [][]int64{{2, 1}}, attrs: []Attribute{Int("batch_dims", -1<<63)}}, "batch_dims is -9223372036854775808"},
		{call{op: "GatherND", x: image, constants: [][]int64{{2, 1}}, attrs: []Attribute{Int("batch_dims", 1<<63-1)}}, "batch_dims is 9223372036854775807"},
		{call{op: "LRN", x: []int64{2, 0, 6, 6}, attrs: []Attribute{Int("size", 3)}}, "no channels"},
		{call{op: "Relu", x: []int64{0, 4, 6, 6}}, ""},
		{call{op: "Relu", x: []int64{1<<63 - 1, 4, 6, 6}}, `input "x": its shape [9223372036854775807 4 6 6]`},
		{call{op: "Relu", x: []int64{1 << 40, 1 << 40}}, `input "x"`},
	}
	unknown := Attribute{proto: &onnxpb.AttributeProto{Name: proto.String("high"), RefAttrName: proto.String("g"), Type: onnxpb.AttributeProto_FLOAT.Enum()}}
	infinite, none := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		kind  string
		attrs []Attribute
		want  string
	}{
		{"Normal", nil, ""},
		{"Normal", []Attribute{Float("mean", none), Float("scale", 1e-45)}, ""},
		{"Normal", []Attribute{Float("scale", infinite)}, ""},
		{"Normal", []Attribute{Float("scale", 0)}, "scale is 0"},
		{"Normal", []Attribute{Float("scale", -1)}, "scale is -1"},
		{"Normal", []Attribute{Float("scale", none)}, "scale is NaN"},
		{"Uniform", nil, ""},
		{"Uniform", []Attribute{Float("low", 1)}, ""},
		{"Uniform", []Attribute{Float("low", -infinite), Float("high", infinite)}, ""},
		{"Uniform", []Attribute{Float("low", 2), unknown}, ""},
		{"Uniform", []Attribute{Float("low", 2)}, "low is 2 and high is 1"},
		{"Uniform", []Attribute{Float("high", -1)}, "low is 0 and high is -1"},
		{"Uniform", []Attribute{Float("low", none)}, "low is NaN"},
		{"Uniform", []Attribute{Float("high", none)}, "high is NaN"},
	} {
		for _, suffix := range []string{"", "Like"} {
			cases = append(cases, struct {
				call
				want string
			}{call{op: "Random" + c.kind + suffix, x: image, attrs: c.attrs}, c.want})
		}
	}
	for _, op := range []string{"Conv", "ConvTranspose", "ConvInteger", "com.microsoft:FusedConv", "MaxPool", "AveragePool", "LpPool", "MaxUnpool"} {
		for _, attr := range []Attribute{
			Ints("strides", 0, 1), Ints("strides", 1, -1), Ints("dilations", 0, 0), Ints("dilations", 1, -1), Ints("kernel_shape", 0, 3),
			Ints("kernel_shape", 3, -1), Ints("pads", -1, 0, 0, 0), Ints("pads", 0, 0, 0, -1),
		} {
			c := call{op: op, x: image, attrs: []Attribute{attr}}
			if strings.Contains(op, "Conv") {
				c.constants = [][]int64{weight}
			}
			cases = append(cases, struct {
				call
				want string
			}{c, attr.Name() + " are ["})
		}
	}
	for _, c := range cases {
		err := c.reparsed(t)
		names := mapSlice(c.attrs, func(a Attribute) string { return a.proto.String() })
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s of %v and %v with %v: %v", c.op, c.x, c.constants, names, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !slices.ContainsFunc([]string{`"node"`, `"x"`}, func(name string) bool { return strings.Contains(err.Error(), name) })):
			t.Errorf("%s of %v and %v with %v: got error %v, want one with %q", c.op, c.x, c.constants, names, err, c.want)
		}
	}
}

// TestLoopsWithoutEnd loads Loops that nothing can end, or not before a number of trips.
func TestLoopsWithoutEnd(t *testing.T) {
	truth := func(v bool) *onnxpb.TensorProto { return NewScalar(v).proto }
	constant := func(name string, p *onnxpb.TensorProto) *onnxpb.NodeProto {
		n := node("Constant", nil, []string{name})
		n.Attribute = []*onnxpb.AttributeProto{{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: p}}
		return n
	}
	passed := []*onnxpb.NodeProto{node("Identity", []string{"go"}, []string{"passed"}), node("Identity", []string{"passed"}, []string{"next"})}
	for _, c := range []struct {
		name   string
		trips  *onnxpb.TensorProto // nil for none
		start  *onnxpb.TensorProto // nil for none
		body   []*onnxpb.NodeProto // makes next of go
		refuse bool
	}{
		{"many trips", NewScalar[int64](1 << 62).proto, truth(true), passed, true},
		{"many trips, without a condition at the start", NewScalar[int64](1 << 62).proto, nil, passed, true},
		{"many trips, with one number in a list", vector([]int64{1 << 62}).proto, nil, []*onnxpb.NodeProto{constant("next", truth(true))}, true},
		{"no number of trips in the list", vector([]int64{}).proto, nil, passed, false}, // ONNX Runtime refuses it
		{"just too many", NewScalar[int64](mostTrips + 1).proto, truth(true), passed, true},
		{"just as many as may be", NewScalar[int64](mostTrips).proto, truth(true), passed, false},
		{"no limit", nil, truth(true), passed, true},
		{"ended at the start", NewScalar[int64](1 << 62).proto, truth(false), passed, false},
		{"ended after the first trip", nil, truth(true), []*onnxpb.NodeProto{constant("next", truth(false))}, false},
		{"ended by what the body reads", NewScalar[int64](1 << 62).proto, truth(true), []*onnxpb.NodeProto{node("Identity", []string{"known"}, []string{"next"})}, false},
		{"the condition at the start again", nil, truth(true), []*onnxpb.NodeProto{node("Identity", []string{"start"}, []string{"next"})}, true},
		{"a condition that is nothing", nil, nil, []*onnxpb.NodeProto{node("Identity", nil, []string{"next"})}, false}, // ONNX Runtime refuses it
		{"a condition of two", nil, nil, []*onnxpb.NodeProto{constant("next", NewTensor([]int64{2}, []bool{true, true}).proto)}, false},
		{"a condition that is a number", nil, nil, []*onnxpb.NodeProto{constant("next", NewScalar[int8](1).proto)}, false},
		{"ended by the body", NewScalar[int64](1<<63 - 1).proto, truth(true), []*onnxpb.NodeProto{node("Less", []string{"i", "i"}, []string{"next"})}, false},
	} {
		typed := func(name string, dtype DType) *onnxpb.ValueInfoProto {
			return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: tensorType(dtype, nil)}
		}
		loop := node("Loop", []string{"", "", "x"}, []string{"y"})
		loop.Name = proto.String("node")
		g := &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{loop}, Input: []*onnxpb.ValueInfoProto{typed("x", Float32), typed("known", Bool)}, Output: []*onnxpb.ValueInfoProto{typed("y", Float32)}}
		for i, p := range []*onnxpb.TensorProto{c.trips, c.start} {
			if p != nil {
				p.Name = proto.String([]string{"trips", "start"}[i])
				loop.Input[i] = p.GetName()
				g.Initializer = append(g.Initializer, p)
			}
		}
		body := &onnxpb.GraphProto{Node: append(slices.Clone(c.body), node("Relu", []string{"state"}, []string{"new"})),
			Input:  []*onnxpb.ValueInfoProto{typed("i", Int64), typed("go", Bool), typed("state", Float32)},
			Output: []*onnxpb.ValueInfoProto{typed("next", Bool), typed("new", Float32)}}
		loop.Attribute = []*onnxpb.AttributeProto{{Name: proto.String("body"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: body}}
		data, err := proto.Marshal(&onnxpb.ModelProto{IrVersion: proto.Int64(8), Graph: g, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(18)}}})
		if err != nil {
			t.Fatal(err)
		}
		switch _, err = Parse(data, ""); {
		case !c.refuse && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.refuse && (err == nil || !strings.Contains(err.Error(), `Loop "node"`)):
			t.Errorf("%s: got error %v, want one that names the node", c.name, err)
		}
	}
}
