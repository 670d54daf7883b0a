package batch

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// target is an input of an operator that gives the sizes of the output. A constant there can contain the batch size as its first
// element.
type target struct {
	input int
	// open returns sizes for the node in which the first one is an open batch size.
	open func(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value
}

var targets = map[string]target{
	"Reshape": {1, openReshape},
	"Expand":  {1, openExpand},
	"Resize":  {3, openResize},
}

// followTargets changes the batch size in constants that give the sizes of data.
func followTargets(g *onnxgraph.Graph, input *onnxgraph.Value, from, to onnxgraph.Dim) {
	if from.Size < 0 || from.Size == to.Size {
		return
	}
	data := g.Dependents([]*onnxgraph.Value{input}, nil)
	for _, n := range g.Nodes() {
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
			continue // the sizes are only those of these axes
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

// openReshape makes the first size -1, which Reshape infers, or 0, which means the data's own size, if another size is already
// -1.
func openReshape(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value {
	if slices.Contains(sizes[1:], -1) {
		sizes[0] = 0
		n.RemoveAttr("allowzero") // with it, 0 would be a real size; beside -1 there is no 0
	} else {
		sizes[0] = -1
	}
	return addSizes(g, n, sizes)
}

// openExpand makes the first size 1, which broadcasts to the data's size.
func openExpand(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value {
	sizes[0] = 1
	return addSizes(g, n, sizes)
}

// openResize computes the first size from the data, because Resize has no number that means the data's own size.
func openResize(g *onnxgraph.Graph, n *onnxgraph.Node, sizes []int64) *onnxgraph.Value {
	shape := g.AddNode("Shape", []*onnxgraph.Value{n.Input(0)})
	zero := g.AddConstant(n.Name()+"_first", onnxgraph.NewTensor([]int64{1}, []int64{0}))
	first := g.AddNode("Gather", []*onnxgraph.Value{shape.Output(0), zero})
	all := g.AddNode("Concat", []*onnxgraph.Value{first.Output(0), addSizes(g, n, sizes[1:])}, onnxgraph.Int("axis", 0))
	g.Insert(n, shape, first, all)
	return all.Output(0)
}
