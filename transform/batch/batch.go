// Package batch changes the batch size that a model is made for.
package batch

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Input returns the one input through which a CNN takes its images: the graph input of rank 3 to 5 that
// has no default.
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

// SetInputShape makes the model take a batch of images of the given shape, [N, C, …], in place. Sizes that
// the model fixes, other than the batch size, must be those of shape. Reshapes of data that name the old
// batch size follow; types of intermediate values are forgotten, since they may name it too.
//
// A model can have the batch size where this does not look for it: compare its outputs for a batch with
// those for single images.
func SetInputShape(m *onnxgraph.Model, shape []int64) error {
	input, err := Input(m)
	if err != nil {
		return err
	}
	declared, ok := input.Shape()
	if ok && !fits(declared, shape) {
		return fmt.Errorf("setting the input shape of %s: input %q is declared %s, does not fit %v: give images of the declared size, or resize them",
			m.Path(), input.Name(), describe(declared), shape)
	}
	dtype := input.DType()
	m.Graph.ForgetShapes()
	input.SetType(dtype, onnxgraph.Static(shape...))
	if ok && declared[0].Size >= 0 && declared[0].Size != shape[0] {
		followReshapes(m.Graph, input, declared[0].Size, shape[0])
	}
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

func describe(shape []onnxgraph.Dim) string {
	var parts []string
	for _, d := range shape {
		switch {
		case d.Size >= 0:
			parts = append(parts, fmt.Sprint(d.Size))
		case d.Param != "":
			parts = append(parts, d.Param)
		default:
			parts = append(parts, "?")
		}
	}
	return fmt.Sprint(parts)
}

// followReshapes changes the first size of constant Reshape targets of data from one batch size to another.
func followReshapes(g *onnxgraph.Graph, input *onnxgraph.Value, from, to int64) {
	data := map[*onnxgraph.Value]bool{input: true} // what depends on the input
	for _, n := range g.Sorted() {
		if !slices.ContainsFunc(n.Inputs(), func(v *onnxgraph.Value) bool { return data[v] }) {
			continue
		}
		for _, v := range n.Outputs() {
			data[v] = true
		}
		if !n.Is("Reshape") || !data[n.Input(0)] {
			continue
		}
		if n.Input(1) == nil || n.Input(1).Constant() == nil {
			continue
		}
		target := n.Input(1).Constant()
		sizes, err := target.Int64s()
		if err != nil || len(sizes) == 0 || sizes[0] != from {
			continue
		}
		sizes[0] = to
		n.SetInput(1, g.AddConstant(n.Name()+"_shape", onnxgraph.NewTensor(target.Dims(), sizes)))
	}
}
