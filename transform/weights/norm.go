package weights

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// oldestOpset is the first version of ONNX's operators whose Conv and BatchNormalization are as they are read and written here.
const oldestOpset = 7

// CheckOpset returns an error if the model uses a version of ONNX's operators before 7, whose weights are not rewritten.
func CheckOpset(m *onnxgraph.Model) error {
	if opset := m.Opset(""); opset < oldestOpset {
		return fmt.Errorf("operator set %d is older than %d: raise it with ONNX's version converter, or export the model again", opset, oldestOpset)
	}
	return nil
}

// ChannelMap is what a batch normalization does to each channel c in inference: y = Scale[c]·x + Shift[c].
type ChannelMap struct {
	Scale, Shift []float64 // one number for each channel
}

// ReadNorm reads a BatchNormalization node as used for inference,
//
//	scale = gamma / √(var + epsilon), shift = beta - mean · scale,
//
// or returns a reason why it does not do the same to each number of a channel, or why its constants cannot be read. The reason is
// "" if the map is known.
func ReadNorm(n *onnxgraph.Node) (a ChannelMap, reason string) {
	switch names := References(n); {
	case names != nil:
		return ChannelMap{}, fmt.Sprintf("its %s is %s", strings.Join(names, ", "), GivenByCallers(n.Graph()))
	case n.HasBody() || n.Output(0) == nil:
		return ChannelMap{}, "malformed: it holds a graph, or has no output"
	case n.Int("training_mode", 0) != 0:
		return ChannelMap{}, "it is in training mode"
	case len(n.Outputs()) > 1:
		return ChannelMap{}, "it puts out statistics, so it is in training mode"
	case n.Int("spatial", 1) == 0:
		return ChannelMap{}, "it normalizes every position by itself (spatial = 0)"
	case n.Graph().Model().Opset("") < oldestOpset && n.Int("is_test", 0) == 0:
		return ChannelMap{}, "it is in training mode (is_test = 0)"
	}
	var p [4][]float64 // gamma, beta, mean, variance
	for i := range p {
		var reason string
		if p[i], reason = Numbers(n.Input(i + 1)); reason != "" {
			return ChannelMap{}, fmt.Sprintf("its input %d %s", i+1, reason)
		}
		if len(p[i]) != len(p[0]) {
			return ChannelMap{}, fmt.Sprintf("malformed: its input %d has %d numbers, input 1 has %d", i+1, len(p[i]), len(p[0]))
		}
	}
	a = ChannelMap{p[0], p[1]}
	epsilon := float64(n.Float("epsilon", 1e-5))
	for c := range a.Scale {
		if !(p[3][c]+epsilon > 0) {
			return ChannelMap{}, fmt.Sprintf("its variance %.4g of channel %d, with epsilon %.4g, is not above 0, so that it computes NaN or infinity", p[3][c], c, epsilon)
		}
		a.Scale[c] /= math.Sqrt(p[3][c] + epsilon)
		a.Shift[c] -= p[2][c] * a.Scale[c]
	}
	return a, ""
}

// HasShift reports whether the shift of any channel is not 0.
func (a ChannelMap) HasShift() bool {
	for _, s := range a.Shift {
		if s != 0 {
			return true
		}
	}
	return false
}

// normEpsilon is the epsilon of batch normalizations that AddNorm adds, PyTorch's default.
const normEpsilon = 1e-5

// AddNorm adds a batch normalization of v to a graph, with epsilon 1e-5, momentum 0.9 (0.1 in PyTorch's terms), and parameters
// that NormParameters made.
func AddNorm(g *onnxgraph.Graph, v *onnxgraph.Value, parameters []*onnxgraph.Value) *onnxgraph.Node {
	return g.AddNode("BatchNormalization", append([]*onnxgraph.Value{v}, parameters...), onnxgraph.Float("epsilon", normEpsilon), onnxgraph.Float("momentum", 0.9))
}

// NormParameters adds the constants of a batch normalization to a graph and returns them in the order of its inputs: scale,
// shift, running mean and running variance. They are named name.scale, name.shift, name.mean and name.var, and have one number
// for each channel: √(1 + 1e-5), 0, 0 and 1. With them and the epsilon of AddNorm, 1e-5, the normalization changes nothing at
// first.
func NormParameters(owner *onnxgraph.Graph, name string, dtype onnxgraph.DType, channels int) []*onnxgraph.Value {
	var list []*onnxgraph.Value
	for _, p := range []struct {
		name string
		fill float64
	}{{"scale", math.Sqrt(1 + normEpsilon)}, {"shift", 0}, {"mean", 0}, {"var", 1}} {
		t := Floats(dtype, Int64s(channels), slices.Repeat([]float64{p.fill}, channels))
		list = append(list, owner.AddConstant(name+"."+p.name, t))
	}
	return list
}
