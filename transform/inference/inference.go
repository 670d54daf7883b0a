// Package inference brings models that were exported in training mode into the form for inference.
package inference

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// Switch brings a model into the form for inference: BatchNormalization uses its running statistics, and Dropout does nothing.
// Files should have this form, and package trainstep expects it. Switch returns one row for each of these nodes; it skips those
// that have the form already. It fails if the model uses outputs that a node has only in training mode, lists all such outputs,
// and leaves the model unchanged.
func Switch(m *onnxgraph.Model) ([]transform.Outcome, error) {
	var nodes []*onnxgraph.Node
	var faults []error
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if n.Is("BatchNormalization") || n.Is("Dropout") {
				nodes = append(nodes, n)
			}
			if n.Is("BatchNormalization") {
				faults = append(faults, usedStatistics(n))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	rows := make([]transform.Outcome, len(nodes))
	for i, n := range nodes {
		rows[i] = transform.OutcomeOf(n)
		if rows[i].Status = transform.Switched; !isTraining(n) {
			rows[i].Skip("it is in the form for inference")
		}
		switchNode(n)
	}
	return rows, nil
}

// TrainingNodes returns how many BatchNormalization and Dropout nodes of a model, in all its graphs, are in training mode.
func TrainingNodes(m *onnxgraph.Model) (count int) {
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if isTraining(n) {
				count++
			}
		}
	}
	return count
}

// isTraining reports whether a BatchNormalization or a Dropout is in training mode, by its attribute, its outputs or its input.
func isTraining(n *onnxgraph.Node) bool {
	switch {
	case n.Is("BatchNormalization"):
		return n.Int("training_mode", 0) != 0 || len(n.Outputs()) > 1
	case n.Is("Dropout"):
		return n.Input(2) != nil && !isFalse(n.Input(2))
	}
	return false
}

// usedStatistics returns an error if a node of the model reads the statistics of the batch that a BatchNormalization outputs.
func usedStatistics(n *onnxgraph.Node) error {
	var faults []error
	for i, v := range n.Outputs() {
		if i > 0 && v != nil && v.IsUsed() {
			faults = append(faults, fmt.Errorf("node %s: output %q is used, which only training mode has: export the model for inference", n, v.Name()))
		}
	}
	return errors.Join(faults...)
}

// switchNode gives a node the form for inference.
func switchNode(n *onnxgraph.Node) {
	if n.Is("BatchNormalization") {
		n.RemoveAttr("training_mode")
		for i := len(n.Outputs()) - 1; i > 0; i-- {
			n.RemoveOutput(i)
		}
		return
	}
	mode := n.Input(2)
	n.SetInput(2, nil)
	onnxgraph.RemoveUnused(mode)
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
