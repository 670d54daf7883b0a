package blocked

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// weightGradient replaces the gradient of the filters of a convolution, if it has a blocked form.
func (l *lowering) weightGradient(c gradient.Convolution) {
	g, ok := geometryOf(c)
	x, w := c.X, shapeOf(c.W)
	if !ok || !l.fits(c.DY) || !l.fits(x) && w[1] >= l.block {
		return
	}
	var dw value
	switch {
	case g.isDepthwise:
		dw = l.byMaps(x, c.DY, w[2:], g)
	case onnxgraph.ElementCount(w[2:]) > 1 || w[1] < l.block:
		dw = l.byRows(x, c.DY, w, g)
	default:
		dw = l.byPlaces(x, c.DY, g)
	}
	onnxgraph.ReplaceUses(c.DW, l.reshape(dw, w...))
}

// byPlaces emits the gradient of 1×1 filters of one group: the product of dY and the part of X that they read, summed over the
// positions of the output.
func (l *lowering) byPlaces(x, dy value, g geometry) value {
	s, out := shapeOf(x), shapeOf(dy)
	space := out[2] * out[3]
	read := l.plain(x)
	switch {
	case !g.readsAll():
		copied := l.depthwise(l.blockedForm(x), s[1], []float32{1}, []int64{1, 1}, g)
		read = l.plainLayout(l.typed(copied, s[0], s[1], out[2], out[3]))
	case s[1] == l.block && out[1] == l.block: // the blocked layout [N, S, B] works as well
		rows := l.transpose(l.reshape(l.blockedForm(dy), s[0], space, s[1]), 0, 2, 1)
		return l.sumOver(l.Op("MatMul", []value{rows, l.reshape(l.blockedForm(x), s[0], space, s[1])}), 0, 0)
	}
	return l.product(l.reshape(l.plain(dy), out[0], out[1], space), l.reshape(read, s[0], s[1], space))
}

// byMaps emits the gradient of depthwise filters. It convolves every map of X with the map of dY as its filter. The positions of
// the output are then the taps, and stride and dilation are exchanged.
func (l *lowering) byMaps(x, dy value, kernel []int64, g geometry) value {
	s, out := shapeOf(x), shapeOf(dy)
	var after, size [2]int64
	for i := range after {
		reach := (kernel[i]-1)*g.dilations[i] + (out[2+i]-1)*g.strides[i] + 1 - s[2+i] - g.pads[i]
		after[i] = max(0, reach)
		size[i] = kernel[i] + max(0, -reach)/g.dilations[i] // larger than the kernel if no window reads some rows of X
	}
	maps := s[0] * s[1]
	y := l.nchwc("Conv", []value{l.reshape(l.blockedForm(x), 1, maps, s[2], s[3]), l.reshape(l.blockedForm(dy), maps, 1, out[2], out[3])},
		onnxgraph.Int("group", maps), onnxgraph.Ints("kernel_shape", out[2:]...), onnxgraph.Ints("strides", g.dilations...),
		onnxgraph.Ints("dilations", g.strides...), onnxgraph.Ints("pads", g.pads[0], g.pads[1], after[0], after[1]))
	sum := l.sumOver(l.reshape(y, s[0], s[1], size[0], size[1]), 1, 0)
	dw := l.plainLayout(l.typed(sum, 1, s[1], size[0], size[1]))
	if size != [2]int64(kernel) {
		dw = l.Op("Slice", []value{dw, l.Ints(0, 0), l.Ints(kernel...), l.Ints(2, 3)})
	}
	return dw
}

// product sums a·bᵀ over all images, for a [N, R, S] and b [N, Q, S]. It uses one matrix product if it takes less work to put the
// images side by side than to sum the products.
func (l *lowering) product(a, b value) value {
	as, bs := shapeOf(a), shapeOf(b)
	n, r, q, space := as[0], as[1], bs[1], as[2]
	if r*q <= (r+q)*space {
		return l.sumOver(l.Op("MatMul", []value{a, l.transpose(b, 0, 2, 1)}), 0, 0)
	}
	a = l.reshape(l.transpose(a, 1, 0, 2), r, n*space)
	b = l.reshape(l.transpose(b, 1, 0, 2), q, n*space)
	return l.Op("MatMul", []value{a, l.transpose(b, 1, 0)})
}

// depthwise convolves every map of x with the same filter.
func (l *lowering) depthwise(x value, channels int64, filter []float32, kernel []int64, g geometry) value {
	var data []float32
	for range channels / l.block {
		for _, v := range filter {
			data = append(data, slices.Repeat([]float32{v}, int(l.block))...)
		}
	}
	filters := l.constant(onnxgraph.NewTensor([]int64{channels, 1, kernel[0], kernel[1]}, data))
	return l.nchwc("Conv", []value{x, filters},
		onnxgraph.Int("group", channels), onnxgraph.Ints("kernel_shape", kernel...), onnxgraph.Ints("strides", g.strides...),
		onnxgraph.Ints("dilations", g.dilations...), onnxgraph.Ints("pads", g.pads...))
}
