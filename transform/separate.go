package transform

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Separate gives every layer normalisation parameters, statistics and biases of its own, and returns how many constants
// it added. Exporters merge constants that happen to be equal, such as the ones and zeros of untrained normalisations,
// although each is to train by itself. Weights stay shared: layers that share one are tied on purpose.
func Separate(m *onnxgraph.Model) int {
	separable := []Role{RoleBias, RoleNormScale, RoleNormShift, RoleRunningMean, RoleRunningVar}
	added := 0
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if n.Domain() != "" || isElementwise(n) {
				continue
			}
			for i, role := range readings[n.OpType()] {
				if slices.Contains(separable, role) && separate(n, i) {
					added++
				}
			}
		}
	}
	return added
}

// separate makes input i of n a constant that nothing else reads, and reports whether it added one.
func separate(n *onnxgraph.Node, i int) bool {
	v := n.Input(i)
	root, t, reason := resolve(v)
	if reason != "" {
		return false
	}
	for at := v; len(at.Uses()) == 1 && !at.IsOutput(); at = at.Producer().Input(0) {
		if at == root {
			return false // it is the only reader already
		}
	}
	n.SetInput(i, root.Graph().AddConstant(root.Name(), t))
	onnxgraph.RemoveUnused(v)
	return true
}
