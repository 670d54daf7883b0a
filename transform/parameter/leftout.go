package parameter

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// LeftOut names constants that may have been learned but do not train.
type LeftOut struct {
	Quantized []string // weights that nodes make of integers
	Unsuited  []string // parameters that are stored as sparse tensors, or made by ConstantOfShape
	Nested    []string // parameters in bodies of nodes and in functions
	Constants []string // parts of formulas, or what comes before any weight, as far as can be told
}

// aside is what a finder puts aside for LeftOut.
type aside struct{ quantized, unsuited, constants []*onnxgraph.Value }

// FindLeftOut returns the constants that may have been learned, but that List does not count as trainable or that cannot
// train.
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

// settings are operators whose inputs but the first say what to do, and are nothing that is learned.
var settings = []string{"Resize", "Upsample", "Pad", "Clip", "Dropout", "QuantizeLinear", "DequantizeLinear", "OneHot", "NonMaxSuppression", "RoiAlign", "TopK"}

// putAside notes the constants that a node, which reads numbers of images, reads as numbers like these, if they might be
// learned: the finder knows later whether another node makes them parameters.
func (f *finder) putAside(n *onnxgraph.Node) {
	roles := readings[n.OpType()]
	for i, v := range n.Inputs() {
		switch {
		case v == nil || !f.isFixed(v), n.Domain() == "" && i > 0 && slices.Contains(settings, n.OpType()):
		case n.Domain() == "" && roles != nil && !isElementwise(n): // what has no role is none
		case IsSingle(v) && !(f.isStoredAsWeights(v) && f.mayBeLearned(n)):
		default:
			f.noteConstants(v, IsSingle(v), map[*onnxgraph.Value]bool{})
		}
	}
}

// mayBeLearned reports whether a single number that a node reads may be learned: a factor, say, or an exponent but that of
// a square or a root.
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

// noteConstants notes the floating-point constants that a value comes from; single numbers only if they are the value itself.
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
