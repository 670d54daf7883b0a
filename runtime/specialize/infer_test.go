package specialize_test

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

// TestInfer compares the shapes that are told without a run with those of a run.
func TestInfer(t *testing.T) {
	orttest.Init(t)
	m, err := architecture.New("cifar-resnet", architecture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	shape := []int64{1, 3, 32, 32}
	want, err := specialize.Model(m, shape)
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.ForgetShapes()
	if err := specialize.Infer(m, shape); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			got, known := v.StaticShape()
			run := want.Graph.Value(v.Name())
			if run == nil {
				continue // it was folded away
			}
			compared++
			if shape, _ := run.StaticShape(); !known || !slices.Equal(got, shape) || v.DType() != onnxgraph.Float32 {
				t.Errorf("%s: inferred %v of %v, a run gives %v", v.Name(), v.DType(), got, shape)
			}
		}
	}
	if compared < 50 {
		t.Errorf("compared %d values only", compared)
	}
	for _, v := range m.Graph.Initializers() {
		if v.IsInput() {
			t.Errorf("%s, a weight, is an input now", v.Name())
		}
	}
	if err := specialize.Infer(m, []int64{1, 5, 32, 32}); err == nil {
		t.Error("no error for images with too many channels")
	}
}
