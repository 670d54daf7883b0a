package verify

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// readable returns the model with outputs that can always be read: outputs of 16 bits with open dims become float32, and outputs
// of unknown rank become one list of numbers.
func readable(m *onnxgraph.Model) *onnxgraph.Model {
	if !slices.ContainsFunc(m.Graph.Outputs(), func(v *onnxgraph.Value) bool { return isNarrow(v) || isUnranked(v) }) {
		return m
	}
	m = m.Clone()
	outputs := m.Graph.Outputs()
	m.Graph.RemoveOutputs()
	for _, v := range outputs {
		name, narrow, unranked := v.Name(), isNarrow(v), isUnranked(v)
		if narrow || unranked {
			m.Graph.Rename(v, name+"_as_computed")
		}
		if narrow {
			v = m.Graph.AddNode("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(onnxgraph.Float32))).Output(0)
		}
		if unranked {
			list := m.Graph.AddConstant("list", onnxgraph.NewTensor([]int64{1}, []int64{-1}))
			v = m.Graph.AddNode("Reshape", []*onnxgraph.Value{v, list}).Output(0)
		}
		m.Graph.Rename(v, name)
		m.Graph.AddOutput(v, onnxgraph.Undefined, nil)
	}
	return m
}

// isNarrow reports whether an output has elements of 16 bits and open dims.
func isNarrow(v *onnxgraph.Value) bool {
	_, fixed := v.StaticShape()
	return v.DType().IsFloat() && v.DType().Bits() == 16 && !fixed && !v.IsInput()
}

// isUnranked reports whether the model does not say how many dims an output has.
func isUnranked(v *onnxgraph.Value) bool {
	_, known := v.Shape()
	return !known && v.DType() != onnxgraph.Undefined && !v.IsInput()
}
