package train

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Step returns the training step of a model for images of the given shape.
func Step(m *onnxgraph.Model, shape []int64, o trainstep.Options) (*trainstep.Step, error) {
	fitted, image, err := specialize.Fit(m, shape)
	if err != nil {
		return nil, err
	}
	return trainstep.Build(fitted, image, o)
}
