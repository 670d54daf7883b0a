package transform

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// finder looks for parameters, node by node in topological order.
type finder struct {
	found   map[*onnxgraph.Value]Parameter
	fixed   map[*onnxgraph.Value]bool // values that depend on constants only
	learned map[*onnxgraph.Value]bool // values that depend on a weight, and not on constants only
	done    map[spreading]bool        // what spread did already

	elementwise []onnxgraph.Use // where Add and Mul read parameters
}

// spreading is a value and the role that what it is computed from gets.
type spreading struct {
	value *onnxgraph.Value
	role  Role
}

func newFinder() *finder {
	return &finder{found: map[*onnxgraph.Value]Parameter{}, fixed: map[*onnxgraph.Value]bool{}, learned: map[*onnxgraph.Value]bool{}, done: map[spreading]bool{}}
}

// read notes the parameters that n reads, and what its outputs depend on.
func (f *finder) read(n *onnxgraph.Node) {
	fixed, learned := len(n.Inputs()) > 0 && !n.HasBody(), n.HasBody()
	for _, v := range n.Inputs() {
		fixed = fixed && (v == nil || f.isFixed(v))
		learned = learned || f.learned[v]
	}
	roles := readings[n.OpType()]
	if n.Domain() != "" || isElementwise(n) && !learned {
		roles = nil
	}
	for i, role := range roles {
		v := n.Input(i)
		if role == "" || fixed || v == nil || !f.isFixed(v) || isElementwise(n) && !isVector(v) {
			continue
		}
		learned = true
		use := onnxgraph.Use{Node: n, Index: i}
		f.spread(v, role, use)
		if isElementwise(n) {
			f.elementwise = append(f.elementwise, use)
		}
	}
	for _, v := range n.Outputs() {
		f.fixed[v] = fixed
		f.learned[v] = learned
	}
}

// isFixed reports whether a value depends on constants only.
func (f *finder) isFixed(v *onnxgraph.Value) bool { return v.Constant() != nil || f.fixed[v] }

// isSingle reports whether v holds one number.
func isSingle(v *onnxgraph.Value) bool {
	_, t, reason := resolve(v)
	return reason == "" && t.Len() <= 1
}

// isVector reports whether v holds one number per channel or feature, as far as its dims are known: a parameter of a layer,
// unlike the anchors of a detector.
func isVector(v *onnxgraph.Value) bool {
	dims := dimsOf(v)
	return dims == nil || product(dims) > 1 && slices.Max(dims) == product(dims)
}

// spread gives a role to a constant, or to the constants that a value is computed from; of the latter, single numbers
// are part of the formula.
func (f *finder) spread(v *onnxgraph.Value, role Role, reading onnxgraph.Use) {
	if v.Constant() != nil {
		f.note(v, role, reading)
		return
	}
	n := v.Producer()
	if n.Is("DequantizeLinear") || f.done[spreading{v, role}] {
		return // quantized weights do not train
	}
	f.done[spreading{v, role}] = true
	for _, input := range n.Inputs() {
		if input != nil && (len(n.Inputs()) == 1 || !isSingle(input)) {
			f.spread(input, role, reading)
		}
	}
}

// note gives a role to a constant, unless it has one that counts more.
func (f *finder) note(v *onnxgraph.Value, role Role, reading onnxgraph.Use) {
	old, ok := f.found[v]
	for _, r := range rank {
		if ok && r == old.Role {
			return
		}
		if r == role {
			f.found[v] = Parameter{v, role, reading}
			return
		}
	}
}
