package gradient

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// maxPoolRule sends each gradient to the element that MaxPool took, as its second output tells: the first
// of equal ones. Windows that overlap add up. MaxUnpool would keep only one of them.
func maxPoolRule(c *Call) value {
	indices := c.Node.NeedOutput(1)
	inputs, outputs := count(c.shape(c.x())), count(c.shape(c.y()))
	zeros := c.op("ConstantOfShape", []value{c.b.Ints(inputs)},
		onnxgraph.TensorAttr("value", zero(c.dtype())))
	flat := c.op("ScatterElements", []value{zeros, c.reshape(indices, outputs), c.reshape(c.dy(), outputs)},
		onnxgraph.Int("axis", 0), onnxgraph.Str("reduction", "add"))
	return c.reshape(flat, c.shape(c.x())...)
}

func zero(dtype onnxgraph.DType) *onnxgraph.Tensor {
	t, err := onnxgraph.FromFloat64s(dtype, []int64{1}, []float64{0})
	if err != nil {
		panic("gradient: " + err.Error()) // rules see floating-point nodes only
	}
	return t
}

// averagePoolRule spreads each gradient evenly over its window: a depthwise transposed convolution of
// dY / (elements in the window) with ones.
func averagePoolRule(c *Call) value {
	w := c.windowOf(c.Node.Ints("kernel_shape"))
	share := c.mul(c.dy(), c.b.Graph.AddConstant("window_share", w.shares(c.dtype(), c.b.Graph.Model().Opset(""))))
	ones := c.b.Fill(c.dtype(), 1, append([]int64{w.channels, 1}, w.kernel...)...)
	full := c.op("ConvTranspose", []value{share, ones},
		onnxgraph.Ints("kernel_shape", w.kernel...), onnxgraph.Ints("dilations", w.dilation...),
		onnxgraph.Ints("strides", w.stride...), onnxgraph.Int("group", w.channels))
	before, after := make([]int64, w.rank()), make([]int64, w.rank())
	for i := range before {
		before[i] = -w.padBegin[i]
		after[i] = w.in[i] + w.padBegin[i] - ((w.out[i]-1)*w.stride[i] + w.extent(i))
	}
	return c.padSpatial(full, before, after)
}

// shares returns 1/(number of elements averaged) per output position, as [1, 1, out…]. Padding counts if
// the node says so. What ceil_mode reads beyond the padding does not, but before operator set 19 ONNX
// Runtime counts it along with the padding.
func (w window) shares(dtype onnxgraph.DType, opset int64) *onnxgraph.Tensor {
	perDim := make([][]float64, w.rank())
	for i := range perDim {
		for l := range w.out[i] {
			low, high := int64(0), w.in[i]
			if w.countIncludePadding {
				low, high = -w.padBegin[i], w.in[i]+w.padEnd[i]
				if opset < 19 {
					high = math.MaxInt64
				}
			}
			n := 0.0
			for t := range w.kernel[i] {
				if p := l*w.stride[i] + t*w.dilation[i] - w.padBegin[i]; p >= low && p < high {
					n++
				}
			}
			perDim[i] = append(perDim[i], n)
		}
	}
	var data []float64
	index := make([]int64, w.rank())
	for range count(w.out) {
		n := 1.0
		for i, l := range index {
			n *= perDim[i][l]
		}
		data = append(data, 1/n)
		advance(index, w.out)
	}
	t, err := onnxgraph.FromFloat64s(dtype, append([]int64{1, 1}, w.out...), data)
	if err != nil {
		panic("gradient: " + err.Error()) // rules see floating-point nodes only
	}
	return t
}

func globalAveragePoolRule(c *Call) value {
	shape := c.shape(c.x())
	return c.expand(c.scale(c.dy(), 1/float64(count(shape[2:]))), shape...)
}

// globalMaxPoolRule gives equal shares to the elements that equal the maximum.
func globalMaxPoolRule(c *Call) value {
	axes := sequence(2, c.rank(c.x())-2)
	hits := c.where(c.compare("Equal", c.x(), c.y()), c.num(1))
	return c.mul(hits, c.div(c.dy(), c.sum(hits, true, slices.Clone(axes)...)))
}
