package batch

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// MakeFloat32 changes a model, in place, to take its images as float32. A Cast converts them to the type that the model took
// before: whole numbers from 0 to 255 keep their values, except in int8. The input's name gets ".float32" appended. If the input
// is float32 already, nothing changes.
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

// readThrough replaces a model's input by one of another type or shape. A node with the given attributes converts the new input
// to the old one. The new name is the old one with behind appended.
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
