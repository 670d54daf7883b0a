package trainstep_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestWiden trains weights that the file has in float16 and casts to float32, at once or after other nodes: they train as they
// would in float32. Weights that the model also reads in their own type do not.
func TestWiden(t *testing.T) {
	type values = []*onnxgraph.Value
	cast := func(n *net, v *onnxgraph.Value) *onnxgraph.Value {
		return n.op("Cast", values{v}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
	}
	shape := func(n *net, v ...int64) *onnxgraph.Value {
		return n.model.Graph.AddConstant("shape", onnxgraph.NewTensor([]int64{int64(len(v))}, v))
	}
	for _, c := range []struct {
		name  string
		dims  []int64
		use   func(n *net, w *onnxgraph.Value) *onnxgraph.Value // as [3, 5]
		wider bool
	}{
		{"at once", []int64{3, 5}, cast, true},
		{"at two places", []int64{3, 5}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Mul", values{cast(n, w), cast(n, w)})
		}, true},
		{"transposed", []int64{5, 3}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			return cast(n, n.op("Transpose", values{w}))
		}, true},
		{"in two steps, at two places", []int64{1, 15}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			flat := n.op("Identity", values{n.op("Squeeze", values{w, shape(n, 0)})})
			return n.op("Mul", values{cast(n, n.op("Reshape", values{flat, shape(n, 3, 5)})), cast(n, n.op("Reshape", values{flat, shape(n, 3, 5)}))})
		}, true},
		{"computed with before", []int64{3, 5}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			return cast(n, n.op("Add", values{w, w}))
		}, false},
		{"cast and computed with", []int64{3, 5}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Add", values{cast(n, w), cast(n, n.op("Neg", values{w}))})
		}, false},
		{"an output", []int64{3, 5}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			n.model.Graph.AddOutput(w, onnxgraph.Float16, nil)
			return cast(n, w)
		}, false},
		{"the cast an output", []int64{3, 5}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			y := cast(n, w)
			n.output(y)
			return y
		}, false},
		{"cast to another type", []int64{3, 5}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			return cast(n, n.op("Cast", values{w}, onnxgraph.Int("to", int64(onnxgraph.Float64))))
		}, false},
		{"the shape of a reshape", []int64{3, 5}, func(n *net, w *onnxgraph.Value) *onnxgraph.Value {
			return cast(n, n.model.Graph.AddNodeOf("custom", "Reshape", values{w}, 1).Output(0))
		}, false},
		{"unused", []int64{3, 5}, nil, false},
	} {
		build := func(narrow bool) (*net, *onnxgraph.Value) {
			n := newNet(t, 4, 3)
			w := n.trainable("w", 1, 0.3, c.dims...)
			half, err := onnxgraph.FromFloat64s(onnxgraph.Float16, c.dims, widen(floats(t, w.Constant())))
			if err != nil {
				t.Fatal(err)
			}
			numbers, err := half.Float64s()
			if err != nil {
				t.Fatal(err)
			}
			full, err := onnxgraph.FromFloat64s(onnxgraph.Float32, c.dims, numbers)
			if err != nil {
				t.Fatal(err)
			}
			w.SetConstant(full)
			if narrow {
				w.SetConstant(half)
			}
			if c.use != nil {
				n.model.Graph.AddOutput(n.op("MatMul", values{n.image, c.use(n, w)}), onnxgraph.Float32, nil)
			}
			return n, w
		}
		n, w := build(true)
		if trainstep.Widens(w) != c.wider {
			t.Errorf("%s: Widens says %v", c.name, !c.wider)
		}
		single, plain := build(false)
		if trainstep.Widens(plain) {
			t.Errorf("%s: Widens says that float32 widens", c.name)
		}
		o := trainstep.Options{Trained: []string{"w"}, Optimizer: trainstep.SGD{}}
		if !c.wider {
			continue
		}
		narrow, wide := newRunner(t, n.model, n.shape, o), newRunner(t, single.model, single.shape, o)
		if slices.ContainsFunc(narrow.step.Model.Graph.Nodes(), func(n *onnxgraph.Node) bool { return n.Is("Cast") && n.Input(0).DType() == onnxgraph.Float32 }) {
			t.Errorf("%s: what is float32 is cast", c.name)
		}
		for range 2 {
			images, labels := n.data(5)
			near(t, c.name+": loss", []float64{narrow.run(images, labels, 0.1)}, []float64{wide.run(images, labels, 0.1)}, 1e-6)
			near(t, c.name+": weights", narrow.trained(), wide.trained(), 1e-6)
		}
	}
}

// TestWidenLeaves checks that a weight which does not widen is refused by its name.
func TestWidenLeaves(t *testing.T) {
	n := newNet(t, 4, 3)
	w := n.model.Graph.AddConstant("w", onnxgraph.NewRawTensor(onnxgraph.Float16, []int64{3}, make([]byte, 6)))
	sum := n.op("Cast", []*onnxgraph.Value{n.op("Add", []*onnxgraph.Value{w, w})}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
	n.output(n.op("Mul", []*onnxgraph.Value{n.image, sum}))
	_, err := trainstep.Build(fit(t, n.model, n.shape), "image", trainstep.Options{Trained: []string{"w"}, Optimizer: trainstep.SGD{}})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("parameters %q are float16", []string{"w"})) {
		t.Errorf("got error %v", err)
	}
}
