package trainstep

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// InferenceMode brings a model that was exported in training mode into the form for inference: BatchNormalization uses its
// running statistics, and Dropout does nothing. Files should have this form, and the other functions of this package expect it.
// InferenceMode returns how many nodes were in training mode. It fails if the model uses outputs that these nodes have only in
// training mode, and lists such nodes.
func InferenceMode(m *onnxgraph.Model) (changed int, err error) {
	var faults []error
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			switch {
			case n.Is("BatchNormalization"):
				if n.Int("training_mode", 0) != 0 || len(n.Outputs()) > 1 {
					changed++
				}
				n.RemoveAttr("training_mode")
				faults = append(faults, onlyFirstOutput(n))
			case n.Is("Dropout") && n.Input(2) != nil:
				mode := n.Input(2)
				if !isFalse(mode) {
					changed++
				}
				n.SetInput(2, nil)
				onnxgraph.RemoveUnused(mode)
			}
		}
	}
	return changed, errors.Join(faults...)
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

// isFalse reports whether v is a constant that is false.
func isFalse(v *onnxgraph.Value) bool {
	t := v.Constant()
	if t == nil {
		return false
	}
	data, err := t.Int64s()
	return err == nil && len(data) == 1 && data[0] == 0
}
