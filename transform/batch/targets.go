package batch

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// target is an operator's input that can name the batch size in a constant, as the first of the sizes that the output is to
// have.
type target struct {
	input int
	// open gives the node sizes with an open batch size in place of the first one.
	open func(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value
}

var targets = map[string]target{
	"Reshape": {1, openReshape},
	"Expand":  {1, openExpand},
	"Resize":  {3, openResize},
}

// followTargets changes the batch size that constants name, where data is brought to the sizes which they give.
func followTargets(g *onnxgraph.Graph, input *onnxgraph.Value, from, to onnxgraph.Dim) {
	if from.Size < 0 || from.Size == to.Size {
		return
	}
	data := map[*onnxgraph.Value]bool{input: true} // what depends on the input
	for _, n := range g.Sorted() {
		if !slices.ContainsFunc(n.Inputs(), func(v *onnxgraph.Value) bool { return data[v] }) {
			continue
		}
		for _, v := range n.Outputs() {
			data[v] = true
		}
		t, ok := targets[n.OpType()]
		if !ok || n.Domain() != "" || !data[n.Input(0)] {
			continue
		}
		v := n.Input(t.input)
		if v == nil || v.Constant() == nil {
			continue
		}
		sizes, err := v.Constant().Int64s()
		if err != nil || len(sizes) == 0 || sizes[0] != from.Size {
			continue
		}
		if n.Is("Resize") && len(n.Ints("axes")) > 0 {
			continue // the sizes are of these axes
		}
		if to.Size < 0 {
			n.SetInput(t.input, t.open(g, n, sizes))
			continue
		}
		sizes[0] = to.Size
		n.SetInput(t.input, addSizes(g, n, sizes))
	}
}

func addSizes(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value {
	return g.AddConstant(n.Name()+"_shape", onnxgraph.NewTensor([]int64{int64(len(sizes))}, sizes))
}

// openReshape leaves the first size to what the others leave over, or takes that of the data if another one is left over
// already.
func openReshape(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value {
	if slices.Contains(sizes[1:], -1) {
		sizes[0] = 0
		n.RemoveAttr("allowzero") // with which 0 would be a size; beside -1 there is none
	} else {
		sizes[0] = -1
	}
	return addSizes(g, n, sizes)
}

// openExpand asks for 1, which stretches to what the data has.
func openExpand(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value {
	sizes[0] = 1
	return addSizes(g, n, sizes)
}

// openResize computes the sizes from the data's: Resize has no size that stands for the data's own.
func openResize(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value {
	shape := g.AddNode("Shape", []*onnxgraph.Value{n.Input(0)})
	zero := g.AddConstant(n.Name()+"_first", onnxgraph.NewTensor([]int64{1}, []int64{0}))
	first := g.AddNode("Gather", []*onnxgraph.Value{shape.Output(0), zero})
	all := g.AddNode("Concat", []*onnxgraph.Value{first.Output(0), addSizes(g, n, sizes[1:])}, onnxgraph.Int("axis", 0))
	g.Insert(n, shape, first, all)
	return all.Output(0)
}
