package convcases

import "github.com/rcfreeze/rcfreeze/onnxgraph"

// Array is a dense array of numbers in row-major order.
type Array struct {
	Dims []int64
	Data []float64
}

// ArrayOf returns the numbers of a tensor.
func ArrayOf(t *onnxgraph.Tensor) Array {
	data, err := t.Float64s()
	must(err)
	return Array{t.Dims(), data}
}

// at returns the number at a position, 0 outside of the array.
func (a Array) at(position []int64) float64 {
	i := int64(0)
	for axis, p := range position {
		if p < 0 || p >= a.Dims[axis] {
			return 0
		}
		i = i*a.Dims[axis] + p
	}
	return a.Data[i]
}

// Convolve evaluates a Conv node in float64, number by number as the operator is defined. A bias without data is none.
func Convolve(n *onnxgraph.Node, x, w, bias Array) Array {
	c := Case{
		Input: x.Dims, Filters: w.Dims[0], Groups: n.Int("group", 1), Kernel: w.Dims[2:],
		Strides: n.Ints("strides"), Dilations: n.Ints("dilations"), Pads: n.Ints("pads"), AutoPad: n.Str("auto_pad", ""),
	}.withDefaults()
	y := Array{Dims: append([]int64{x.Dims[0], c.Filters}, c.outputSize()...)}
	begin := c.padsBegin()
	perGroup := w.Dims[1]
	from, weight := make([]int64, len(x.Dims)), make([]int64, len(w.Dims)) // positions in x and w
	each(y.Dims, func(at []int64) {
		sum := 0.0
		if bias.Data != nil {
			sum = bias.Data[at[1]]
		}
		from[0], weight[0] = at[0], at[1]
		each(w.Dims[1:], func(tap []int64) {
			copy(weight[1:], tap)
			from[1] = at[1]/(c.Filters/c.Groups)*perGroup + tap[0]
			for axis, k := range tap[1:] {
				from[axis+2] = at[axis+2]*c.Strides[axis] - begin[axis] + k*c.Dilations[axis]
			}
			sum += w.at(weight) * x.at(from)
		})
		y.Data = append(y.Data, sum)
	})
	return y
}

// each calls f with every position of an array of the given dims in row-major order.
func each(dims []int64, f func(position []int64)) {
	position := make([]int64, len(dims))
	for range onnxgraph.ElementCount(dims) {
		f(position)
		for axis := len(dims) - 1; axis >= 0; axis-- {
			if position[axis]++; position[axis] < dims[axis] {
				break
			}
			position[axis] = 0
		}
	}
}

// extent is the size along an axis that a filter covers.
func (c Case) extent(axis int) int64 { return c.Dilations[axis]*(c.Kernel[axis]-1) + 1 }

// samePads returns the padding of an axis, at both ends together, for SAME_UPPER and SAME_LOWER.
func (c Case) samePads(axis int) int64 {
	size, stride := c.Input[axis+2], c.Strides[axis]
	return max(0, ((size+stride-1)/stride-1)*stride+c.extent(axis)-size)
}

func (c Case) padsBegin() []int64 {
	begin := make([]int64, len(c.Kernel))
	for axis := range begin {
		switch c.AutoPad {
		case "SAME_UPPER":
			begin[axis] = c.samePads(axis) / 2
		case "SAME_LOWER":
			begin[axis] = (c.samePads(axis) + 1) / 2
		case "", "NOTSET":
			begin[axis] = c.Pads[axis]
		}
	}
	return begin
}

func (c Case) outputSize() []int64 {
	out := make([]int64, len(c.Kernel))
	for axis := range out {
		size, stride := c.Input[axis+2], c.Strides[axis]
		switch c.AutoPad {
		case "SAME_UPPER", "SAME_LOWER":
			out[axis] = (size + stride - 1) / stride
			continue
		case "", "NOTSET":
			size += c.Pads[axis] + c.Pads[axis+len(c.Kernel)]
		}
		out[axis] = (size-c.extent(axis))/stride + 1
	}
	return out
}
