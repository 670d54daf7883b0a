package gradient

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func reshapeRule(c *call) value { return c.reshape(c.dy(), c.shape(c.x())...) }

// transposeRule applies the inverse permutation.
func transposeRule(c *call) value {
	perm := c.Node.Ints("perm")
	if perm == nil { // reversed
		perm = sequence(0, c.rank(c.x()))
		slices.Reverse(perm)
	}
	return c.transpose(c.dy(), c.shape(c.y()), inverse(perm)...)
}

func expandRule(c *call) value { return c.sumTo(c.dy(), c.shape(c.y()), c.shape(c.x())) }

// concatRule splits the gradient into those of the inputs.
func concatRule(c *call) []value {
	axis := c.axis("axis", 0, c.rank(c.y()))
	var sizes []int64
	for _, x := range c.Node.Inputs() {
		sizes = append(sizes, c.shape(x)[axis])
	}
	if len(sizes) == 1 {
		return []value{c.dy()}
	}
	return c.b.Ops("Split", len(sizes), []value{c.dy(), c.b.Ints(sizes...)}, onnxgraph.Int("axis", axis))
}

// splitRule concatenates the gradients of the outputs; an output that the loss does not depend on has the gradient 0.
func splitRule(c *call) value {
	axis := c.axis("axis", 0, c.rank(c.x()))
	var parts []value
	for i, y := range c.Node.Outputs() {
		d := c.incoming[i]
		if d == nil {
			d = c.zeros(c.shape(y)...)
		}
		parts = append(parts, d)
	}
	return c.concat(axis, parts...)
}

// sliceRule puts the gradient back in its place among zeros.
func sliceRule(c *call) value {
	x := c.shape(c.x())
	rank := len(x)
	starts, _ := c.ints(1)
	axes, ok := c.ints(3)
	if !ok {
		axes = sequence(0, len(starts))
	}
	steps, ok := c.ints(4)
	if !ok {
		steps = repeat(1, len(starts))
	}
	before, after := repeat(0, rank), repeat(0, rank)
	d := c.dy()
	out := slices.Clone(c.shape(c.y()))
	for k, axis := range axes {
		if axis < 0 {
			axis += int64(rank)
		}
		start, step, n := starts[k], steps[k], out[axis]
		if start < 0 {
			start += x[axis]
		}
		start = min(max(start, 0), x[axis]-1)
		if n == 0 {
			continue
		}
		if step < 0 { // the slice was read backwards: reverse it, and start at the last element read
			d = c.slice(d, []int64{axis}, []int64{-1}, []int64{smallestInt}, []int64{-1})
			start, step = start+step*(n-1), -step
		}
		if step > 1 {
			d = c.spread(d, out, axis, step)
			out[axis] = (n-1)*step + 1
		}
		before[axis], after[axis] = start, x[axis]-start-out[axis]
	}
	return c.pad(d, before, after)
}

// spread puts step-1 zeros between the elements of v, of the given shape, along an axis.
func (c *call) spread(v value, shape []int64, axis, step int64) value {
	outer, inner := shape[:axis], shape[axis+1:]
	n := shape[axis]
	columns := c.reshape(v, append(append(slices.Clone(outer), n, 1), inner...)...)
	after := repeat(0, len(shape)+1)
	after[axis+1] = step - 1
	columns = c.pad(columns, repeat(0, len(shape)+1), after)
	joined := c.reshape(columns, append(append(slices.Clone(outer), n*step), inner...)...)
	return c.slice(joined, []int64{axis}, []int64{0}, []int64{(n-1)*step + 1}, []int64{1})
}
