package transform

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Separate gives every layer normalisation parameters, statistics and biases of its own, and returns how many inputs got
// a constant that they had not for themselves. Exporters merge constants that happen to be equal, such as the ones and
// zeros of untrained normalisations, although each is to train by itself; with an Identity they say how each was named,
// and is named again. Weights stay shared: layers that share one are tied on purpose.
func Separate(m *onnxgraph.Model) int {
	uses := separable(m)
	added := 0
	// what comes through nodes goes first, and leaves the constant and its name to the layer that reads it directly
	for _, separate := range []func(*onnxgraph.Node, int) bool{separateIndirect, separateDirect} {
		for _, u := range uses {
			if separate(u.Node, u.Index) {
				added++
			}
		}
	}
	return added
}

// separable returns where layers read what each must have for itself, Add and Mul last.
func separable(m *onnxgraph.Model) []onnxgraph.Use {
	roles := []Role{RoleBias, RoleNormScale, RoleNormShift, RoleRunningMean, RoleRunningVar}
	f := newFinder()
	var uses []onnxgraph.Use
	for _, g := range m.Graphs() {
		for _, n := range g.Sorted() {
			f.read(n)
			if n.Domain() != "" || isElementwise(n) {
				continue
			}
			for i, role := range readings[n.OpType()] {
				if slices.Contains(roles, role) {
					uses = append(uses, onnxgraph.Use{Node: n, Index: i})
				}
			}
		}
	}
	return append(uses, f.elementwise...)
}

// separateIndirect makes input i of n a constant if it comes from one through nodes, and reports whether it did.
func separateIndirect(n *onnxgraph.Node, i int) bool {
	v := n.Input(i)
	root, t, reason := resolve(v)
	if reason != "" || v == root {
		return false
	}
	g, name := root.Graph(), root.Name()
	n.SetInput(i, nil)
	onnxgraph.RemoveUnused(v)
	if root.IsUsed() {
		name = v.Name()
	}
	n.SetInput(i, g.AddConstant(name, t))
	return true
}

// separateDirect makes input i of n, a constant that something else uses too, one of its own, and reports whether it did.
func separateDirect(n *onnxgraph.Node, i int) bool {
	v := n.Input(i)
	root, t, reason := resolve(v)
	if reason != "" || v != root || len(v.Uses()) == 1 && !v.IsOutput() {
		return false
	}
	n.SetInput(i, v.Graph().AddConstant(v.Name(), t))
	return true
}
