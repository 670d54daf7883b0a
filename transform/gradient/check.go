package gradient

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// Check returns an *UnsupportedError if v cannot be differentiated with respect to the wanted values of its graph. It changes
// nothing.
func Check(v *onnxgraph.Value, wanted ...*onnxgraph.Value) error { return between(wanted, v).check() }

// UnsupportedError lists the nodes between the wanted values and the loss that cannot be differentiated.
type UnsupportedError struct {
	Faults []Fault // at least one, in topological order of the nodes
}

// Fault says why a node cannot be differentiated.
type Fault struct {
	Node   *onnxgraph.Node
	Reason string // empty if its operator has no rule
}

// Error returns a message of several lines: the errors that Unwrap joins.
func (e *UnsupportedError) Error() string { return e.Unwrap().Error() }

// Unwrap returns a joined error: one that summarizes, one for all nodes whose operators have no rule, and one for each other
// reason.
func (e *UnsupportedError) Unwrap() error {
	without := map[string][]string{} // nodes without a rule, by operator
	nodes := map[string][]string{}   // others, by reason
	var operators, reasons []string
	lines := []error{errors.New("between what trains and the loss there are nodes that cannot be differentiated: train only what comes after " +
		"them, or export the model without them:")}
	for _, f := range e.Faults {
		if f.Reason != "" {
			if nodes[f.Reason] == nil {
				reasons = append(reasons, f.Reason)
			}
			nodes[f.Reason] = append(nodes[f.Reason], f.Node.String())
			continue
		}
		op := f.Node.OpType()
		if f.Node.Domain() != "" {
			op = f.Node.Domain() + "." + op
		}
		if without[op] == nil {
			operators = append(operators, op)
		}
		without[op] = append(without[op], f.Node.String())
	}
	for i, op := range operators {
		operators[i] = fmt.Sprintf("%s (%s)", op, strings.Join(without[op], ", "))
	}
	if len(operators) > 0 {
		lines = append(lines, fmt.Errorf("  no gradient rule for operators %s", strings.Join(operators, "; ")))
	}
	for _, r := range reasons {
		lines = append(lines, fmt.Errorf("  %s: %s", strings.Join(nodes[r], ", "), r))
	}
	return errors.Join(lines...)
}

func (p path) check() error {
	var faults []Fault
	for _, n := range p.nodes {
		rule := rules[n.OpType()]
		if n.Domain() != "" || !rule.exists() {
			faults = append(faults, Fault{Node: n})
			continue
		}
		reasons := rule.untyped(n)
		if t := n.Output(0).DType(); !n.Is("Cast") && (t == onnxgraph.Float16 || t == onnxgraph.BFloat16) {
			reasons = append(reasons, fmt.Sprintf("computes in %v, and training needs a model that computes in float32: %s", t, precision.MakeFloat32))
		}
		if reasons == nil { // rules need the types
			reasons = rule.faults(&call{Node: n, on: p.on}, p.needed)
		}
		for _, r := range reasons {
			faults = append(faults, Fault{n, r})
		}
	}
	if faults == nil {
		return nil
	}
	return &UnsupportedError{faults}
}

// untyped names the values of a node that have no type although the rule needs it.
func (r rule) untyped(n *onnxgraph.Node) []string {
	var faults []string
	outputs := n.Outputs()
	if !r.AllOutputs {
		outputs = outputs[:1]
	}
	for _, v := range slices.Concat(n.Inputs(), outputs) {
		if v == nil {
			continue
		}
		if _, ok := v.StaticShape(); !ok || v.DType() == onnxgraph.Undefined {
			faults = append(faults, fmt.Sprintf("value %q has no static shape and element type", v.Name()))
		}
	}
	return faults
}
