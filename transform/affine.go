package transform

import (
	"fmt"
	"math"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// affine is a map of each channel c by itself: y = scale[c]·x + shift[c].
type affine struct{ scale, shift []float64 }

// readNorm reads a BatchNormalization node as used for inference,
//
//	scale = gamma / √(var + epsilon), shift = beta - mean · scale,
//
// or says why it is no fixed map of each channel.
func readNorm(n *onnxgraph.Node) (affine, string) {
	switch names := references(n); {
	case names != nil:
		return affine{}, fmt.Sprintf("its %s is %s", strings.Join(names, ", "), givenByCallers(n.Graph()))
	case n.HasBody() || n.Output(0) == nil:
		return affine{}, "malformed: it holds a graph, or has no output"
	case n.Int("training_mode", 0) != 0:
		return affine{}, "it is in training mode"
	case len(n.Outputs()) > 1:
		return affine{}, "it puts out statistics, so it is in training mode"
	case n.Int("spatial", 1) == 0:
		return affine{}, "it normalizes every position by itself (spatial = 0)"
	case n.Graph().Model().Opset("") < oldestOpset && n.Int("is_test", 0) == 0:
		return affine{}, "it is in training mode (is_test = 0)"
	}
	var p [4][]float64 // gamma, beta, mean, variance
	for i := range p {
		var reason string
		if p[i], reason = numbers(n.Input(i + 1)); reason != "" {
			return affine{}, fmt.Sprintf("its input %d %s", i+1, reason)
		}
		if len(p[i]) != len(p[0]) {
			return affine{}, fmt.Sprintf("malformed: its input %d has %d numbers, input 1 has %d", i+1, len(p[i]), len(p[0]))
		}
	}
	a := affine{p[0], p[1]}
	epsilon := float64(n.Float("epsilon", 1e-5))
	for c := range a.scale {
		if !(p[3][c]+epsilon > 0) {
			return affine{}, fmt.Sprintf("its variance %.4g of channel %d, with epsilon %.4g, is not above 0, so that it computes NaN or infinity", p[3][c], c, epsilon)
		}
		a.scale[c] /= math.Sqrt(p[3][c] + epsilon)
		a.shift[c] -= p[2][c] * a.scale[c]
	}
	return a, ""
}

// hasShift reports whether the map is more than a scaling.
func (a affine) hasShift() bool {
	for _, s := range a.shift {
		if s != 0 {
			return true
		}
	}
	return false
}
