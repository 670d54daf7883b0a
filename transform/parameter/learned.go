package parameter

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// isElementwise reports whether a node calls an operator that computes number by number. The constants that it reads can be
// parameters, or parts of formulas.
func isElementwise(n *onnxgraph.Node) bool {
	return n.Domain() == "" && slices.Contains([]string{"Mul", "Add", "Div", "Sub"}, n.OpType())
}

// looksLearned reports whether the constant v that the elementwise node n reads is a parameter, and no part of a formula. This is
// the rule:
//
//   - If no input of the node depends on a weight, v is fixed: it belongs to the normalization of the images.
//   - With one number per channel, v is a parameter of a Mul or an Add.
//   - In any other shape with several numbers, v is a parameter of a Mul or an Add if it is stored as weights are (see
//     isStoredAsWeights), unless it is a grid of a detector (see isGrid).
//   - A single number is a parameter if it is stored as weights are, and nobody would write it into a formula: see
//     isLearnedNumber.
//   - A value that nodes compute from single numbers only is a parameter if it comes from one stored number that nobody would
//     write: see hasUnwritten.
//   - A Div or a Sub has no parameters of several numbers.
func (f *finder) looksLearned(n *onnxgraph.Node, v *onnxgraph.Value) bool {
	if !slices.ContainsFunc(n.Inputs(), func(other *onnxgraph.Value) bool { return f.learned[other] }) {
		return false
	}
	dims := dimsOf(v)
	switch {
	case IsSingle(v):
		return f.isStoredAsWeights(v) && isLearnedNumber(n, v) && !slices.ContainsFunc(n.Inputs(), isQuantizationScale)
	case isMadeOfSingles(v, map[*onnxgraph.Value]bool{}):
		return f.hasUnwritten(v)
	case n.Is("Div") || n.Is("Sub"):
		return false
	case len(dims) == 0 || slices.Max(dims) == weights.Product(dims):
		return true
	}
	return f.isStoredAsWeights(v) && !isGrid(v)
}

// isStoredAsWeights reports whether the file stores the constant behind a value as it stores weights: in files whose weights are
// initializers, Constant nodes hold parts of formulas.
func (f *finder) isStoredAsWeights(v *onnxgraph.Value) bool {
	if root, _, reason := weights.Resolve(v); reason == "" {
		v = root
	}
	return !f.initializers || v.Producer() == nil || !v.Producer().Is("Constant")
}

// hasInitializers reports whether a weight of the model is an initializer, and not the output of a Constant node.
func hasInitializers(m *onnxgraph.Model) bool {
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if root, _, reason := weights.Resolve(n.Input(1)); reason == "" && root.Producer() == nil && fanIns[n.OpType()] != nil {
				return true
			}
		}
	}
	return false
}

// isQuantizationScale reports whether v is the scale that a DynamicQuantizeLinear computes for what it quantizes.
func isQuantizationScale(v *onnxgraph.Value) bool {
	return v != nil && v.Producer() != nil && v.Producer().Is("DynamicQuantizeLinear")
}

// IsSingle reports whether v is a constant, perhaps behind nodes that only rearrange it, that holds a single number of any shape,
// or none.
func IsSingle(v *onnxgraph.Value) bool {
	_, t, reason := weights.Resolve(v)
	return reason == "" && t.Len() <= 1
}

// isMadeOfSingles reports whether a value that depends on constants only is computed from nothing but single numbers. seen holds
// the values that were looked at before.
func isMadeOfSingles(v *onnxgraph.Value, seen map[*onnxgraph.Value]bool) bool {
	if t := v.Constant(); t != nil {
		return t.Len() <= 1
	}
	n := v.Producer()
	if seen[v] || n == nil {
		return n != nil
	}
	seen[v] = true
	return !slices.ContainsFunc(n.Inputs(), func(input *onnxgraph.Value) bool { return input != nil && !isMadeOfSingles(input, seen) })
}

// hasUnwritten reports whether a value comes from one single number, through nodes with one input each, and that number is stored
// as weights are and is none that people write (see isWritten).
func (f *finder) hasUnwritten(v *onnxgraph.Value) bool {
	for v.Constant() == nil {
		inputs := v.Producer().Inputs()
		if len(inputs) != 1 || inputs[0] == nil {
			return false
		}
		v = inputs[0]
	}
	data, reason := weights.Numbers(v)
	return reason == "" && len(data) == 1 && f.isStoredAsWeights(v) && !isWritten(data[0])
}

// isLearnedNumber reports whether the single number that an elementwise node reads may be learned. A formula has no 0, and no
// factor 1, because these are of no use there, but parameters often start with them. Any other number may be learned if people
// would not write it.
func isLearnedNumber(n *onnxgraph.Node, v *onnxgraph.Value) bool {
	data, reason := weights.Numbers(v)
	if reason != "" || len(data) != 1 {
		return false
	}
	switch x, isFactor := data[0], n.Is("Mul") || n.Is("Div"); {
	case x == 0:
		return true
	case x == 1:
		return isFactor
	default:
		return !isWritten(x)
	}
}

// isWritten reports whether people write a number in formulas. Such are whole numbers, and those of at most three digits; their
// square roots, and the inverses of both; such a number times π, ln 2 or 1/ln 2; the square root of one times 2/π; and the
// constants in both approximations of GELU.
func isWritten(x float64) bool {
	const precision = 3e-7 // relative, of float32 with a little rounding before
	for _, known := range []float64{0.044715, 1.702} {
		if math.Abs(x-known) <= precision*known {
			return true
		}
	}
	for _, y := range []float64{x, x * x, 1 / x, 1 / (x * x), x * x * math.Pi / 2, x / math.Pi, x / math.Ln2, x * math.Ln2} {
		digits := math.Pow(10, math.Floor(math.Log10(math.Abs(y)))-2)
		if math.Abs(y-math.Round(y/digits)*digits) <= precision*math.Abs(y) {
			return true
		}
	}
	return x == math.Trunc(x)
}

// isGrid reports whether all numbers of a constant are multiples of 1/8, and not all are equal, as in the grids and anchors of
// detectors. Learned numbers do not come out like that.
func isGrid(v *onnxgraph.Value) bool {
	data, reason := weights.Numbers(v)
	return reason == "" && !slices.ContainsFunc(data, func(x float64) bool { return 8*x != math.Trunc(8*x) }) &&
		slices.ContainsFunc(data, func(x float64) bool { return x != data[0] })
}
