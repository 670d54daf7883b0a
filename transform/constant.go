package transform

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// resolve returns the constant that v is or passes on through Identity and Cast nodes, and the tensor that readers of v
// see. Without one, the reason says what v is instead.
func resolve(v *onnxgraph.Value) (root *onnxgraph.Value, t *onnxgraph.Tensor, reason string) {
	if v == nil {
		return nil, nil, "is absent"
	}
	if t := v.Constant(); t != nil {
		return v, t, ""
	}
	n := v.Producer()
	switch {
	case n == nil && v.IsInput():
		return nil, nil, fmt.Sprintf("%q is a graph input without data", v.Name())
	case n == nil:
		return nil, nil, fmt.Sprintf("%q is sparse", v.Name())
	case n.Is("Identity"):
		return resolve(n.Input(0))
	case n.Is("Cast"):
		if root, t, reason = resolve(n.Input(0)); reason == "" {
			t, reason = cast(t, onnxgraph.DType(n.Int("to", 0)))
		}
		return root, t, reason
	case n.Is("DequantizeLinear"):
		return nil, nil, fmt.Sprintf("%q is quantized (%s)", v.Name(), n)
	}
	return nil, nil, fmt.Sprintf("%q is computed by %s", v.Name(), n)
}

func cast(t *onnxgraph.Tensor, to onnxgraph.DType) (*onnxgraph.Tensor, string) {
	data, err := t.Float64s()
	if err == nil {
		t, err = onnxgraph.FromFloat64s(to, t.Dims(), data)
	}
	if err != nil {
		return nil, "is cast: " + err.Error()
	}
	return t, ""
}

// numbers returns the elements of the constant behind v.
func numbers(v *onnxgraph.Value) ([]float64, string) {
	_, t, reason := resolve(v)
	if reason != "" {
		return nil, reason
	}
	data, err := t.Float64s()
	if err != nil {
		return nil, err.Error()
	}
	return data, ""
}

// setInput makes input i of n a constant that holds data. Other readers of what n read there keep it as it was.
func setInput(n *onnxgraph.Node, i int, t *onnxgraph.Tensor, hint string) {
	old := n.Input(i)
	if old != nil && old.Constant() != nil && slices.Equal(old.Constant().Dims(), t.Dims()) && len(old.Uses()) == 1 && !old.IsOutput() {
		old.SetConstant(t)
		return
	}
	owner := n.Graph()
	if root, _, reason := resolve(old); reason == "" {
		owner, hint = root.Graph(), root.Name()
	}
	n.SetInput(i, owner.AddConstant(hint, t))
	onnxgraph.RemoveUnused(old)
}
