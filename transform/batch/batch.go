// Package batch changes the batch size and the form of the images that a model takes.
package batch

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Input returns the input through which a CNN takes its images: the only graph input without a default value (a constant of the
// same name). It fails if there are several such inputs or none, or if the input is declared with fewer than two dimensions.
func Input(m *onnxgraph.Model) (*onnxgraph.Value, error) {
	var found []*onnxgraph.Value
	for _, v := range m.Graph.Inputs() {
		if v.Constant() == nil {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		var names []string
		for _, v := range found {
			names = append(names, v.Name())
		}
		return nil, fmt.Errorf("finding the image input of %s: the model has %d inputs %q, needs exactly 1", m.Path(), len(found), names)
	}
	if shape, ok := found[0].Shape(); ok && len(shape) < 2 {
		return nil, fmt.Errorf("finding the image input of %s: input %q has rank %d, needs a batch of images", m.Path(), found[0].Name(), len(shape))
	}
	return found[0], nil
}

// SetInputShape changes the model, in place, to take a batch of images of the given shape [N, C, …]. It fails if that differs
// from a size that the model declares for the input, other than the batch size. Constants that contain the old batch size are
// updated. Declared shapes of intermediate values and outputs are removed, because they may contain it, too.
//
// A model can contain the batch size in places that this function does not know. To be sure, compare its outputs for a batch with
// those for single images.
func SetInputShape(m *onnxgraph.Model, shape []int64) error {
	input, err := Input(m)
	if err != nil {
		return err
	}
	declared, ok := input.Shape()
	if ok && !fits(declared, shape) {
		return fmt.Errorf("setting the input shape of %s: input %q is declared %v, does not fit %v: give images of the declared size, or resize them",
			m.Path(), input.Name(), declared, shape)
	}
	dtype := input.DType()
	m.Graph.ForgetShapes()
	input.SetType(dtype, onnxgraph.Static(shape...))
	if ok {
		followTargets(m.Graph, input, declared[0], onnxgraph.Dim{Size: shape[0]})
	}
	return nil
}

// SetSize changes the model, in place, to take batches of another size, or of any size if size.Size is -1 and size.Param is a
// symbol such as "batch". Outputs whose first dimension was the batch size get the new one, and constants that contain it are
// updated. Declared shapes of intermediate values are removed. It fails if the input has no declared shape.
//
// As with SetInputShape, compare the outputs to be sure.
func SetSize(m *onnxgraph.Model, size onnxgraph.Dim) error {
	input, err := Input(m)
	if err != nil {
		return err
	}
	declared, ok := input.Shape()
	if !ok {
		return fmt.Errorf("setting the batch size of %s: input %q has no declared shape, so its batch size is not known: let the program that made the model declare one", m.Path(), input.Name())
	}
	old := declared[0]
	outputs := map[*onnxgraph.Value][]onnxgraph.Dim{}
	for _, v := range m.Graph.Outputs() {
		if shape, ok := v.Shape(); ok {
			outputs[v] = shape
		}
	}
	m.Graph.ForgetShapes()
	for v, shape := range outputs {
		if len(shape) > 0 && shape[0] == old {
			shape[0] = size
		}
		v.SetType(v.DType(), shape)
	}
	declared[0] = size
	input.SetType(input.DType(), declared)
	followTargets(m.Graph, input, old, size)
	return nil
}

func fits(declared []onnxgraph.Dim, shape []int64) bool {
	if len(declared) != len(shape) {
		return false
	}
	for i := 1; i < len(shape); i++ {
		if declared[i].Size >= 0 && declared[i].Size != shape[i] {
			return false
		}
	}
	return true
}
