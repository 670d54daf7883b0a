package gradient

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// reduction makes a rule from a function that returns dx for a reduction of x. The function gets dy and y with the reduced axes
// as dimensions of size 1, so that they broadcast with x. Its result is broadcast to x's shape.
func reduction(backward func(c *call, dy, y value) value) func(*call) value {
	return func(c *call) value {
		kept := slices.Clone(c.shape(c.x()))
		for _, a := range c.reducedAxes() {
			kept[a] = 1
		}
		return backward(c, c.as(c.dy(), c.shape(c.y()), kept), c.as(c.y(), c.shape(c.y()), kept))
	}
}

// reducedAxes returns the axes of a reduction, which are its second input, counted from the front. If there are no axes, the
// operator reduces each element alone.
func (c *call) reducedAxes() []int64 {
	rank := c.rank(c.x())
	axes, _ := c.ints(1)
	switch {
	case len(axes) > 0:
		return c.fromZero(axes, rank)
	case c.Node.Int("noop_with_empty_axes", 0) != 0:
		return nil
	}
	return sequence(0, rank)
}

func reduceSumRule(c *call, dy, _ value) value { return c.expand(dy, c.shape(c.x())...) }

func reduceMeanRule(c *call, dy, _ value) value {
	share := float64(onnxgraph.ElementCount(c.shape(c.y()))) / float64(onnxgraph.ElementCount(c.shape(c.x())))
	return c.expand(c.scale(dy, share), c.shape(c.x())...)
}

// reduceExtremumRule is for ReduceMax and ReduceMin: equal elements get equal shares, as in PyTorch's amax.
func reduceExtremumRule(c *call, dy, y value) value {
	hits := c.isTrue(c.compare("Equal", c.x(), y))
	return c.mul(hits, c.div(dy, c.sum(hits, true, c.reducedAxes()...)))
}

func reduceL1Rule(c *call, dy, _ value) value { return c.mul(dy, c.unary("Sign", c.x())) }

// reduceL2Rule: dx = dy·x/y, 0 where y is 0.
func reduceL2Rule(c *call, dy, y value) value { return c.mul(c.x(), c.div(dy, c.nonZero(y))) }

func reduceSumSquareRule(c *call, dy, _ value) value { return c.mul(c.scale(dy, 2), c.x()) }

// reduceLogSumRule: y = ln Σ x gives dx = dy/e^y.
func reduceLogSumRule(c *call, dy, y value) value {
	return c.expand(c.div(dy, c.unary("Exp", y)), c.shape(c.x())...)
}

// reduceLogSumExpRule: y = ln Σ e^x gives dx = dy·e^(x-y).
func reduceLogSumExpRule(c *call, dy, y value) value {
	return c.mul(dy, c.unary("Exp", c.sub(c.x(), y)))
}
