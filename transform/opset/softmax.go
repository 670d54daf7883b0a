package opset

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// softmaxAxis brings Softmax, LogSoftmax and Hardmax to version 13, which normalizes along one dimension, the last by default.
// Older versions normalize over axis (by default 1) and all later dimensions together. This is the same if all dimensions after
// axis have size 1.
func softmaxAxis(n *onnxgraph.Node, t types) error {
	axis := n.Int("axis", 1)
	if alone(n.Input(0), t, axis) {
		n.SetAttr(onnxgraph.Int("axis", axis))
		return nil
	}
	g, x := n.Graph(), n.Input(0)
	flat := g.AddNode("Flatten", []*onnxgraph.Value{x}, onnxgraph.Int("axis", axis))
	shape := g.AddNode("Shape", []*onnxgraph.Value{x})
	back := g.AddNode("Reshape", nil)
	n.SetInput(0, flat.Output(0))
	n.SetAttr(onnxgraph.Int("axis", -1))
	n.SwapOutput(0, back, 0)
	back.SetInput(0, n.Output(0))
	back.SetInput(1, shape.Output(0))
	return nil
}

// alone reports whether all dimensions of x after axis are known to have size 1.
func alone(x *onnxgraph.Value, t types, axis int64) bool {
	rank := int64(t.of(x).rank)
	if axis < -1 && rank > 0 {
		axis += rank
	}
	if axis == -1 || axis >= 0 && axis == rank-1 {
		return true
	}
	shape, ok := x.Shape()
	return ok && axis >= 0 && axis < rank && !slices.ContainsFunc(shape[axis+1:], func(d onnxgraph.Dim) bool { return d.Size != 1 })
}
