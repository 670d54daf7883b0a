package gradient

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// maxPoolRule adds each element of the gradient to the element that MaxPool selected, the first of equal ones; MaxPool's second
// output has its index. Overlapping windows add up; with MaxUnpool, only one of them would count.
func maxPoolRule(c *call) value {
	indices := c.Node.NeedOutput(1)
	inputs, outputs := onnxgraph.ElementCount(c.shape(c.x())), onnxgraph.ElementCount(c.shape(c.y()))
	flat := c.op("ScatterElements", []value{c.zeros(inputs), c.reshape(indices, outputs), c.reshape(c.dy(), outputs)},
		onnxgraph.Int("axis", 0), onnxgraph.Str("reduction", "add"))
	return c.reshape(flat, c.shape(c.x())...)
}

// averagePoolRule spreads each gradient evenly over its window.
func averagePoolRule(c *call) value {
	w := c.windowOf(c.Node.Ints("kernel_shape"))
	return c.spreadWindow(w, c.mul(c.dy(), c.windowShares(w)))
}

// windowShares returns 1/(number of elements averaged) per output position, as [1, 1, out…]. Padding counts if the node says so.
// With ceil_mode, windows can extend beyond the padding. Some releases of ONNX Runtime count these elements, too (before operator
// set 19, at least up to 1.24), others do not (1.29). So the graph applies the operator to ones to find out.
func (c *call) windowShares(w window) value {
	shares := c.constant("window_share", append([]int64{1, 1}, w.out...), w.shares())
	if c.Node.Int("count_include_pad", 0) == 0 {
		return shares
	}
	ones := c.b.Fill(c.dtype(), 1, append([]int64{1, 1}, w.in...)...)
	return c.mul(shares, c.op("AveragePool", []value{ones}, c.Node.Attributes()...))
}

// spreadWindow adds each element of v, which has the shape of a pooling's output, to all inputs in its window. It is a depthwise
// transposed convolution with ones.
func (c *call) spreadWindow(w window, v value) value {
	ones := c.b.Fill(c.dtype(), 1, append([]int64{w.channels, 1}, w.kernel...)...)
	full := c.op("ConvTranspose", []value{v, ones},
		onnxgraph.Ints("kernel_shape", w.kernel...), onnxgraph.Ints("dilations", w.dilation...),
		onnxgraph.Ints("strides", w.stride...), onnxgraph.Int("group", w.channels))
	return c.cutReach(full, w)
}

// shares returns 1/(number of elements in the window) per output position, in row-major order, without padding.
func (w window) shares() []float64 {
	perDim := make([][]float64, w.rank())
	for i := range perDim {
		for l := range w.out[i] {
			n := 0.0
			for t := range w.kernel[i] {
				if p := l*w.stride[i] + t*w.dilation[i] - w.padBegin[i]; p >= 0 && p < w.in[i] {
					n++
				}
			}
			perDim[i] = append(perDim[i], n)
		}
	}
	var data []float64
	index := make([]int64, w.rank())
	for range onnxgraph.ElementCount(w.out) {
		n := 1.0
		for i, l := range index {
			n *= perDim[i][l]
		}
		data = append(data, 1/n)
		advance(index, w.out)
	}
	return data
}

func globalAveragePoolRule(c *call) value {
	shape := c.shape(c.x())
	return c.expand(c.scale(c.dy(), 1/float64(onnxgraph.ElementCount(shape[2:]))), shape...)
}

// globalMaxPoolRule adds each gradient to the first element that equals the maximum, as for MaxPool.
func globalMaxPoolRule(c *call) value {
	shape := c.shape(c.x())
	flat := []int64{shape[0], shape[1], onnxgraph.ElementCount(shape[2:])}
	first := c.op("ArgMax", []value{c.reshape(c.x(), flat...)}, onnxgraph.Int("axis", 2), onnxgraph.Int("keepdims", 1))
	sent := c.op("ScatterElements", []value{c.zeros(flat...), first, c.reshape(c.dy(), shape[0], shape[1], 1)}, onnxgraph.Int("axis", 2))
	return c.reshape(sent, shape...)
}

// lpPoolRule: y = (Σ |x|^p)^(1/p) over the window gives dx = Σ dy·y^(1-p)·|x|^(p-1)·sign(x), 0 where y is 0.
func lpPoolRule(c *call) value {
	w := c.windowOf(c.Node.Ints("kernel_shape"))
	p := float64(c.Node.Int("p", 2))
	share := c.mul(c.dy(), c.power(c.nonZero(c.y()), 1-p))
	slope := c.mul(c.power(c.unary("Abs", c.x()), p-1), c.unary("Sign", c.x()))
	return c.mul(c.spreadWindow(w, share), slope)
}

// nonZero returns v with zeros replaced by 1, for divisions whose result does not matter there.
func (c *call) nonZero(v value) value {
	return c.pick(c.compare("Equal", v, c.num(0)), c.num(1), v)
}

// poolOnly rejects paddings that ONNX Runtime and the ONNX specification treat differently.
func poolOnly(c *call) string {
	kernel, dilated := c.Node.Ints("kernel_shape"), false
	w := c.Node.Window(len(kernel))
	for i, d := range w.Dilations {
		dilated = dilated || d > 1 && kernel[i] > 1
	}
	if dilated && w.IsSame() {
		return fmt.Sprintf("it has dilations, strides larger than its kernel, and auto_pad %s: export it with pads in numbers", w.AutoPad)
	}
	return ""
}

func maxPoolOnly(c *call) string {
	if reason := poolOnly(c); reason != "" {
		return reason
	}
	if c.Node.Int("storage_order", 0) != 0 {
		return "its storage_order=1 numbers elements by columns: export it with storage_order=0, which gives the same values"
	}
	return ""
}
