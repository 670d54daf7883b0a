package blocked

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// columns says which columns the copies of an image contain: column j of copy t is column stride·j+dilation·t-before of the
// image, or zeros if the image has no such column. With isReversed, t counts from the last copy.
type columns struct {
	count, dilation, stride, before int64
	isReversed                      bool
}

// noShift has the image itself as its only copy.
var noShift = columns{count: 1, dilation: 1, stride: 1}

// inverse returns the columns for shifted copies of Y, of stride 1, that make the sum over j of Y[j]·X[j+δ·t-p] a sum of their
// columns times those of X itself. If its padding is negative, such copies cannot be made.
func (c columns) inverse() columns {
	c.isReversed, c.before = true, (c.count-1)*c.dilation-c.before
	return c
}

// after returns how many columns of padding an image needs on its right side for copies of the given width.
func (c columns) after(from, width int64) int64 {
	return (width-1)*c.stride + (c.count-1)*c.dilation + 1 - from - c.before
}

// shiftedColumns returns copies of v below one another, [N, C, count·H, width] in blocked layout, which v must have. A depthwise
// convolution whose dilation spans a whole image makes them.
func (l *lowering) shiftedColumns(v value, width int64, c columns) value {
	s := shapeOf(v)
	if c == noShift && width == s[3] {
		return v
	}
	last := c.count - 1
	one := make([]float32, c.count*c.count)
	for t := range c.count {
		tap := t
		if c.isReversed {
			tap = last - t
		}
		one[(last-t)*c.count+tap] = 1
	}
	g := geometry{strides: []int64{1, c.stride}, dilations: []int64{s[2], c.dilation}, pads: []int64{last * s[2], c.before, last * s[2], max(0, c.after(s[3], width))}}
	return l.typed(l.depthwise(v, s[1], one, []int64{c.count, c.count}, g), s[0], s[1], c.count*s[2], width)
}

// patches turns the copies of an image with few channels into channels of one image, first all copies of the first channel, and
// pads them with zeros to whole blocks: [N, channels, H, width] in blocked layout. A convolution whose filters are unit vectors
// makes it.
func (l *lowering) patches(x value, width int64, c columns) value {
	s, b := shapeOf(x), l.block
	patch := s[1] * c.count
	maps := (patch + b - 1) / b * b
	units := make([]float32, maps*patch) // [maps/B, patch, B]
	for i := range patch {
		units[(i/b*patch+i)*b+i%b] = 1
	}
	filters := l.constant(onnxgraph.NewTensor([]int64{maps, s[1], 1, c.count}, units))
	y := l.nchwc("Conv", []value{l.plain(x), filters}, onnxgraph.Ints("kernel_shape", 1, c.count), onnxgraph.Ints("strides", 1, c.stride),
		onnxgraph.Ints("dilations", 1, c.dilation), onnxgraph.Ints("pads", 0, c.before, 0, max(0, c.after(s[3], width))))
	return l.typed(y, s[0], maps, s[2], width)
}
