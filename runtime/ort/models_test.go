package ort_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// tensors is what Run takes and returns.
type tensors = map[string]*onnxgraph.Tensor

// graph builds a test model.
type graph struct {
	t     testing.TB
	model *onnxgraph.Model
}

func newGraph(t testing.TB) graph { return graph{t, onnxgraph.New("test", 8, 17)} }

// input adds an input; a size of -1 is a dim that the model leaves open.
func (g graph) input(name string, dtype onnxgraph.DType, shape ...int64) *onnxgraph.Value {
	g.t.Helper()
	v, err := g.model.Graph.AddInput(name, dtype, dims(shape))
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

func (g graph) constant(name string, t *onnxgraph.Tensor) *onnxgraph.Value {
	return g.model.Graph.AddConstant(name, t)
}

func (g graph) op(opType string, inputs ...*onnxgraph.Value) *onnxgraph.Value {
	return g.model.Graph.AddNode(opType, inputs).Output(0)
}

func (g graph) output(name string, v *onnxgraph.Value, dtype onnxgraph.DType, shape ...int64) {
	g.t.Helper()
	if !g.model.Graph.Rename(v, name) {
		g.t.Fatalf("the name %q is taken", name)
	}
	g.model.Graph.AddOutput(v, dtype, dims(shape))
}

func (g graph) bytes() []byte {
	g.t.Helper()
	data, err := g.model.Bytes()
	if err != nil {
		g.t.Fatal(err)
	}
	return data
}

// open makes a session that is closed with the test.
func (g graph) open(o ort.Options) *ort.Session {
	g.t.Helper()
	orttest.Init(g.t)
	s, err := ort.OpenBytes(g.bytes(), o)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { s.Close() })
	return s
}

func openFile(t testing.TB, path string) *ort.Session {
	t.Helper()
	orttest.Init(t)
	s, err := ort.Open(path, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dims(shape []int64) []onnxgraph.Dim {
	out := onnxgraph.Static(shape...)
	for i := range out {
		if out[i].Size < 0 {
			out[i].Param = "n"
		}
	}
	return out
}

func floats(t testing.TB, x *onnxgraph.Tensor) []float32 {
	t.Helper()
	if x == nil {
		t.Fatal("no tensor")
	}
	data, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantFloats checks elements, which the tests choose to be exact.
func wantFloats(t testing.TB, what string, got []float32, want ...float32) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func wantDims(t testing.TB, what string, got *onnxgraph.Tensor, want ...int64) {
	t.Helper()
	if !slices.Equal(got.Dims(), want) {
		t.Errorf("%s has dims %v, want %v", what, got.Dims(), want)
	}
}

// wantError checks that an error speaks of every piece.
func wantError(t testing.TB, err error, pieces ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", pieces)
	}
	for _, piece := range pieces {
		if !strings.Contains(err.Error(), piece) {
			t.Errorf("error %q\ndoes not speak of %q", err, piece)
		}
	}
}
