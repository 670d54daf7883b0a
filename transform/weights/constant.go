package weights

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Resolve returns the tensor t that nodes which read v get, if v is a constant or if nodes compute it from one and only rearrange
// or cast it: Identity, Cast, Transpose, Reshape, Flatten, Squeeze, Unsqueeze or ConstantOfShape. root is that constant: a new
// constant in its place goes into the same graph and gets its name. (For ConstantOfShape, root is the node's output.) A sparse
// constant counts, and t is then dense. If there is no such tensor, root and t are nil, and the reason says what v is, and what
// the user can do. v may be nil: "is absent".
func Resolve(v *onnxgraph.Value) (root *onnxgraph.Value, t *onnxgraph.Tensor, reason string) {
	if v == nil {
		return nil, nil, "is absent"
	}
	if t := v.Constant(); t != nil {
		return v, t, ""
	}
	n := v.Producer()
	if n == nil || n.Is("Constant") {
		return resolveSource(v)
	}
	rearrange, known := rearrangements[n.OpType()]
	if !known || n.Domain() != "" || n.HasBody() {
		return nil, nil, reasonComputed(v)
	}
	if names := References(n); names != nil {
		return nil, nil, fmt.Sprintf("%q depends on %v, %s", v.Name(), names, GivenByCallers(n.Graph()))
	}
	inputs := make([]*onnxgraph.Tensor, len(n.Inputs()))
	for i, input := range n.Inputs() {
		from, t, reason := Resolve(input)
		if reason != "" {
			return nil, nil, reason
		}
		inputs[i] = t
		if i == 0 {
			root = from
		}
	}
	if n.Is("ConstantOfShape") {
		root = v // the constant behind it is only a shape
	}
	t, err := rearrange(n, inputs)
	if err != nil {
		return nil, nil, fmt.Sprintf("%q cannot be computed from constants: %s: %v", v.Name(), n, err)
	}
	return root, t, ""
}

// resolveSource resolves a value that no node computes from others, and that is not a dense constant.
func resolveSource(v *onnxgraph.Value) (root *onnxgraph.Value, t *onnxgraph.Tensor, reason string) {
	t, err := v.Densified()
	switch g := v.Graph(); {
	case err != nil:
		return nil, nil, fmt.Sprintf("%q: %v", v.Name(), err)
	case t != nil:
		return v, t, ""
	case !v.IsInput():
		return nil, nil, fmt.Sprintf("%q holds no numbers, or is a parameter, %s", v.Name(), GivenByCallers(g))
	case g.Owner() != nil:
		return nil, nil, fmt.Sprintf("%q is an input of the body of %s, with a different value in each run: filters must be fixed numbers", v.Name(), g.Owner())
	case g != g.Model().Graph:
		return nil, nil, fmt.Sprintf("%q is an input, %s", v.Name(), GivenByCallers(g))
	}
	return nil, nil, fmt.Sprintf("%q is a graph input without data: store it in the model as an initializer", v.Name())
}

// GivenByCallers returns the words "given by those who call function …", and what the user can do. They are the end of a reason
// why a value in that function is not known.
func GivenByCallers(function *onnxgraph.Graph) string {
	return fmt.Sprintf("given by those who call function %q: inline the model's functions first (onnx.inliner does)", function.Name())
}

// References returns the names of the node's attributes that refer to parameters of the function it is in, nil if there are none.
func References(n *onnxgraph.Node) []string {
	var names []string
	for _, a := range n.Attributes() {
		if a.IsReference() {
			names = append(names, a.Name())
		}
	}
	return names
}

// reasonComputed says how v is computed, and what to do about it.
func reasonComputed(v *onnxgraph.Value) string {
	n := v.Producer()
	seen := map[*onnxgraph.Value]bool{}
	switch {
	case n.Is("DequantizeLinear"):
		return fmt.Sprintf("%q is quantized (%s): %s", v.Name(), n, bringFloats)
	case followsFromConstants(v, seen):
		return fmt.Sprintf("%q is computed by %s from constants: export the model with constant folding, if the computation need not train", v.Name(), n)
	}
	if len(seen) > mostFollowed {
		return fmt.Sprintf("%q is computed by %s from the model's inputs, or by more than %d nodes: filters must be fixed numbers", v.Name(), n, mostFollowed)
	}
	return fmt.Sprintf("%q is computed by %s from the model's inputs: filters must be fixed numbers", v.Name(), n)
}

// mostFollowed is how many values are looked at to tell where one comes from. Without a limit, this would go up to the model's
// inputs from each node.
const mostFollowed = 100

// followsFromConstants reports whether v depends on constants only; seen holds what was asked before. It gives up, and reports
// false, once that is more than mostFollowed.
func followsFromConstants(v *onnxgraph.Value, seen map[*onnxgraph.Value]bool) bool {
	if v == nil || v.Constant() != nil {
		return true
	}
	if known, ok := seen[v]; ok {
		return known
	}
	n := v.Producer()
	seen[v] = false
	follows := n != nil && len(n.Inputs()) > 0 && !n.HasBody() && len(seen) <= mostFollowed
	for i := 0; follows && i < len(n.Inputs()); i++ {
		follows = followsFromConstants(n.Input(i), seen)
	}
	seen[v] = follows
	return follows
}

// Numbers returns the elements of the tensor that Resolve finds for v. If there is none, or it cannot be read, data is nil, and
// the reason says why.
func Numbers(v *onnxgraph.Value) (data []float64, reason string) {
	_, t, reason := Resolve(v)
	if reason != "" {
		return nil, reason
	}
	data, err := t.Float64s()
	if err != nil {
		return nil, err.Error()
	}
	return data, ""
}

// Floats returns a tensor of a floating-point type with the given dims and data, each number rounded once. It panics if the type
// is not floating-point, or if the dims do not match the data: that is a mistake in the calling code.
func Floats(dtype onnxgraph.DType, dims []int64, data []float64) *onnxgraph.Tensor {
	t, err := onnxgraph.FromFloat64s(dtype, dims, data)
	if err != nil {
		panic("transform: " + err.Error())
	}
	return t
}

// SetInput makes input i of n a constant with the tensor t. If n is the only reader of a constant with the same dims there, that
// constant gets the new data. Otherwise n gets a constant of its own, and other nodes keep the old one. The new constant goes
// into the graph of the old one and gets its name, or that name with a number if it is still taken. If there was none, as for a
// new bias, it is named hint and goes into the graph of the constant that n has as input 1, the weight, so that nodes which share
// the weight can share the bias, too; or else into n's graph.
func SetInput(n *onnxgraph.Node, i int, t *onnxgraph.Tensor, hint string) {
	old := n.Input(i)
	if old != nil && old.Constant() != nil && slices.Equal(old.Constant().Dims(), t.Dims()) && len(old.Uses()) == 1 && !old.IsOutput() {
		old.SetConstant(t)
		return
	}
	owner := n.Graph()
	if root, _, reason := Resolve(old); reason == "" {
		owner, hint, t = root.Graph(), root.Name(), t.DescribedAs(root.Constant())
	} else if root, _, reason := Resolve(n.Input(1)); reason == "" {
		owner = root.Graph()
	}
	n.SetInput(i, owner.AddConstant(hint, t))
	onnxgraph.RemoveUnused(old)
}

// Hash returns the SHA-256 of a tensor's little-endian bytes in hexadecimal digits.
func Hash(t *onnxgraph.Tensor) (string, error) {
	sum, err := t.SHA256()
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(sum[:]), nil
}

// Constants returns the graph's initializers, and the outputs of its Constant nodes.
func Constants(g *onnxgraph.Graph) []*onnxgraph.Value {
	list := append([]*onnxgraph.Value(nil), g.Initializers()...)
	for _, n := range g.Nodes() {
		if v := n.Output(0); n.Is("Constant") && v != nil {
			list = append(list, v)
		}
	}
	return list
}
