package specialize

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// inlineBranches puts the branch that it takes in the place of every If whose condition is constant, as exporters
// leave one behind for a Squeeze of an axis whose size they do not know. It reports whether there was one.
func inlineBranches(g *onnxgraph.Graph) bool {
	inlined := false
	for _, n := range g.Nodes() {
		if branch := taken(n); branch != nil {
			inline(n, branch)
			inlined = true
		}
	}
	return inlined
}

// taken returns the branch that an If takes, nil if it is not known, or cannot be moved.
func taken(n *onnxgraph.Node) *onnxgraph.Graph {
	if !n.Is("If") || n.Input(0) == nil || n.Input(0).Constant() == nil {
		return nil
	}
	condition, err := n.Input(0).Constant().Int64s()
	if err != nil || len(condition) != 1 {
		return nil
	}
	name := "else_branch"
	if condition[0] != 0 {
		name = "then_branch"
	}
	for _, a := range n.Attributes() {
		if a.Name() == name && len(a.Graphs()) == 1 && isMovable(a.Graphs()[0]) {
			return a.Graphs()[0]
		}
	}
	return nil
}

func isMovable(branch *onnxgraph.Graph) bool {
	sparse := func(v *onnxgraph.Value) bool { return v.Constant() == nil }
	return !slices.ContainsFunc(branch.Nodes(), (*onnxgraph.Node).HasBody) && !slices.ContainsFunc(branch.Initializers(), sparse)
}

// inline replaces an If by copies of a branch's nodes.
func inline(n *onnxgraph.Node, branch *onnxgraph.Graph) {
	g := n.Graph()
	copies := map[*onnxgraph.Value]*onnxgraph.Value{}
	copied := func(v *onnxgraph.Value) *onnxgraph.Value {
		if c := copies[v]; c != nil {
			return c
		}
		return v // absent, or from outside the branch
	}
	for _, v := range branch.Initializers() {
		copies[v] = g.AddConstant(v.Name(), v.Constant())
	}
	for _, inner := range branch.Sorted() {
		var inputs []*onnxgraph.Value
		for _, v := range inner.Inputs() {
			inputs = append(inputs, copied(v))
		}
		c := g.AddNodeOf(inner.Domain(), inner.OpType(), inputs, len(inner.Outputs()), inner.Attributes()...)
		for i := len(inner.Outputs()) - 1; i >= 0; i-- {
			if v := inner.Output(i); v != nil {
				copies[v] = c.Output(i)
			} else {
				c.RemoveOutput(i)
			}
		}
	}
	for i, v := range branch.Outputs() {
		if n.Output(i) != nil {
			g.AddNode("Identity", []*onnxgraph.Value{copied(v)}).SwapOutput(0, n, i)
		}
	}
	g.Remove(n)
}
