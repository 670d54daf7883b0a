package batch

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func TestMakeFloat32(t *testing.T) {
	open := onnxgraph.Dim{Size: -1, Param: "N"}
	for _, c := range []struct {
		dtype onnxgraph.DType
		shape []onnxgraph.Dim
	}{
		{onnxgraph.Uint8, append([]onnxgraph.Dim{open}, onnxgraph.Static(3, 8, 8)...)},
		{onnxgraph.Float16, onnxgraph.Static(1, 3, 8, 8)},
		{onnxgraph.Float32, onnxgraph.Static(1, 3, 8, 8)},
	} {
		m := onnxgraph.New("net", 8, 18)
		input, err := m.Graph.AddInput("x", c.dtype, c.shape)
		if err != nil {
			t.Fatal(err)
		}
		last := m.Graph.AddNode("Relu", []*onnxgraph.Value{input})
		m.Graph.AddOutput(last.Output(0), c.dtype, c.shape)
		if err := MakeFloat32(m); err != nil {
			t.Fatal(err)
		}
		taken := m.Graph.Inputs()
		if len(taken) != 1 || taken[0].DType() != onnxgraph.Float32 {
			t.Fatalf("%v: the model takes %v", c.dtype, taken)
		}
		if shape, _ := taken[0].Shape(); len(shape) != 4 || shape[0] != c.shape[0] || shape[3] != c.shape[3] {
			t.Errorf("%v: the model takes images of shape %v, want %v", c.dtype, shape, c.shape)
		}
		if c.dtype == onnxgraph.Float32 {
			if last.Input(0) != taken[0] || len(m.Graph.Nodes()) != 1 {
				t.Error("a model that takes float32 was changed")
			}
			continue
		}
		cast := last.Input(0).Producer()
		if cast == nil || !cast.Is("Cast") || cast.Input(0) != taken[0] || cast.Int("to", 0) != int64(c.dtype) || m.Graph.Nodes()[0] != cast {
			t.Errorf("%v: the model's first node reads from %v, want a Cast to that type", c.dtype, cast)
		}
	}
}

// TestMakeFloat32OfUnknownRank checks that an input of unknown shape becomes one of images of any size.
func TestMakeFloat32OfUnknownRank(t *testing.T) {
	m := unranked(t, onnxgraph.Float64)
	if err := MakeFloat32(m); err != nil {
		t.Fatal(err)
	}
	shape, known := m.Graph.Inputs()[0].Shape()
	if !known || len(shape) != 4 || slices.ContainsFunc(shape, func(d onnxgraph.Dim) bool { return d.Size >= 0 }) {
		t.Errorf("the model takes images of shape %v", shape)
	}
	if n := m.Graph.Nodes()[0]; !n.Is("Cast") || n.Int("to", 0) != int64(onnxgraph.Float64) {
		t.Errorf("the first node is %s", n)
	}
}
