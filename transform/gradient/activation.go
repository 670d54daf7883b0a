package gradient

import (
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// slope makes a rule from the derivative f'(x) of an elementwise operator: dx = dy·f'(x).
func slope(derivative func(*call) value) func(*call) value {
	return func(c *call) value { return c.mul(c.dy(), derivative(c)) }
}

// pick returns a where the condition holds, b elsewhere.
func (c *call) pick(condition, a, b value) value { return c.op("Where", []value{condition, a, b}) }

// shift returns a plus a number.
func (c *call) shift(a value, v float64) value { return c.add(a, c.num(v)) }

func (c *call) square(a value) value { return c.mul(a, a) }

func (c *call) unary(opType string, a value, attrs ...onnxgraph.Attribute) value {
	return c.op(opType, []value{a}, attrs...)
}

// isPositive selects the side of a kink at 0. The point 0 itself has the derivative of the negative side, as in PyTorch.
func (c *call) isPositive() value { return c.compare("Greater", c.x(), c.num(0)) }

// reluRule passes the gradient on where the output is above 0; at 0 the derivative is 0, as in PyTorch.
func reluRule(c *call) value { return c.mul(c.dy(), c.positive(c.y())) }

// positive is 1 where v is above 0, and 0 elsewhere. HardSigmoid computes it as max(0, min(1, v·huge)), which is right for every
// normal number, and faster than a comparison with a cast.
func (c *call) positive(v value) value {
	return c.unary("HardSigmoid", v, onnxgraph.Float("alpha", 3e38), onnxgraph.Float("beta", 0))
}

// above returns v - bound, or v itself if the bound is known to be 0.
func (c *call) above(v, bound value) value {
	if t := bound.Constant(); t != nil {
		if numbers, _ := t.Float64s(); len(numbers) == 1 && numbers[0] == 0 {
			return v
		}
	}
	return c.sub(v, bound)
}

func leakyReluSlope(c *call) value {
	return c.pick(c.isPositive(), c.num(1), c.num(float64(c.Node.Float("alpha", 0.01))))
}

// thresholdedReluRule: y = x where x > alpha, 0 elsewhere.
func thresholdedReluRule(c *call) value {
	return c.where(c.compare("Greater", c.x(), c.num(float64(c.Node.Float("alpha", 1)))), c.dy())
}

// pReluRule: y = x where x > 0, slope·x elsewhere.
func pReluRule(c *call) []value {
	dx := c.mul(c.dy(), c.pick(c.isPositive(), c.num(1), c.in(1)))
	return []value{dx, c.mul(c.dy(), c.op("Min", []value{c.x(), c.num(0)}))}
}

// clipRule passes the gradient on where the input is strictly between the bounds. PyTorch's ReLU6 and Hardtanh, which become Clip
// in CNNs, do the same; PyTorch's clamp includes the bounds.
func clipRule(c *call) value {
	d := c.dy()
	if low := c.in(1); low != nil {
		d = c.mul(d, c.positive(c.above(c.y(), low)))
	}
	if high := c.in(2); high != nil {
		d = c.mul(d, c.positive(c.sub(high, c.y())))
	}
	return d
}

// eluSlope: y = alpha·(e^x - 1) where x is not above 0.
func eluSlope(c *call) value {
	alpha := float64(c.Node.Float("alpha", 1))
	return c.pick(c.isPositive(), c.num(1), c.scale(c.unary("Exp", c.x()), alpha))
}

// seluSlope: y = gamma·x above 0, gamma·alpha·(e^x - 1) elsewhere.
func seluSlope(c *call) value {
	alpha := float64(c.Node.Float("alpha", 1.67326319217681884765625))
	gamma := float64(c.Node.Float("gamma", 1.05070102214813232421875))
	return c.pick(c.isPositive(), c.num(gamma), c.scale(c.unary("Exp", c.x()), gamma*alpha))
}

// celuSlope: y = alpha·(e^(x/alpha) - 1) where x is not above 0.
func celuSlope(c *call) value {
	alpha := float64(c.Node.Float("alpha", 1))
	return c.pick(c.isPositive(), c.num(1), c.unary("Exp", c.scale(c.x(), 1/alpha)))
}

// sigmoidSlope: y' = y·(1 - y).
func sigmoidSlope(c *call) value { return c.mul(c.y(), c.sub(c.num(1), c.y())) }

// tanhSlope: y' = 1 - y².
func tanhSlope(c *call) value { return c.sub(c.num(1), c.square(c.y())) }

// softsignSlope: y = x/(1 + |x|).
func softsignSlope(c *call) value {
	return c.unary("Reciprocal", c.square(c.shift(c.unary("Abs", c.x()), 1)))
}

// hardSigmoidSlope: y = alpha·x + beta, cut off at 0 and 1, where the derivative is 0, as in PyTorch.
func hardSigmoidSlope(c *call) value {
	inside := c.op("And", []value{c.compare("Greater", c.y(), c.num(0)), c.compare("Less", c.y(), c.num(1))})
	return c.where(inside, c.num(float64(c.Node.Float("alpha", 0.2))))
}

// hardSwishSlope: y = x·h(x) with h(x) = x/6 + 1/2, cut off at 0 and 1. The edges x = ±3 count as inside, as in
// PyTorch's clamp.
func hardSwishSlope(c *call) value {
	h := c.unary("HardSigmoid", c.x(), onnxgraph.Float("alpha", 1.0/6), onnxgraph.Float("beta", 0.5))
	inside := c.compare("LessOrEqual", c.unary("Abs", c.x()), c.num(3))
	return c.add(h, c.where(inside, c.scale(c.x(), 1.0/6)))
}

// mishSlope: y = x·t with t = tanh(softplus(x)), so y' = t + x·sigmoid(x)·(1 - t²).
func mishSlope(c *call) value {
	t := c.unary("Tanh", c.unary("Softplus", c.x()))
	return c.add(t, c.mul(c.mul(c.x(), c.unary("Sigmoid", c.x())), c.sub(c.num(1), c.square(t))))
}

// erfSlope: y' = 2/√π·e^(-x²).
func erfSlope(c *call) value {
	return c.scale(c.unary("Exp", c.neg(c.square(c.x()))), 2/math.Sqrt(math.Pi))
}

// geluSlope: y = x·Φ(x) with the normal distribution Φ, so y' = Φ(x) + x·φ(x) with its density φ. For approximate=tanh,
// y = x/2·(1 + t) with t = tanh(u), u = √(2/π)·(x + 0.044715·x³) (Hendrycks & Gimpel 2016).
func geluSlope(c *call) value {
	squared := c.square(c.x())
	if c.Node.Str("approximate", "none") == "tanh" {
		const cubic = 0.044715
		factor := math.Sqrt(2 / math.Pi)
		t := c.unary("Tanh", c.mul(c.x(), c.shift(c.scale(squared, factor*cubic), factor)))
		inner := c.mul(c.mul(c.x(), c.sub(c.num(1), c.square(t))), c.shift(c.scale(squared, 3*factor*cubic), factor))
		return c.scale(c.add(c.shift(t, 1), inner), 0.5)
	}
	distribution := c.scale(c.shift(c.unary("Erf", c.scale(c.x(), math.Sqrt(0.5))), 1), 0.5)
	density := c.scale(c.unary("Exp", c.scale(squared, -0.5)), 1/math.Sqrt(2*math.Pi))
	return c.add(distribution, c.mul(c.x(), density))
}

// softmaxRule: dx = y·(dy - Σ dy·y) along the axis.
func softmaxRule(c *call) value {
	axis := c.axis("axis", -1, c.rank(c.y()))
	return c.mul(c.y(), c.sub(c.dy(), c.sum(c.mul(c.dy(), c.y()), true, axis)))
}

// logSoftmaxRule: dx = dy - exp(y)·Σ dy along the axis.
func logSoftmaxRule(c *call) value {
	axis := c.axis("axis", -1, c.rank(c.y()))
	return c.sub(c.dy(), c.mul(c.unary("Exp", c.y()), c.sum(c.dy(), true, axis)))
}
