package gradient

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func addRule(c *call) []value { return []value{c.dy(), c.dy()} }

func subRule(c *call) []value { return []value{c.dy(), c.neg(c.dy())} }

func mulRule(c *call) []value { return []value{c.mul(c.dy(), c.in(1)), c.mul(c.dy(), c.in(0))} }

// divRule: y = a/b gives da = dy/b and db = -dy·y/b.
func divRule(c *call) []value {
	da := c.div(c.dy(), c.in(1))
	return []value{da, c.neg(c.mul(da, c.y()))}
}

// powRule: y = a^b gives da = dy·b·a^(b-1) and db = dy·y·ln a, where db counts as 0 if a is not positive, because there it is not
// a real number or has the limit 0.
func powRule(c *call) []value {
	a, b := c.in(0), c.in(1)
	if b.DType() != c.dtype() { // only Pow takes operands of two types
		b = c.op("Cast", []value{b}, onnxgraph.Int("to", int64(c.dtype())))
	}
	da := c.mul(c.dy(), c.mul(b, c.op("Pow", []value{a, c.sub(b, c.num(1))})))
	positive := c.compare("Greater", a, c.num(0))
	return []value{da, c.mul(c.dy(), c.mul(c.y(), c.unary("Log", c.pick(positive, a, c.num(1)))))}
}

func sumRule(c *call) []value {
	var d []value
	for range c.Node.Inputs() {
		d = append(d, c.dy())
	}
	return d
}

func meanRule(c *call) []value {
	share := c.scale(c.dy(), 1/float64(len(c.Node.Inputs())))
	var d []value
	for range c.Node.Inputs() {
		d = append(d, share)
	}
	return d
}

// extremumRule is for Max and Min: the gradient goes to the inputs that equal the output, in equal shares if there are several.
func extremumRule(c *call) []value {
	var hits []value
	for _, x := range c.Node.Inputs() {
		hits = append(hits, c.isTrue(c.compare("Equal", x, c.y())))
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

// whereRule sends the gradient to the input that each element came from.
func whereRule(c *call) []value {
	condition, zero := c.in(0), c.num(0)
	return []value{nil, c.pick(condition, c.dy(), zero), c.pick(condition, zero, c.dy())}
}

// castRule casts back. A cast from or to a type that is not floating-point has no gradient.
func castRule(c *call) value {
	if !c.x().DType().IsFloat() || !c.y().DType().IsFloat() {
		return nil
	}
	return c.op("Cast", []value{c.dy()}, onnxgraph.Int("to", int64(c.x().DType())))
}

func dropoutOnly(c *call) string {
	if v := c.in(2); v != nil && v.Constant() != nil {
		if flag, _ := v.Constant().Int64s(); len(flag) == 1 && flag[0] == 0 {
			return ""
		}
	} else if v == nil {
		return ""
	}
	return "Dropout in training mode draws numbers that cannot be repeated; it must be lowered first"
}
