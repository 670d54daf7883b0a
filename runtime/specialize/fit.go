package specialize

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/rcfreeze/rcfreeze/transform/inference"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

// stepOpset is the version of ONNX's operators that gradients are written in.
const stepOpset = 18

// Fit returns a copy of a model with every value typed for images of the given shape [N, C, …], in the form for inference, of
// the operator set that training needs, and the name of its image input. A model that takes images as [N, H, W, C] is made to
// take them as [N, C, H, W], and one that takes another type is made to take float32.
func Fit(m *onnxgraph.Model, shape []int64) (fitted *onnxgraph.Model, image string, err error) {
	c := m.Clone()
	if batch.IsChannelsLast(c) {
		if err := batch.MakeChannelsFirst(c); err != nil {
			return nil, "", err
		}
	}
	if err := batch.MakeFloat32(c); err != nil {
		return nil, "", err
	}
	if err := opset.Upgrade(c, stepOpset); err != nil {
		return nil, "", err
	}
	if _, err := inference.Switch(c); err != nil {
		return nil, "", err
	}
	if fitted, err = Model(c, shape); err != nil {
		return nil, "", err
	}
	input, err := batch.Input(fitted)
	if err != nil {
		return nil, "", err
	}
	return fitted, input.Name(), nil
}
