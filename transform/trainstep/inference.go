package trainstep

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// InferenceMode brings a model that was exported in training mode into the form for inference, which files
// should have and the other functions of this package expect: BatchNormalization uses its running
// statistics, Dropout does nothing. The error lists the nodes whose further outputs are used.
func InferenceMode(m *onnxgraph.Model) error {
	var faults []error
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			switch {
			case n.Is("BatchNormalization"):
				n.RemoveAttr("training_mode")
				faults = append(faults, onlyFirstOutput(n))
			case n.Is("Dropout"):
				mode := n.Input(2)
				n.SetInput(2, nil)
				onnxgraph.RemoveUnused(mode)
			}
		}
	}
	return errors.Join(faults...)
}

func onlyFirstOutput(n *onnxgraph.Node) error {
	for i := len(n.Outputs()) - 1; i > 0; i-- {
		if v := n.Output(i); v != nil && v.IsUsed() {
			return fmt.Errorf("node %s: output %q is used, which only training mode has: export the model for inference", n, v.Name())
		}
		n.RemoveOutput(i)
	}
	return nil
}
