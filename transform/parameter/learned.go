package parameter

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// isElementwise reports whether an operator applies parameters number by number, but also parts of formulas.
func isElementwise(n *onnxgraph.Node) bool {
	return n.Domain() == "" && slices.Contains([]string{"Mul", "Add", "Div", "Sub"}, n.OpType())
}

// looksLearned tells parameters from other constants that the elementwise operators read. This is the rule:
//
//   - What comes before any weight is fixed: the normalization of the images.
//   - Constants behind a weight with one number per channel are parameters.
//   - All others are so only if the file has them as it has weights: in files whose weights are initializers, Constant nodes
//     hold parts of formulas.
//   - Maps, of several numbers in another shape, are parameters, unless the numbers are multiples of 1/8 and differ: grids and
//     anchors of detectors.
//   - A single number is a parameter if it is 0 or 1 and changes nothing, or 0 and a factor, as no formula has it, or if it is
//     none that people write: see isWritten.
//     Of one that is computed from others, these tell.
//   - By Div and Sub only single numbers are learned.
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

// isStoredAsWeights reports whether the constant behind a value is in the file as weights are.
func (f *finder) isStoredAsWeights(v *onnxgraph.Value) bool {
	if root, _, reason := weights.Resolve(v); reason == "" {
		v = root
	}
	return !f.initializers || v.Producer() == nil || !v.Producer().Is("Constant")
}

// hasInitializers reports whether weights of a model are initializers.
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

// isQuantizationScale reports whether v is a scale that a node computes for the numbers that it quantizes.
func isQuantizationScale(v *onnxgraph.Value) bool {
	return v != nil && v.Producer() != nil && v.Producer().Is("DynamicQuantizeLinear")
}

// IsSingle reports whether v holds one number.
func IsSingle(v *onnxgraph.Value) bool {
	_, t, reason := weights.Resolve(v)
	return reason == "" && t.Len() <= 1
}

// isMadeOfSingles reports whether a value, which depends on constants only, is computed from nothing but single numbers; seen
// has what was asked before.
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

// hasUnwritten reports whether a value that is computed from single numbers by one after the other comes from one that nobody
// writes.
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

// isLearnedNumber reports whether the single number that an elementwise node reads may be learned.
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

// isWritten reports whether people write a number in formulas: one of at most three digits, its square root, the inverse of
// either, or one of few others, such as those of both approximations of GELU.
func isWritten(x float64) bool {
	const precision = 3e-7 // of float32, and of who computes it
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

// isGrid reports whether a constant holds multiples of 1/8 that differ, as no map of learned numbers does.
func isGrid(v *onnxgraph.Value) bool {
	data, reason := weights.Numbers(v)
	return reason == "" && !slices.ContainsFunc(data, func(x float64) bool { return 8*x != math.Trunc(8*x) }) &&
		slices.ContainsFunc(data, func(x float64) bool { return x != data[0] })
}
