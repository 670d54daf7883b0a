package specialize

import (
	"cmp"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Peak estimates the most memory, in bytes, that the values of a model's main graph take at the same time when ONNX Runtime runs
// it. Inputs, constants and outputs do not count. Every input must have a static shape. Values whose shape depends on the data
// count as 0. Call ort.Init first.
func Peak(m *onnxgraph.Model) (int64, error) {
	if err := Declare(m); err != nil {
		return 0, err
	}
	order := executionOrder(m.Graph)
	p := places{of: map[*onnxgraph.Value]*onnxgraph.Value{}, reads: map[*onnxgraph.Value]int{}}
	for _, n := range order {
		for _, v := range n.Reads() {
			p.reads[v]++
		}
	}
	var held, peak int64
	for _, n := range order {
		p.share(n)
		for _, v := range n.Outputs() {
			if v != nil && p.place(v) == v {
				held += size(v)
			}
		}
		peak = max(peak, held)
		held -= p.free(n)
	}
	return peak, nil
}

// executionOrder returns the nodes in the order in which ONNX Runtime runs them: depth first from the nodes whose outputs
// nothing reads, and of several nodes the latest in the list first. It keeps the peak low: gradients of weights come as
// soon as what they need is there.
func executionOrder(g *onnxgraph.Graph) []*onnxgraph.Node {
	listed := g.Sorted()
	position := map[*onnxgraph.Node]int{}
	for i, n := range listed {
		position[n] = i
	}
	var order []*onnxgraph.Node
	seen := map[*onnxgraph.Node]bool{}
	var visit func(*onnxgraph.Node)
	visit = func(n *onnxgraph.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		var before []*onnxgraph.Node
		for _, v := range n.Reads() {
			if p := v.Producer(); p != nil && p.Graph() == g {
				before = append(before, p)
			}
		}
		slices.SortFunc(before, func(a, b *onnxgraph.Node) int { return cmp.Compare(position[b], position[a]) })
		for _, p := range before {
			visit(p)
		}
		order = append(order, n)
	}
	for _, n := range slices.Backward(listed) {
		if !slices.ContainsFunc(n.Outputs(), func(v *onnxgraph.Value) bool { return v != nil && len(v.Uses()) > 0 }) {
			visit(n)
		}
	}
	return order
}

// places says which values lie in one place of memory, one after the other or as views of it.
type places struct {
	of    map[*onnxgraph.Value]*onnxgraph.Value // the value that a place was taken for, if it is not the value itself
	reads map[*onnxgraph.Value]int              // how often a value, or what lies in its place, will be read
}

// place returns the value that the place was taken for.
func (p places) place(v *onnxgraph.Value) *onnxgraph.Value {
	for p.of[v] != nil {
		v = p.of[v]
	}
	return v
}

// views are operators whose output is their first input in another shape, and inPlace some whose output may overwrite an
// input that nothing else reads.
var (
	views   = []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"}
	inPlace = []string{"Add", "Sub", "Mul", "Div", "Neg", "Sqrt", "Reciprocal", "Relu", "Clip", "HardSigmoid", "Sigmoid"}
)

// share gives the output of a node the place of an input, if the operator allows it.
func (p places) share(n *onnxgraph.Node) {
	y := n.Output(0)
	if n.Domain() != "" || y == nil || y.IsOutput() {
		return
	}
	for _, x := range n.Inputs() {
		if x == nil {
			continue
		}
		place := p.place(x)
		if slices.Contains(views, n.OpType()) || slices.Contains(inPlace, n.OpType()) && p.reads[place] == 1 && size(place) == size(y) && size(y) > 0 {
			p.of[y] = place
			p.reads[place] += p.reads[y]
			return
		}
	}
}

// free counts down what a node has read, and returns the bytes of the places that nothing reads any more.
func (p places) free(n *onnxgraph.Node) (bytes int64) {
	for _, v := range n.Reads() {
		if p.reads[p.place(v)]--; p.reads[p.place(v)] == 0 {
			bytes += size(p.place(v))
		}
	}
	for _, v := range n.Outputs() {
		if v != nil && p.reads[p.place(v)] == 0 && p.place(v) == v {
			bytes += size(v)
		}
	}
	return bytes
}

// size returns the bytes that the run of a model takes for a value, 0 if they are there before.
func size(v *onnxgraph.Value) int64 {
	shape, known := v.StaticShape()
	if !known || v.Producer() == nil || v.IsOutput() || v.Constant() != nil {
		return 0
	}
	return int64(v.DType().Bits()) * onnxgraph.ElementCount(shape) / 8
}
