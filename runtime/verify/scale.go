package verify

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// smallestSigmoid is the least scale that differences of a sigmoid's outputs are relative to. ONNX Runtime rounds the
// function to about 1e-7 of its range, however small its value is; all else it rounds relative to the value.
const smallestSigmoid = 0.01

// passing are operators that pass on numbers as they are.
var passing = []string{"Identity", "Cast", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Slice", "Gather", "Split"}

// scale returns what differences of an output are relative to, given its largest absolute value.
func scale(output *onnxgraph.Value, largest float64) float64 {
	if isSigmoid(output, map[*onnxgraph.Value]bool{}) {
		return max(largest, smallestSigmoid)
	}
	return largest
}

// isSigmoid reports whether numbers of v are values of a sigmoid; seen are values that are not, or are asked already.
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
