package batch

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// MakeFloat32 makes a model take its images as float32, in place: a Cast gives the rest of the model the type that it took
// before. The input gets another name. Whole numbers from 0 to 255 come through as they are, whatever the type.
func MakeFloat32(m *onnxgraph.Model) error {
	input, err := Input(m)
	if err != nil {
		return err
	}
	if input.DType() == onnxgraph.Float32 {
		return nil
	}
	dims, known := input.Shape()
	if !known {
		dims = slices.Repeat([]onnxgraph.Dim{{Size: -1}}, 4)
	}
	taken, err := m.Graph.AddInput(input.Name()+".float32", onnxgraph.Float32, dims)
	if err != nil {
		return err
	}
	cast := m.Graph.AddNode("Cast", []*onnxgraph.Value{taken}, onnxgraph.Int("to", int64(input.DType())))
	if others := m.Graph.Nodes(); len(others) > 1 {
		m.Graph.Insert(others[0], cast)
	}
	onnxgraph.ReplaceUses(input, cast.Output(0))
	m.Graph.RemoveInput(input)
	return nil
}
