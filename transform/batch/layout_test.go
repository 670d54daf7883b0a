package batch

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func TestIsChannelsLast(t *testing.T) {
	for _, c := range []struct {
		dims []int64 // 0 is not known
		want bool
	}{
		{[]int64{0, 32, 32, 3}, true},
		{[]int64{1, 224, 224, 4}, true},
		{[]int64{0, 0, 0, 3}, true},
		{[]int64{0, 28, 28, 1}, true},
		{[]int64{0, 3, 32, 32}, false},
		{[]int64{0, 1, 28, 28}, false},
		{[]int64{0, 3, 0, 0}, false},
		{[]int64{0, 0, 0, 0}, false},
		{[]int64{0, 1, 40, 3}, false}, // either: as ONNX has it
		{[]int64{0, 64, 3}, false},
		{[]int64{0, 8, 16, 16, 3}, false},
	} {
		m := onnxgraph.New("net", 8, 18)
		var shape []onnxgraph.Dim
		for _, d := range c.dims {
			if d == 0 {
				d = -1
			}
			shape = append(shape, onnxgraph.Dim{Size: d})
		}
		if _, err := m.Graph.AddInput("x", onnxgraph.Float32, shape); err != nil {
			t.Fatal(err)
		}
		if got := IsChannelsLast(m); got != c.want {
			t.Errorf("%v: %v, want %v", c.dims, got, c.want)
		}
	}
}

// TestMakeChannelsFirst runs a model of channels last, of sizes that all differ, before and after.
func TestMakeChannelsFirst(t *testing.T) {
	orttest.Init(t)
	for _, nodes := range []int{1, 2} {
		m := onnxgraph.New("net", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, []onnxgraph.Dim{{Size: -1, Param: "N"}, {Size: 4}, {Size: 5}, {Size: 3}})
		if err != nil {
			t.Fatal(err)
		}
		y := x
		for range nodes {
			y = m.Graph.AddNode("Neg", []*onnxgraph.Value{y}).Output(0)
		}
		m.Graph.Rename(y, "y")
		m.Graph.AddOutput(y, onnxgraph.Float32, nil)
		const n, h, w, c = 2, 4, 5, 3
		last, first := make([]float32, n*h*w*c), make([]float32, n*h*w*c)
		for i := range last {
			last[i] = float32(i)
			image, row, column, channel := i/(h*w*c), i/(w*c)%h, i/c%w, i%c
			first[((image*c+channel)*h+row)*w+column] = float32(i)
		}
		before := orttest.Run(t, m, map[string]*onnxgraph.Tensor{"x": onnxgraph.NewTensor([]int64{n, h, w, c}, last)})
		if err := MakeChannelsFirst(m); err != nil {
			t.Fatal(err)
		}
		inputs := m.Graph.Inputs()
		if shape, _ := inputs[0].Shape(); len(inputs) != 1 || !slices.Equal(shape, []onnxgraph.Dim{{Size: -1, Param: "N"}, {Size: 3}, {Size: 4}, {Size: 5}}) {
			t.Errorf("the model takes %v of shape %v", inputs, shape)
		}
		if !m.Graph.Nodes()[0].Is("Transpose") {
			t.Errorf("the first node is %s, want the Transpose, which all others wait for", m.Graph.Nodes()[0])
		}
		after := orttest.Run(t, m, map[string]*onnxgraph.Tensor{inputs[0].Name(): onnxgraph.NewTensor([]int64{n, c, h, w}, first)})
		want, _ := before["y"].Float32s()
		if got, err := after["y"].Float32s(); err != nil || !slices.Equal(got, want) {
			t.Errorf("with %d nodes: got %v (%v), want %v", nodes, got, err, want)
		}
	}
}

// TestWithoutImages checks that models without one input for images are refused, or are not of channels last.
func TestWithoutImages(t *testing.T) {
	m := onnxgraph.New("net", 8, 18)
	if IsChannelsLast(m) {
		t.Error("a model without inputs takes images with channels last")
	}
	for name, err := range map[string]error{"MakeChannelsFirst": MakeChannelsFirst(m), "MakeFloat32": MakeFloat32(m),
		"SetInputShape": SetInputShape(m, []int64{1, 3, 8, 8}), "SetSize": SetSize(m, onnxgraph.Dim{Size: 1})} {
		if err == nil || !strings.Contains(err.Error(), "has 0 inputs") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	if err := SetSize(unranked(t, onnxgraph.Float32), onnxgraph.Dim{Size: 1}); err == nil || !strings.Contains(err.Error(), "no declared shape") {
		t.Errorf("SetSize without a shape: got error %v", err)
	}
}

// TestRefusedInputs has models whose input is an output, too, and models that have the name of a new input already: they are
// refused, and stay as they are.
func TestRefusedInputs(t *testing.T) {
	for name, change := range map[string]func(*onnxgraph.Model) error{".channels_first": MakeChannelsFirst, ".float32": MakeFloat32} {
		for _, isOutput := range []bool{true, false} {
			m := onnxgraph.New("net", 8, 18)
			x, err := m.Graph.AddInput("x", onnxgraph.Float16, onnxgraph.Static(1, 4, 4, 3))
			if err != nil {
				t.Fatal(err)
			}
			m.Graph.AddOutput(m.Graph.AddNode("Relu", []*onnxgraph.Value{x}).Output(0), onnxgraph.Float16, onnxgraph.Static(1, 4, 4, 3))
			complaint := `input "x" is an output, too`
			if isOutput {
				m.Graph.AddOutput(x, onnxgraph.Float16, onnxgraph.Static(1, 4, 4, 3))
			} else {
				m.Graph.AddConstant("x"+name, onnxgraph.NewScalar[float32](1))
				complaint = "x" + name
			}
			if err := change(m); err == nil || !strings.Contains(err.Error(), complaint) {
				t.Errorf("%s: got error %v, want one with %s", name, err, complaint)
			}
			if len(m.Graph.Nodes()) != 1 || len(m.Graph.Inputs()) != 1 || m.Graph.Nodes()[0].Input(0) != x {
				t.Errorf("%s: the model has changed", name)
			}
		}
	}
}

// TestUnreadInput changes models of which nothing reads the input.
func TestUnreadInput(t *testing.T) {
	for name, change := range map[string]func(*onnxgraph.Model) error{".channels_first": MakeChannelsFirst, ".float32": MakeFloat32} {
		m := onnxgraph.New("net", 8, 18)
		if _, err := m.Graph.AddInput("x", onnxgraph.Float16, onnxgraph.Static(1, 4, 4, 3)); err != nil {
			t.Fatal(err)
		}
		if err := change(m); err != nil || len(m.Graph.Inputs()) != 1 || m.Graph.Inputs()[0].Name() != "x"+name {
			t.Errorf("%s: %v; the model takes %v", name, err, m.Graph.Inputs())
		}
	}
}

// TestInputShapeOfUnknownRank gives a shape to an input of which none is declared.
func TestInputShapeOfUnknownRank(t *testing.T) {
	m := unranked(t, onnxgraph.Float32)
	if err := SetInputShape(m, []int64{2, 3, 4, 5}); err != nil {
		t.Fatal(err)
	}
	if shape, ok := m.Graph.Inputs()[0].StaticShape(); !ok || !slices.Equal(shape, []int64{2, 3, 4, 5}) {
		t.Errorf("the input has shape %v", shape)
	}
}

// unranked returns a model whose input x, of which only the element type is declared, goes through Neg.
func unranked(t *testing.T, dtype onnxgraph.DType) *onnxgraph.Model {
	t.Helper()
	bytes := func(b []byte, field protowire.Number, data []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), data)
	}
	number := func(field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
	}
	value := func(name string) []byte {
		return bytes(bytes(nil, 1, []byte(name)), 2, bytes(nil, 1, number(1, uint64(dtype))))
	}
	node := bytes(bytes(bytes(nil, 1, []byte("x")), 2, []byte("y")), 4, []byte("Neg"))
	graph := bytes(bytes(bytes(bytes(nil, 1, node), 2, []byte("net")), 11, value("x")), 12, value("y"))
	m, err := onnxgraph.Parse(bytes(bytes(number(1, 8), 7, graph), 8, number(2, 18)), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}
