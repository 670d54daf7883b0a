package gradient_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// neutrals are the numbers that change nothing as the second operand of an operator.
var neutrals = map[string]float64{"Add": 0, "Sub": 0, "Mul": 1, "Div": 1, "Pow": 1}

// TestNodes checks the nodes of gradients. None gives back what goes into it, such as a Transpose that keeps the order of the
// elements, a Pad by nothing, or a product with 1: it would change no number, and take time in every step. None is a transposed
// convolution where a plain one does. None pads by less than nothing, which the CPU understands, but no standard.
func TestNodes(t *testing.T) {
	orttest.Init(t)
	for _, c := range gradientCases() {
		t.Run(strings.ReplaceAll(c.op+"/"+c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			feeds, _ := c.draw(onnxgraph.Float32)
			forward, m, before, err := c.differentiate(ort.CPU, onnxgraph.Float32, feeds)
			if err != nil {
				t.Fatal(err)
			}
			forward.Close()
			all := m.Clone()
			for _, n := range all.Graph.Nodes() {
				for _, v := range n.Outputs() {
					if v != nil && !v.IsOutput() {
						all.Graph.AddOutput(v, onnxgraph.Undefined, nil)
					}
				}
			}
			session, err := open(all, ort.CPU)
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			computed, err := session.Run(feeds)
			if err != nil {
				t.Fatal(err)
			}
			data := func(v *onnxgraph.Value) *onnxgraph.Tensor {
				switch {
				case v.Constant() != nil:
					return v.Constant()
				case feeds[v.Name()] != nil:
					return feeds[v.Name()]
				}
				return computed[v.Name()]
			}
			for _, n := range m.Graph.Nodes() {
				if slices.Contains(before, n) {
					continue
				}
				if pads := n.Ints("pads"); len(pads) > 0 && slices.Min(pads) < 0 {
					t.Errorf("%s has pads %v", n, pads)
				}
				if c.op == "Conv" && n.Is("ConvTranspose") && slices.Max(n.Ints("strides")) == 1 {
					t.Errorf("%s has strides of 1: a Conv is faster", n)
				}
				if slices.Contains([]string{"Transpose", "Pad", "Slice", "Concat", "ReduceSum", "MatMul"}, n.OpType()) {
					for _, v := range n.Inputs() {
						if v != nil && (same(t, data(v), data(n.Output(0))) || n.Is("Transpose") && sameData(t, data(v), data(n.Output(0)))) {
							t.Errorf("%s gives back its input %q, %v", n, v.Name(), data(v).Dims())
						}
					}
				}
				for i, v := range n.Inputs() {
					if neutral, ok := neutrals[n.OpType()]; ok && (i == 1 || n.Is("Add") || n.Is("Mul")) && isFilledWith(t, v.Constant(), neutral) {
						t.Errorf("%s has the constant %g as its operand %d", n, neutral, i)
					}
				}
			}
		})
	}
}

// same reports whether two tensors are the same in everything.
func same(t *testing.T, a, b *onnxgraph.Tensor) bool {
	t.Helper()
	return a.DType() == b.DType() && slices.Equal(a.Dims(), b.Dims()) && sameData(t, a, b)
}

// sameData reports whether two tensors hold the same numbers in the same order.
func sameData(t *testing.T, a, b *onnxgraph.Tensor) bool {
	t.Helper()
	x, err := a.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Equal(x, y)
}

// isFilledWith reports whether all elements of a constant, which may be nil, are v.
func isFilledWith(t *testing.T, constant *onnxgraph.Tensor, v float64) bool {
	t.Helper()
	if constant == nil {
		return false
	}
	data, err := constant.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	return !slices.ContainsFunc(data, func(e float64) bool { return e != v })
}
