package specialize

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/rcfreeze/rcfreeze/transform/inference"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

// stepOpset is the version of ONNX's operators that gradients are written in.
const stepOpset = 18

// Fit returns a copy of a model in which every value has a type for images of the given shape [N, C, …], and the name of its
// image input. It does what Model does, and more: the copy is in the form for inference, and has the opset that training needs.
// It takes images as float32 in the layout [N, C, H, W], even if the model takes another type or [N, H, W, C]. Packages train and
// evaluate run such models. Call ort.Init first.
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
