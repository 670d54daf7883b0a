package parameter

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// LeftOut names constants that may have been learned but do not train, each once.
type LeftOut struct {
	Quantized []string // the integers from which nodes (DequantizeLinear) compute weights
	Unsuited  []string // parameters that are stored as sparse tensors, or made by ConstantOfShape
	Nested    []string // parameters in functions, and in the bodies of If, Loop and Scan: only the main graph trains

	// Constants are floating-point constants with RoleConstant that other nodes combine with data, such as the mean that is
	// subtracted from images before the first layer, a table that a Gather reads, or the exponent of a Pow. By how they are used
	// they look fixed, but nothing in a file says so.
	Constants []string
}

// aside is what a finder notes for LeftOut.
type aside struct{ quantized, unsuited, constants []*onnxgraph.Value }

// FindLeftOut returns the constants that may have been learned, but that do not train, because their role is RoleConstant or
// because training cannot change them. An error means that the model differs from its records of blocks.
func FindLeftOut(m *onnxgraph.Model) (LeftOut, error) {
	f := find(m)
	out := LeftOut{Quantized: namesOf(f.aside.quantized), Unsuited: namesOf(f.aside.unsuited)}
	parameters, err := List(m)
	if err != nil {
		return out, err
	}
	for _, p := range parameters {
		if p.Role.Trains() && p.Value.Graph() != m.Graph {
			out.Nested = append(out.Nested, p.Value.Name())
		}
	}
	unknown := slices.DeleteFunc(f.aside.constants, func(v *onnxgraph.Value) bool { _, known := f.found[v]; return known })
	out.Constants = namesOf(unknown)
	return out, nil
}

// namesOf returns the names of values, each once.
func namesOf(values []*onnxgraph.Value) []string {
	var names []string
	for _, v := range values {
		if v != nil && !slices.Contains(names, v.Name()) {
			names = append(names, v.Name())
		}
	}
	return names
}

// settings are operators whose first input is data, and whose other inputs say what to do with it: those are never learned.
var settings = []string{"Resize", "Upsample", "Pad", "Clip", "Dropout", "QuantizeLinear", "DequantizeLinear", "OneHot", "NonMaxSuppression", "RoiAlign", "TopK"}

// putAside notes the constants that a node combines with numbers from the images, if they might be learned. Another node may
// still make them parameters: FindLeftOut removes these in the end.
func (f *finder) putAside(n *onnxgraph.Node) {
	roles := readings[n.OpType()]
	for i, v := range n.Inputs() {
		switch {
		case v == nil || !f.isFixed(v), n.Domain() == "" && i > 0 && slices.Contains(settings, n.OpType()):
		case n.Domain() == "" && roles != nil && !isElementwise(n): // its inputs without a role are no parameters
		case IsSingle(v) && !(f.isStoredAsWeights(v) && f.mayBeLearned(n)):
		default:
			f.noteConstants(v, IsSingle(v), map[*onnxgraph.Value]bool{})
		}
	}
}

// mayBeLearned reports whether a single number that a node behind a weight reads may be learned: what an elementwise operator
// reads, or an exponent, except 2 and 0.5.
func (f *finder) mayBeLearned(n *onnxgraph.Node) bool {
	if !slices.ContainsFunc(n.Inputs(), func(v *onnxgraph.Value) bool { return f.learned[v] }) {
		return false
	}
	if n.Is("Pow") {
		exponent, _ := weights.Numbers(n.Input(1))
		return len(exponent) != 1 || exponent[0] != 2 && exponent[0] != 0.5
	}
	return isElementwise(n)
}

// noteConstants notes the floating-point constants that a value is computed from. It notes single numbers only if single is true:
// then the value itself is one.
func (f *finder) noteConstants(v *onnxgraph.Value, single bool, done map[*onnxgraph.Value]bool) {
	if t := v.Constant(); t != nil {
		if v.DType().IsFloat() && (single || t.Len() > 1 && f.isStoredAsWeights(v) && !isGrid(v)) {
			f.aside.constants = append(f.aside.constants, v)
		}
		return
	}
	if done[v] || v.Producer() == nil || v.Producer().Is("DequantizeLinear") {
		return
	}
	done[v] = true
	for _, input := range v.Producer().Inputs() {
		if input != nil {
			f.noteConstants(input, single, done)
		}
	}
}

// isSparse reports whether v is a sparse initializer.
func isSparse(v *onnxgraph.Value) bool {
	return v != nil && v.Constant() == nil && v.Producer() == nil && !v.IsInput()
}
