package gradient

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

var addUp = onnxgraph.Str("reduction", "add")

// gatherRule adds each slice of the gradient to the slice that was read; repeated indices add up.
func gatherRule(c *call) value {
	x := c.shape(c.x())
	axis := c.axis("axis", 0, len(x))
	n := onnxgraph.ElementCount(c.shape(c.in(1)))
	perm := append([]int64{axis}, slices.DeleteFunc(sequence(0, len(x)), func(a int64) bool { return a == axis })...)
	outer, inner := x[:axis], x[axis+1:]
	// reshape dY to [n, rest…], and add its rows to the rows of a zero [axis, rest…]
	split := append(append(slices.Clone(outer), n), inner...)
	rows := c.transpose(c.reshape(c.dy(), split...), split, perm...)
	moved := []int64{x[axis]}
	for _, a := range perm[1:] {
		moved = append(moved, x[a])
	}
	sum := c.op("ScatterND", []value{c.zeros(moved...), c.reshape(c.in(1), n, 1), rows}, addUp)
	return c.transpose(sum, moved, inverse(perm)...)
}

// inverse returns the permutation that undoes perm.
func inverse(perm []int64) []int64 {
	undo := make([]int64, len(perm))
	for i, p := range perm {
		undo[p] = int64(i)
	}
	return undo
}

// gatherElementsRule adds each element of the gradient to the element that was read.
func gatherElementsRule(c *call) value {
	return c.scatterElements(c.zeros(c.shape(c.x())...), c.in(1), c.dy(), c.axis("axis", 0, c.rank(c.x())), addUp)
}

func (c *call) scatterElements(data, indices, updates value, axis int64, attrs ...onnxgraph.Attribute) value {
	return c.op("ScatterElements", []value{data, indices, updates}, append(attrs, onnxgraph.Int("axis", axis))...)
}

// topKRule adds each element of the gradient to the element that TopK selected.
func topKRule(c *call) value {
	axis := c.axis("axis", -1, c.rank(c.x()))
	return c.scatterElements(c.zeros(c.shape(c.x())...), c.Node.NeedOutput(1), c.dy(), axis)
}

func gatherNDRule(c *call) value {
	return c.op("ScatterND", []value{c.zeros(c.shape(c.x())...), c.in(1), c.dy()}, addUp)
}

func gatherNDOnly(c *call) string {
	if n := c.Node.Int("batch_dims", 0); n != 0 {
		return fmt.Sprintf("batch_dims=%d has no rule, 0 has", n)
	}
	return ""
}

// scatterElementsRule: an element that is replaced has no gradient; with an addition, it keeps its gradient. Without an addition,
// the result of repeated indices is undefined.
func scatterElementsRule(c *call) []value {
	axis := c.axis("axis", 0, c.rank(c.x()))
	data := c.dy()
	if !c.addsUp() {
		data = c.scatterElements(c.dy(), c.in(1), c.zeros(c.shape(c.in(2))...), axis)
	}
	return []value{data, nil, c.op("GatherElements", []value{c.dy(), c.in(1)}, onnxgraph.Int("axis", axis))}
}

// scatterNDRule is like scatterElementsRule, with GatherND in place of GatherElements.
func scatterNDRule(c *call) []value {
	data := c.dy()
	if !c.addsUp() {
		data = c.op("ScatterND", []value{c.dy(), c.in(1), c.zeros(c.shape(c.in(2))...)})
	}
	return []value{data, nil, c.op("GatherND", []value{c.dy(), c.in(1)})}
}

func (c *call) addsUp() bool { return c.Node.Str("reduction", "none") == "add" }

func scatterOnly(c *call) string {
	if r := c.Node.Str("reduction", "none"); r != "none" && r != "add" {
		return "reduction=" + r + " has no rule, none and add have"
	}
	return ""
}
