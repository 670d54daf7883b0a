package specialize_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
)

// TestUnknownRanks has values of which ONNX Runtime does not know even the rank before a run: shapes that come from data, of
// every kind of number. One run must tell them all.
func TestUnknownRanks(t *testing.T) {
	n := newNet(t, 8, open(3, 8, 8)...)
	real := n.op("Add", values{n.op("Mul", values{n.op("ReduceMax", values{n.image()}, onnxgraph.Int("keepdims", 0)), n.node(onnxgraph.NewScalar[float32](0))}),
		n.node(onnxgraph.NewTensor([]int64{4}, []float32{1, 12, 4, 4}))})
	target := n.op("Cast", values{real}, onnxgraph.Int("to", int64(onnxgraph.Int64)))
	shaped := n.op("Reshape", values{n.image(), target})
	scalar := n.op("ReduceSum", values{shaped}, onnxgraph.Int("keepdims", 0))
	want := map[*onnxgraph.Value]struct {
		dtype onnxgraph.DType
		dims  []int64
	}{
		shaped: {onnxgraph.Float32, []int64{1, 12, 4, 4}},
		n.op("Cast", values{shaped}, onnxgraph.Int("to", int64(onnxgraph.Float16))): {onnxgraph.Float16, []int64{1, 12, 4, 4}},
		n.op("Greater", values{shaped, n.node(onnxgraph.NewScalar[float32](2))}):    {onnxgraph.Bool, []int64{1, 12, 4, 4}},
		scalar: {onnxgraph.Float32, nil},
		n.op("Cast", values{scalar}, onnxgraph.Int("to", int64(onnxgraph.BFloat16))):              {onnxgraph.BFloat16, nil},
		n.op("Slice", values{shaped, n.ints(0), n.ints(0), n.ints(2)}):                            {onnxgraph.Float32, []int64{1, 12, 0, 4}},
		n.op("Conv", values{shaped, n.weight("w", 2, 12, 3, 3)}, onnxgraph.Ints("strides", 1, 1)): {onnxgraph.Float32, []int64{1, 2, 2, 2}},
	}
	var all []*onnxgraph.Value
	for v := range want {
		all = append(all, v)
		n.model.Graph.AddOutput(v, onnxgraph.Undefined, nil)
	}
	check := func(name string, m *onnxgraph.Model) {
		for v, w := range want {
			got := m.Graph.Value(v.Name())
			if dims, known := got.StaticShape(); !known || !slices.Equal(dims, w.dims) || got.DType() != w.dtype {
				t.Errorf("%s: %s is %v of %v (known: %v), want %v of %v", name, v.Producer(), got.DType(), dims, known, w.dtype, w.dims)
			}
		}
	}
	n.model.Graph.ForgetShapes()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := specialize.Measure(ctx, n.model, []int64{1, 3, 8, 8}, all); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped before it runs: %v", err)
	}
	fitted, err := specialize.Model(n.model, []int64{1, 3, 8, 8})
	if err != nil {
		t.Fatal(err)
	}
	check("fitted", fitted)
	if err := specialize.Measure(t.Context(), n.model, []int64{1, 3, 8, 8}, all); err != nil {
		t.Fatal(err)
	}
	check("measured", n.model)
}
