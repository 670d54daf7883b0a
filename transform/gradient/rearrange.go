package gradient

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// depthToSpaceRule: an input channel is made of the output channel and a position in the block; the output channel comes first
// (CRD) or last (DCR).
func depthToSpaceRule(c *call) value {
	size := onnxgraph.Int("blocksize", c.Node.Int("blocksize", 1))
	if c.Node.Str("mode", "DCR") == "DCR" {
		return c.unary("SpaceToDepth", c.dy(), size)
	}
	x, b := c.shape(c.x()), c.Node.Int("blocksize", 1)
	split := []int64{x[0], x[1] / (b * b), x[2], b, x[3], b}
	return c.reshape(c.transpose(c.reshape(c.dy(), split...), split, 0, 1, 3, 5, 2, 4), x...)
}

func spaceToDepthRule(c *call) value {
	return c.unary("DepthToSpace", c.dy(), onnxgraph.Int("blocksize", c.Node.Int("blocksize", 1)), onnxgraph.Str("mode", "DCR"))
}

// tileRule adds up the copies.
func tileRule(c *call) value {
	repeats, _ := c.ints(1)
	var split, axes []int64
	for i, d := range c.shape(c.x()) {
		axes = append(axes, int64(2*i))
		split = append(split, repeats[i], d)
	}
	return c.sum(c.reshape(c.dy(), split...), false, axes...)
}

// padRule removes the padding, and puts zeros where elements were cropped. In modes other than constant, the padding consists of
// copies of elements, and its gradients are added to those elements.
func padRule(c *call) value {
	x := c.shape(c.x())
	pads, _ := c.ints(1)
	axes, ok := c.ints(3)
	if !ok {
		axes = sequence(0, len(x))
	}
	axes = c.fromZero(axes, len(x))
	mode := c.Node.Str("mode", "constant")
	before, after := repeat(0, len(x)), repeat(0, len(x))
	d, shape := c.dy(), slices.Clone(c.shape(c.y()))
	for k, axis := range axes {
		first, last := pads[k], pads[len(axes)+k]
		if source := paddings[mode]; source != nil {
			if first != 0 || last != 0 {
				d = c.along(d, shape, axis, copies(first, x[axis], shape[axis], source))
				shape[axis] = x[axis]
			}
			continue
		}
		before[axis], after[axis] = -first, -last
	}
	return c.pad(d, before, after)
}

// paddings says, for each mode, which of n elements the padding at position i is a copy of; i is negative, or at least n.
var paddings = map[string]func(i, n int64) int64{
	"edge": func(i, n int64) int64 { return min(max(i, 0), n-1) },
	"reflect": func(i, n int64) int64 {
		if n == 1 {
			return 0
		}
		i = modulo(i, 2*(n-1))
		return min(i, 2*(n-1)-i)
	},
	"wrap": modulo,
}

func modulo(i, n int64) int64 { return (i%n + n) % n }

// copies returns a matrix: row i has a 1 at the input element that output i is a copy of. The output starts the given number of
// positions before the input.
func copies(before, in, out int64, source func(i, n int64) int64) matrix {
	m := newMatrix(out, in)
	for i := range out {
		m.add(i, source(i-before, in), 1)
	}
	return m
}
