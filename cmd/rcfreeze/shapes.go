package main

import (
	"errors"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// inferShapes declares the shapes that the values of m have for one example, as far as the model does not
// say them: ONNX Runtime tells, which must be here and, if it does not know them otherwise, run the model.
func inferShapes(m *onnxgraph.Model, library string) error {
	input, err := batch.Input(m)
	if err != nil {
		return err
	}
	declared, ok := input.Shape()
	shape := []int64{1}
	for axis, d := range declared {
		ok = ok && (axis == 0 || d.Size > 0)
		if axis > 0 {
			shape = append(shape, d.Size)
		}
	}
	if !ok {
		return errors.New("the model does not fix the size of what it takes")
	}
	if _, err := ort.Init(library); err != nil {
		return err
	}
	if err := specialize.Infer(m, shape); err == nil && !slices.ContainsFunc(m.Graph.AllNodes(), isOpen) {
		return nil
	}
	fitted, err := specialize.Model(m, shape)
	if err != nil {
		return err
	}
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v == nil {
				continue
			}
			told := fitted.Graph.Value(v.Name())
			if told == nil {
				continue // it was folded away
			}
			if shape, ok := told.StaticShape(); ok {
				v.SetType(told.DType(), onnxgraph.Static(shape...))
			}
		}
	}
	return nil
}

// isOpen reports whether n is a convolution of which the model does not say how large its output is.
func isOpen(n *onnxgraph.Node) bool {
	if !n.Is("Conv") || n.Output(0) == nil {
		return false
	}
	_, known := n.Output(0).StaticShape()
	return !known
}
