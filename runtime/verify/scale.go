package verify

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// smallestSigmoid is the smallest scale for relative differences of a sigmoid's outputs. ONNX Runtime rounds a sigmoid to about
// 1e-7 of its range, however small the value is. It rounds other functions relative to their values.
const smallestSigmoid = 0.01

// passing lists operators that do not change numbers.
var passing = []string{"Identity", "Cast", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Slice", "Gather", "Split"}

// scale returns the scale for relative differences of an output; largest is its largest absolute value.
func scale(output *onnxgraph.Value, largest float64) float64 {
	if isSigmoid(output, map[*onnxgraph.Value]bool{}) {
		return max(largest, smallestSigmoid)
	}
	return largest
}

// isSigmoid reports whether numbers of v are values of a sigmoid. seen holds the values that were already checked.
func isSigmoid(v *onnxgraph.Value, seen map[*onnxgraph.Value]bool) bool {
	if v == nil || v.Producer() == nil || seen[v] {
		return false
	}
	seen[v] = true
	n := v.Producer()
	if n.Is("Sigmoid") || n.Domain() != "" || !slices.Contains(passing, n.OpType()) {
		return n.Is("Sigmoid")
	}
	return slices.ContainsFunc(n.Inputs(), func(v *onnxgraph.Value) bool { return isSigmoid(v, seen) })
}
