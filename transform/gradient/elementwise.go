package gradient

import (
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func addRule(c *Call) []value { return []value{c.dy(), c.dy()} }

func subRule(c *Call) []value { return []value{c.dy(), c.neg(c.dy())} }

func mulRule(c *Call) []value { return []value{c.mul(c.dy(), c.in(1)), c.mul(c.dy(), c.in(0))} }

// divRule: y = a/b gives da = dy/b and db = -dy·y/b.
func divRule(c *Call) []value {
	da := c.div(c.dy(), c.in(1))
	return []value{da, c.neg(c.mul(da, c.y()))}
}

// powRule: y = a^b gives da = dy·b·a^(b-1) and db = dy·y·ln a, the latter taken as 0 where a is not
// positive, as there it is no real number or has a limit of 0.
func powRule(c *Call) []value {
	a, b := c.in(0), c.in(1)
	if b.DType() != c.dtype() { // Pow alone takes operands of two types
		b = c.op("Cast", []value{b}, onnxgraph.Int("to", int64(c.dtype())))
	}
	da := c.mul(c.dy(), c.mul(b, c.op("Pow", []value{a, c.sub(b, c.num(1))})))
	if !c.needs(1) {
		return []value{da}
	}
	positive := c.compare("Greater", a, c.num(0))
	safe := c.op("Where", []value{positive, a, c.num(1)})
	return []value{da, c.mul(c.dy(), c.mul(c.y(), c.op("Log", []value{safe})))}
}

func sumRule(c *Call) []value {
	var d []value
	for range c.Node.Inputs() {
		d = append(d, c.dy())
	}
	return d
}

// extremumRule serves Max and Min: the gradient goes to the inputs that equal the output, in equal shares
// where several do.
func extremumRule(c *Call) []value {
	var hits []value
	for _, x := range c.Node.Inputs() {
		hits = append(hits, c.op("Cast", []value{c.compare("Equal", x, c.y())}, onnxgraph.Int("to", int64(c.dtype()))))
	}
	total := hits[0]
	for _, h := range hits[1:] {
		total = c.add(total, h)
	}
	share := c.div(c.dy(), total)
	for i, h := range hits {
		hits[i] = c.mul(share, h)
	}
	return hits
}

// reluRule lets the gradient pass where the output is above 0; at 0 the derivative is 0, as in PyTorch.
// The mask is min(1, y·huge): exact for every normal number, and faster than a comparison with a cast.
func reluRule(c *Call) value {
	huge := c.scale(c.y(), 3e38)
	mask := c.op("Clip", []value{huge, nil, c.num(1)})
	return c.mul(c.dy(), mask)
}

// leakyReluRule: the derivative at 0 is alpha, as in PyTorch.
func leakyReluRule(c *Call) value {
	alpha := float64(c.Node.Float("alpha", 0.01))
	positive := c.compare("Greater", c.x(), c.num(0))
	return c.mul(c.dy(), c.op("Where", []value{positive, c.num(1), c.num(alpha)}))
}

// clipRule lets the gradient pass where the input is inside the bounds, the bounds included, as in PyTorch.
func clipRule(c *Call) value {
	return c.where(c.compare("Equal", c.x(), c.y()), c.dy())
}

// softmaxRule: dx = y·(dy - Σ dy·y) along the axis.
func softmaxRule(c *Call) value {
	axis := c.axis("axis", -1, c.rank(c.y()))
	return c.mul(c.y(), c.sub(c.dy(), c.sum(c.mul(c.dy(), c.y()), true, axis)))
}

// logSoftmaxRule: dx = dy - exp(y)·Σ dy along the axis.
func logSoftmaxRule(c *Call) value {
	axis := c.axis("axis", -1, c.rank(c.y()))
	return c.sub(c.dy(), c.mul(c.op("Exp", []value{c.y()}), c.sum(c.dy(), true, axis)))
}

// castRule casts back; a cast that does not go between floating-point types lets nothing pass.
func castRule(c *Call) value {
	if !c.x().DType().IsFloat() || !c.y().DType().IsFloat() {
		return nil
	}
	return c.op("Cast", []value{c.dy()}, onnxgraph.Int("to", int64(c.x().DType())))
}

func dropoutOnly(c *Call) string {
	if v := c.in(2); v != nil && v.Constant() != nil {
		if flag, err := v.Constant().Int64s(); err == nil && len(flag) == 1 && flag[0] == 0 {
			return ""
		}
	} else if v == nil {
		return ""
	}
	return "Dropout in training mode draws numbers that cannot be repeated; it must be lowered first"
}

// smallestInt is what Slice takes for "up to and including the first element" with a negative step.
const smallestInt = math.MinInt64
