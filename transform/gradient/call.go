package gradient

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// call is one node that is being differentiated. A rule gets it, reads the node from it, and emits nodes with its methods.
type call struct {
	Node     *onnxgraph.Node
	b        *onnxgraph.Builder
	incoming []*onnxgraph.Value
	on       map[*onnxgraph.Value]bool
}

type value = *onnxgraph.Value

// dy returns the gradient of the node's first output.
func (c *call) dy() value { return c.incoming[0] }

// x returns the node's first input.
func (c *call) x() value { return c.Node.Input(0) }

// y returns the node's first output.
func (c *call) y() value { return c.Node.Output(0) }

// in returns input i, or nil if it is absent.
func (c *call) in(i int) value { return c.Node.Input(i) }

// needs reports whether the gradient of input i is needed. Most rules need not ask, because nodes whose result nothing reads are
// removed at the end. The rules of convolutions ask, because their gradients are also listed in Gradients.Convolutions.
func (c *call) needs(i int) bool { return c.on[c.Node.Input(i)] }

// shape returns the static shape of a value of the forward graph.
func (c *call) shape(v value) []int64 {
	shape, _ := v.StaticShape()
	return shape
}

func (c *call) rank(v value) int { return len(c.shape(v)) }

// dtype returns the element type that the node computes in.
func (c *call) dtype() onnxgraph.DType { return c.y().DType() }

func (c *call) op(opType string, inputs []value, attrs ...onnxgraph.Attribute) value {
	return c.b.Op(opType, inputs, attrs...)
}

func (c *call) add(a, b value) value { return c.op("Add", []value{a, b}) }
func (c *call) sub(a, b value) value { return c.op("Sub", []value{a, b}) }
func (c *call) mul(a, b value) value { return c.op("Mul", []value{a, b}) }
func (c *call) div(a, b value) value { return c.op("Div", []value{a, b}) }
func (c *call) neg(a value) value    { return c.op("Neg", []value{a}) }

// num returns v as a constant that broadcasts with any shape.
func (c *call) num(v float64) value { return c.b.Fill(c.dtype(), v) }

// scale returns a·v, or a itself if v is 1.
func (c *call) scale(a value, v float64) value {
	if v == 1 {
		return a
	}
	return c.mul(a, c.num(v))
}

// power returns a^v, or a itself if v is 1.
func (c *call) power(a value, v float64) value {
	if v == 1 {
		return a
	}
	return c.op("Pow", []value{a, c.num(v)})
}

// isTrue is 1 where the boolean condition holds, and 0 elsewhere.
func (c *call) isTrue(condition value) value {
	return c.op("Cast", []value{condition}, onnxgraph.Int("to", int64(c.dtype())))
}

// where returns a where the condition holds, and a times 0 elsewhere.
func (c *call) where(condition, a value) value { return c.mul(a, c.isTrue(condition)) }

func (c *call) compare(opType string, a, b value) value { return c.op(opType, []value{a, b}) }

func (c *call) reshape(a value, shape ...int64) value {
	return c.op("Reshape", []value{a, c.b.Ints(shape...)})
}

// transpose puts the axes of a, which has the given shape, into the order perm. If only axes of size 1 move, it reshapes instead,
// because the elements stay in order.
func (c *call) transpose(a value, shape []int64, perm ...int64) value {
	var moved, longer []int64
	for _, p := range perm {
		moved = append(moved, shape[p])
		if shape[p] != 1 {
			longer = append(longer, p)
		}
	}
	if slices.IsSorted(longer) {
		return c.as(a, shape, moved)
	}
	return c.op("Transpose", []value{a}, onnxgraph.Ints("perm", perm...))
}

// sum adds up a over axes. With keep, these stay as dimensions of size 1.
func (c *call) sum(a value, keep bool, axes ...int64) value {
	if len(axes) == 0 {
		return a
	}
	keepdims := int64(0)
	if keep {
		keepdims = 1
	}
	return c.op("ReduceSum", []value{a, c.b.Ints(axes...)}, onnxgraph.Int("keepdims", keepdims))
}

// expand repeats a along its dimensions of size 1, so that it has the given shape.
func (c *call) expand(a value, shape ...int64) value {
	return c.op("Expand", []value{a, c.b.Ints(shape...)})
}

// pad adds zeros before and after the elements of each axis. It removes elements where a count is negative.
func (c *call) pad(a value, before, after []int64) value {
	pads := append(slices.Clone(before), after...)
	if !slices.ContainsFunc(pads, func(p int64) bool { return p != 0 }) {
		return a
	}
	return c.op("Pad", []value{a, c.b.Ints(pads...)})
}

// slice takes every step-th element from start to end, without end itself, along each of the axes.
func (c *call) slice(a value, axes, start, end, step []int64) value {
	return c.op("Slice", []value{a, c.b.Ints(start...), c.b.Ints(end...), c.b.Ints(axes...), c.b.Ints(step...)})
}

func (c *call) concat(axis int64, parts ...value) value {
	if len(parts) == 1 {
		return parts[0]
	}
	return c.op("Concat", parts, onnxgraph.Int("axis", axis))
}

// sumTo undoes broadcasting: d has shape from, to which a value of shape to was broadcast.
func (c *call) sumTo(d value, from, to []int64) value {
	if slices.Equal(from, to) {
		return d
	}
	lead := len(from) - len(to)
	var axes []int64
	for i := range from {
		if i < lead || to[i-lead] == 1 && from[i] != 1 {
			axes = append(axes, int64(i))
		}
	}
	d = c.sum(d, true, axes...)
	if lead > 0 {
		d = c.reshape(d, to...)
	}
	return d
}

// axis returns an axis attribute, counted from the front.
func (c *call) axis(name string, otherwise int64, rank int) int64 {
	a := c.Node.Int(name, otherwise)
	if a < 0 {
		a += int64(rank)
	}
	return a
}

// fromZero returns axes, counted from the front.
func (c *call) fromZero(axes []int64, rank int) []int64 {
	up := slices.Clone(axes)
	for i, a := range up {
		if a < 0 {
			up[i] = a + int64(rank)
		}
	}
	return up
}

// ints returns the values of a constant integer input; ok is false if the input is absent or not constant.
func (c *call) ints(i int) (list []int64, ok bool) {
	v := c.in(i)
	if v == nil || v.Constant() == nil {
		return nil, false
	}
	list, err := v.Constant().Int64s()
	return list, err == nil
}

// zeros returns a tensor of zeros of the given shape. It takes no space in the file.
func (c *call) zeros(shape ...int64) value {
	return c.op("ConstantOfShape", []value{c.b.Ints(shape...)}, onnxgraph.TensorAttr("value", zero(c.dtype())))
}

func zero(dtype onnxgraph.DType) *onnxgraph.Tensor {
	t, err := onnxgraph.FromFloat64s(dtype, []int64{1}, []float64{0})
	if err != nil {
		panic("gradient: " + err.Error()) // rules see floating-point nodes only
	}
	return t
}

// constant returns a constant of the element type that the node computes in.
func (c *call) constant(hint string, shape []int64, data []float64) value {
	t, err := onnxgraph.FromFloat64s(c.dtype(), shape, data)
	if err != nil {
		panic("gradient: " + err.Error()) // rules see floating-point nodes only
	}
	return c.b.Graph.AddConstant(hint, t)
}

// smallestInt is the end that makes Slice include the first element when the step is negative.
const smallestInt = math.MinInt64

func repeat(v int64, n int) []int64 { return slices.Repeat([]int64{v}, n) }

// sequence returns start, start+1, …: n numbers.
func sequence(start int64, n int) []int64 {
	s := make([]int64, n)
	for i := range s {
		s[i] = start + int64(i)
	}
	return s
}
