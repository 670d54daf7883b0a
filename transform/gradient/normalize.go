package gradient

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// moments emits the mean and biased variance of x over axes, which stay as dimensions of size 1; centered is x - mean. The
// variance is computed from the centered values, because E[x²] - E[x]² loses all digits if the mean is large.
func (c *call) moments(x value, axes ...int64) (centered, mean, variance value) {
	mean = c.average(x, axes...)
	centered = c.sub(x, mean)
	return centered, mean, c.average(c.square(centered), axes...)
}

// average emits the mean of v over axes, which stay as dimensions of size 1.
func (c *call) average(v value, axes ...int64) value {
	return c.op("ReduceMean", []value{v, c.b.Ints(axes...)}, onnxgraph.Int("keepdims", 1))
}

// inverseDeviation emits 1/sqrt(variance + epsilon).
func (c *call) inverseDeviation(variance value, epsilon float64) value {
	return c.unary("Reciprocal", c.unary("Sqrt", c.shift(variance, epsilon)))
}

// standardized is x̂ = (x - μ)·r, where μ is the mean and r = 1/σ the inverse deviation of x over axes.
type standardized struct {
	x, r value
	axes []int64
}

func (c *call) standardize(x value, epsilon float64, axes ...int64) standardized {
	centered, _, variance := c.moments(x, axes...)
	r := c.inverseDeviation(variance, epsilon)
	return standardized{c.mul(centered, r), r, axes}
}

// backward turns d, the gradient of x̂, into that of x (Ioffe & Szegedy 2015, section 3, derive it for the batch):
//
//	dx = r·(d - mean(d) - x̂·mean(d·x̂))
func (s standardized) backward(c *call, d value) value {
	slope := c.average(c.mul(d, s.x), s.axes...)
	return c.mul(s.r, c.sub(c.sub(d, c.average(d, s.axes...)), c.mul(s.x, slope)))
}

// layerNormRule: y = x̂·scale + shift, standardized over axis and all later axes.
func layerNormRule(c *call) []value {
	shape := c.shape(c.x())
	axis := c.axis("axis", -1, len(shape))
	s := c.standardize(c.x(), float64(c.Node.Float("epsilon", 1e-5)), sequence(axis, len(shape)-int(axis))...)
	d := []value{s.backward(c, c.mul(c.dy(), c.in(1))), c.sumTo(c.mul(c.dy(), s.x), shape, c.shape(c.in(1)))}
	if shift := c.in(2); shift != nil {
		d = append(d, c.sumTo(c.dy(), shape, c.shape(shift)))
	}
	return d
}

// groupNormRule is for GroupNormalization and, with one group per channel, for InstanceNormalization. Channels are standardized
// in groups, over the group and space. Scale and shift are one number per channel, or, in version 18 of the operator set, one per
// group.
func groupNormRule(c *call) []value {
	shape := c.shape(c.x())
	groups, n := c.Node.Int("num_groups", shape[1]), c.shape(c.in(1))[0]
	grouped := []int64{shape[0], groups, onnxgraph.ElementCount(shape[1:]) / groups}
	scaled := []int64{shape[0], n, onnxgraph.ElementCount(shape[1:]) / n}
	s := c.standardize(c.reshape(c.x(), grouped...), float64(c.Node.Float("epsilon", 1e-5)), 2)
	dy := c.reshape(c.dy(), scaled...)
	d := c.reshape(c.mul(dy, c.reshape(c.in(1), n, 1)), grouped...)
	return []value{
		c.reshape(s.backward(c, d), shape...),
		c.sum(c.mul(dy, c.reshape(s.x, scaled...)), false, 0, 2),
		c.sum(dy, false, 0, 2),
	}
}

// meanVarianceRule: y = (x - μ)/σ. The operator adds 1e-9 to σ, and the rule adds the smallest positive number to σ², so that
// both are finite if σ is 0.
func meanVarianceRule(c *call) value {
	axes := []int64{0, 2, 3}
	if c.Node.Has("axes") {
		axes = c.fromZero(c.Node.Ints("axes"), c.rank(c.x()))
	}
	return c.standardize(c.x(), 1e-18, axes...).backward(c, c.dy())
}

// lrnRule: y = x·s^-β with s = bias + α/size·Σ x² over a window of an odd number of channels gives
//
//	dx = dy·s^-β - 2αβ/size·x·Σ dy·x·s^(-β-1)
func lrnRule(c *call) value {
	size := c.Node.Int("size", 1)
	alpha := float64(c.Node.Float("alpha", 1e-4)) / float64(size)
	beta := float64(c.Node.Float("beta", 0.75))
	s := c.shift(c.scale(c.channelSum(c.square(c.x()), size), alpha), float64(c.Node.Float("bias", 1)))
	direct := c.mul(c.dy(), c.power(s, -beta))
	around := c.channelSum(c.div(c.mul(direct, c.x()), s), size)
	return c.sub(direct, c.scale(c.mul(c.x(), around), 2*alpha*beta))
}

// channelSum sums, for each channel of v, a window of size channels around it.
func (c *call) channelSum(v value, size int64) value {
	shape := c.shape(c.x())
	pads := repeat(0, len(shape))
	pads[1] = size / 2
	padded := c.pad(v, pads, pads)
	var terms []value
	for i := range size {
		terms = append(terms, c.slice(padded, []int64{1}, []int64{i}, []int64{i + shape[1]}, []int64{1}))
	}
	return c.op("Sum", terms)
}

// lpNormRule: y = x/‖x‖ over the axis. For p = 2, dx = (dy - y·Σ dy·y)/‖x‖; for p = 1, dx = (dy - sign(x)·Σ dy·y)/‖x‖. If x is 0
// along the whole axis, y and dx are 0, too.
func lpNormRule(c *call) value {
	axis := c.axis("axis", -1, c.rank(c.x()))
	op, direction := "ReduceL2", c.y()
	if c.Node.Int("p", 2) == 1 {
		op, direction = "ReduceL1", c.unary("Sign", c.x())
	}
	norm := c.op(op, []value{c.x(), c.b.Ints(axis)}, onnxgraph.Int("keepdims", 1))
	d := c.sub(c.dy(), c.mul(direction, c.sum(c.mul(c.dy(), c.y()), true, axis)))
	reciprocal := c.pick(c.compare("Equal", norm, c.num(0)), c.num(0), c.unary("Reciprocal", norm))
	return c.mul(d, reciprocal)
}
