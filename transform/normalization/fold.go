package normalization

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Fold folds every batch normalization that directly follows a Conv, ConvTranspose or Gemm into the weight W and the bias b of
// that node: W' = scale·W and b' = scale·b + shift along the output's channels, where y = scale·x + shift is what the
// normalization does in inference. A node without a bias gets one. Fold skips normalizations in training mode, those whose input
// is also used elsewhere, and those directly behind the bank of a frozen block, which transform.Merge handles.
//
// Fold returns one row per BatchNormalization node. Nodes that share a weight still share it afterwards if the same is folded
// into all of them; otherwise each gets its own weight, and the row says so. An error means that the model differs from its
// records of blocks.
func Fold(m *onnxgraph.Model) ([]transform.Outcome, error) {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return nil, fmt.Errorf("folding batch normalizations: %w", err)
	}
	banks := map[*onnxgraph.Node]bool{}
	for _, b := range blocks {
		banks[b.BankConv] = true
	}
	var outcomes []transform.Outcome
	var done []folding
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if !n.Is("BatchNormalization") {
				continue
			}
			outcome := transform.OutcomeOf(n)
			f, reason := foldNorm(n, banks, done)
			if outcome.Status = transform.Folded; reason != "" {
				outcome.Skip(reason)
			} else {
				f.row = len(outcomes)
				done = append(done, f)
			}
			outcomes = append(outcomes, outcome)
		}
	}
	for _, f := range done {
		if names := f.parted(done); names != nil {
			outcomes[f.row].Reason = fmt.Sprintf("%s no longer shares its weight with %s, into which something else is folded, or nothing", f.node, strings.Join(names, ", "))
		}
	}
	return outcomes, nil
}

// foldable has the operators into which a normalization can be folded. For a node and the dims of its weight, a function returns
// the number of output channels, and a function that returns the channel to which element i of the weight belongs.
var foldable = map[string]func(n *onnxgraph.Node, dims []int) (channels int, of func(i int) int){
	"Conv": func(_ *onnxgraph.Node, dims []int) (int, func(int) int) { // out × in/groups × kernel
		return dims[0], func(i int) int { return i / weights.Product(dims[1:]) }
	},
	"ConvTranspose": func(n *onnxgraph.Node, dims []int) (int, func(int) int) { // in × out/groups × kernel
		groups := int(n.Int("group", 1))
		return dims[1] * groups, func(i int) int {
			in, out := i/weights.Product(dims[1:]), i/weights.Product(dims[2:])%dims[1]
			return in*groups/dims[0]*dims[1] + out
		}
	},
	"Gemm": func(n *onnxgraph.Node, dims []int) (int, func(int) int) { // in × out, or transposed
		if n.Int("transB", 0) != 0 {
			return dims[0], func(i int) int { return i / dims[1] }
		}
		return dims[1], func(i int) int { return i % dims[1] }
	},
}

// folding is a normalization that was folded into a node.
type folding struct {
	node         *onnxgraph.Node
	weight, bias weights.Source // what the node had before
	beta         float32        // the factor of a Gemm's bias
	norm         weights.ChannelMap
	row          int // number of its row in the result
}

// parted returns the nodes that shared the node's weight before, and do not any more.
func (f folding) parted(done []folding) []string {
	var names []string
	left := weights.ReadersOf(f.weight.Root)
	for _, other := range done {
		left = slices.DeleteFunc(left, func(n *onnxgraph.Node) bool { return n == other.node })
		if other.weight.Root == f.weight.Root && other.node.Input(1) != f.node.Input(1) {
			names = append(names, other.node.String())
		}
	}
	for _, n := range left {
		names = append(names, n.String())
	}
	return names
}

// isLike reports whether another folding results in the same weight and bias.
func (f folding) isLike(other folding) bool {
	layout := func(n *onnxgraph.Node) [3]any { return [...]any{n.OpType(), n.Int("group", 1), n.Int("transB", 0)} }
	return f.weight.Equals(other.weight) && f.bias.Equals(other.bias) && layout(f.node) == layout(other.node) &&
		f.beta == other.beta && slices.Equal(f.norm.Scale, other.norm.Scale) && slices.Equal(f.norm.Shift, other.norm.Shift)
}

// foldNorm folds one normalization, or returns the reason why that is not possible. If an equal folding is done already, the node
// gets the weight and bias of that one.
func foldNorm(norm *onnxgraph.Node, banks map[*onnxgraph.Node]bool, done []folding) (f folding, reason string) {
	x := norm.Input(0)
	if x == nil || x.Producer() == nil {
		return f, "nothing computes what it reads"
	}
	n := x.Producer()
	layout, known := foldable[n.OpType()]
	switch {
	case !known || n.Domain() != "":
		return f, fmt.Sprintf("it follows %s, which has no weight to fold it into", n)
	case banks[n]:
		return f, "it follows the bank of a frozen block, which is not merged"
	case weights.References(n) != nil:
		return f, fmt.Sprintf("it follows %s, whose %v are %s", n, weights.References(n), weights.GivenByCallers(n.Graph()))
	case len(x.Uses()) > 1 || x.IsOutput():
		return f, fmt.Sprintf("%q, which it reads, is used elsewhere too", x.Name())
	case n.Graph() != norm.Graph():
		return f, fmt.Sprintf("it follows %s of another graph", n)
	}
	if f.norm, reason = weights.ReadNorm(norm); reason != "" {
		return f, reason
	}
	f.node, f.beta = n, n.Float("beta", 1)
	f.weight = weights.SourceOf(n.Input(1))
	f.bias = weights.SourceOf(n.Input(2))
	if i := slices.IndexFunc(done, f.isLike); i >= 0 {
		old := []*onnxgraph.Value{n.Input(1), n.Input(2)}
		n.SetInput(1, done[i].node.Input(1))
		n.SetInput(2, done[i].node.Input(2))
		onnxgraph.RemoveUnused(old...)
	} else {
		weight, bias, reason := foldInto(n, f.norm, layout)
		if reason != "" {
			return f, fmt.Sprintf("it follows %s: %s", n, reason)
		}
		weights.SetInput(n, 1, weight, n.Label()+".weight")
		weights.SetInput(n, 2, bias, n.Label()+".bias")
	}
	if n.Is("Gemm") {
		n.RemoveAttr("beta") // it is part of the new bias
	}
	statistics := slices.Clone(norm.Inputs()[1:])
	norm.SetInput(0, nil)
	n.TakeOutput(0, norm)
	norm.Graph().Remove(norm)
	onnxgraph.RemoveUnused(statistics...)
	return f, ""
}

// foldInto returns the weight and the bias of n followed by the map a.
func foldInto(n *onnxgraph.Node, a weights.ChannelMap, layout func(*onnxgraph.Node, []int) (int, func(int) int)) (weight, bias *onnxgraph.Tensor, reason string) {
	_, t, reason := weights.Resolve(n.Input(1))
	if reason != "" {
		return nil, nil, "its weight " + reason
	}
	dims := weights.Ints(t.Dims())
	switch {
	case !t.DType().IsFloat():
		return nil, nil, fmt.Sprintf("its weight is of type %v, not floating-point", t.DType())
	case len(dims) < 2 || t.Len() < 1:
		return nil, nil, fmt.Sprintf("malformed: its weight has dims %v", dims)
	}
	channels, of := layout(n, dims)
	if channels != len(a.Scale) {
		return nil, nil, fmt.Sprintf("malformed: it has %d output channels, the normalization %d", channels, len(a.Scale))
	}
	b, reason := biasOf(n, channels)
	if reason != "" {
		return nil, nil, reason
	}
	for c := range b {
		b[c] = b[c]*a.Scale[c] + a.Shift[c]
	}
	bias = weights.Floats(t.DType(), weights.Int64s(channels), b)
	weight = onnxgraph.NewLazyTensor(t.DType(), t.Dims(), func() (*onnxgraph.Tensor, error) { // when the model is saved
		w, err := t.Float64s()
		if err != nil {
			return nil, err
		}
		for i := range w {
			w[i] *= a.Scale[of(i)]
		}
		return onnxgraph.FromFloat64s(t.DType(), t.Dims(), w)
	})
	return weight, bias, ""
}

// biasOf returns what n adds to each output channel. Only Gemm has a factor beta, and a bias that may be broadcast.
func biasOf(n *onnxgraph.Node, channels int) ([]float64, string) {
	bias := make([]float64, channels)
	if n.Input(2) == nil {
		return bias, ""
	}
	data, reason := weights.Numbers(n.Input(2))
	if reason != "" {
		return nil, "its bias " + reason
	}
	dims, _ := n.Input(2).Shape()
	if last := len(dims) - 1; len(data) != 1 && (len(data) != channels || dims != nil && int(dims[last].Size) != channels) {
		return nil, fmt.Sprintf("its bias is not one number for each of the %d channels", channels)
	}
	for c := range bias {
		bias[c] = float64(n.Float("beta", 1)) * data[c%len(data)]
	}
	return bias, ""
}
