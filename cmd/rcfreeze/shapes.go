package main

import (
	"errors"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// inferShapes declares the shapes that the values of m have for one image, as far as the model does not
// say them: ONNX Runtime tells, which must be here and run the model.
func inferShapes(m *onnxgraph.Model, library string) error {
	image, err := imageShape(m)
	if err != nil {
		return err
	}
	if image.Size() == 0 {
		return errors.New("the model does not fix the size of its images")
	}
	if _, err := ort.Init(library); err != nil {
		return err
	}
	shape := []int64{1, int64(image.Channels), int64(image.Height), int64(image.Width)}
	if batch.IsChannelsLast(m) {
		shape = []int64{1, shape[2], shape[3], shape[1]}
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
