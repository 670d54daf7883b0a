package batch

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// MakeFloat32 makes a model take its images as float32, in place: a Cast gives the rest of the model the type that it took
// before. The input gets another name. Whole numbers from 0 to 255 keep their values, whatever the type.
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
	return readThrough(m, input, ".float32", onnxgraph.Float32, dims, "Cast", onnxgraph.Int("to", int64(input.DType())))
}

// readThrough gives a model an input of another type or shape in the place of the one that it has: a node with the given
// attributes makes the old one of the new one, which has the old one's name with something behind it.
func readThrough(m *onnxgraph.Model, input *onnxgraph.Value, behind string, dtype onnxgraph.DType, dims []onnxgraph.Dim, opType string, attrs ...onnxgraph.Attribute) error {
	if input.IsOutput() {
		return fmt.Errorf("changing what %s takes: its input %q is an output, too: export the model without that output", m.Path(), input.Name())
	}
	taken, err := m.Graph.AddInput(input.Name()+behind, dtype, dims)
	if err != nil {
		return err
	}
	others := m.Graph.Nodes()
	n := m.Graph.AddNode(opType, []*onnxgraph.Value{taken}, attrs...)
	if len(others) > 0 {
		m.Graph.Insert(others[0], n)
	}
	onnxgraph.ReplaceUses(input, n.Output(0))
	m.Graph.RemoveInput(input)
	return nil
}
