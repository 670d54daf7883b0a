package specialize

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Declare gives every value of the model's main graph the type that ONNX Runtime infers for it, without running it.
func Declare(m *onnxgraph.Model) error {
	probe := m.Clone()
	for _, n := range probe.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && !v.IsOutput() {
				probe.Graph.AddOutput(v, onnxgraph.Undefined, nil)
			}
		}
	}
	data, err := probe.Bytes()
	if err != nil {
		return err
	}
	session, err := ort.OpenBytes(data, ort.Options{DisableOptimization: true})
	if err != nil {
		return err
	}
	defer session.Close()
	for _, port := range session.Outputs() {
		v := m.Graph.Value(port.Name)
		if v == nil || v.IsOutput() {
			continue
		}
		v.SetType(port.DType, onnxgraph.Static(port.Shape...))
	}
	return nil
}
