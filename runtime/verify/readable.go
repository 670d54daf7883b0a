package verify

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// readable returns the model with its outputs of 16 bits cast to float32, if it has some whose dims are open: these cannot be
// read.
func readable(m *onnxgraph.Model) *onnxgraph.Model {
	if !slices.ContainsFunc(m.Graph.Outputs(), isUnreadable) {
		return m
	}
	m = m.Clone()
	outputs := m.Graph.Outputs()
	m.Graph.RemoveOutputs()
	for _, v := range outputs {
		if isUnreadable(v) {
			name := v.Name()
			m.Graph.Rename(v, name+"_16_bits")
			v = m.Graph.AddNode("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(onnxgraph.Float32))).Output(0)
			m.Graph.Rename(v, name)
		}
		m.Graph.AddOutput(v, onnxgraph.Undefined, nil)
	}
	return m
}

func isUnreadable(v *onnxgraph.Value) bool {
	_, fixed := v.StaticShape()
	return v.DType().IsFloat() && v.DType().Bits() == 16 && !fixed && !v.IsInput()
}
