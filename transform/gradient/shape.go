package gradient

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func reshapeRule(c *Call) value { return c.reshape(c.dy(), c.shape(c.x())...) }

// transposeRule applies the inverse permutation.
func transposeRule(c *Call) value {
	rank := c.rank(c.x())
	perm := c.Node.Ints("perm")
	if perm == nil { // reversed
		perm = sequence(0, rank)
		slices.Reverse(perm)
	}
	inverse := make([]int64, rank)
	for i, p := range perm {
		inverse[p] = int64(i)
	}
	return c.transpose(c.dy(), inverse...)
}

func expandRule(c *Call) value { return c.sumTo(c.dy(), c.shape(c.y()), c.shape(c.x())) }

// concatRule cuts the gradient into the pieces of the inputs.
func concatRule(c *Call) []value {
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

// splitRule joins the gradients of the outputs; an output that the loss does not need counts as zeros.
func splitRule(c *Call) value {
	axis := c.axis("axis", 0, c.rank(c.x()))
	var parts []value
	for i, y := range c.Node.Outputs() {
		d := c.incoming[i]
		if d == nil {
			shape, ok := y.StaticShape()
			if !ok {
				return nil
			}
			d = c.b.Fill(c.x().DType(), 0, shape...)
		}
		parts = append(parts, d)
	}
	return c.concat(axis, parts...)
}

// sliceRule puts the gradient back in its place among zeros.
func sliceRule(c *Call) value {
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
		if step < 0 { // read backwards: turn round, and start at the last element read
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
func (c *Call) spread(v value, shape []int64, axis, step int64) value {
	outer, inner := shape[:axis], shape[axis+1:]
	n := shape[axis]
	columns := c.reshape(v, append(append(slices.Clone(outer), n, 1), inner...)...)
	after := repeat(0, len(shape)+1)
	after[axis+1] = step - 1
	columns = c.pad(columns, repeat(0, len(shape)+1), after)
	joined := c.reshape(columns, append(append(slices.Clone(outer), n*step), inner...)...)
	return c.slice(joined, []int64{axis}, []int64{0}, []int64{(n-1)*step + 1}, []int64{1})
}

// gatherRule adds each slice of the gradient to the place that it was read from: repeated indices add up.
func gatherRule(c *Call) value {
	x := c.shape(c.x())
	axis := c.axis("axis", 0, len(x))
	n := count(c.shape(c.in(1)))
	perm := append([]int64{axis}, slices.DeleteFunc(sequence(0, len(x)), func(a int64) bool { return a == axis })...)
	outer, inner := x[:axis], x[axis+1:]
	// bring dY to [n, rest…], rows of which are added to rows of a zero [axis, rest…]
	rows := c.reshape(c.dy(), append(append(slices.Clone(outer), n), inner...)...)
	rows = c.transpose(rows, perm...)
	moved := []int64{x[axis]}
	for _, a := range perm[1:] {
		moved = append(moved, x[a])
	}
	zeros := c.op("ConstantOfShape", []value{c.b.Ints(moved...)}, onnxgraph.TensorAttr("value", zero(c.dtype())))
	sum := c.op("ScatterND", []value{zeros, c.reshape(c.in(1), n, 1), rows}, onnxgraph.Str("reduction", "add"))
	inverse := make([]int64, len(perm))
	for i, p := range perm {
		inverse[p] = int64(i)
	}
	return c.transpose(sum, inverse...)
}

func padOnly(c *Call) string {
	if mode := c.Node.Str("mode", "constant"); mode != "constant" {
		return "Pad in mode " + mode + " has no rule; constant padding has"
	}
	return ""
}

// padRule removes what was padded, and puts zeros where elements were cropped.
func padRule(c *Call) value {
	rank := c.rank(c.x())
	pads, _ := c.ints(1)
	axes, ok := c.ints(3)
	if !ok {
		axes = sequence(0, rank)
	}
	before, after := repeat(0, rank), repeat(0, rank)
	for k, axis := range axes {
		if axis < 0 {
			axis += int64(rank)
		}
		before[axis], after[axis] = -pads[k], -pads[len(axes)+k]
	}
	return c.pad(c.dy(), before, after)
}

func reduceSumRule(c *Call) value { return c.spreadReduced(c.dy()) }

func reduceMeanRule(c *Call) value {
	return c.spreadReduced(c.scale(c.dy(), float64(count(c.shape(c.y())))/float64(count(c.shape(c.x())))))
}

// spreadReduced repeats the gradient of a reduction along the axes that it summed.
func (c *Call) spreadReduced(d value) value {
	shape := slices.Clone(c.shape(c.x()))
	if c.in(1) == nil && c.Node.Int("noop_with_empty_axes", 0) != 0 {
		return d
	}
	kept := slices.Clone(shape)
	for _, a := range c.axesOf(1) {
		kept[a] = 1
	}
	return c.expand(c.reshape(d, kept...), shape...)
}
