package blocked

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// byPointwise is the gradient of k×k filters as byShifts has it, for rows of whole blocks of columns, where the product is a
// blocked 1×1 convolution: one group for each image, the places of the image as its input channels, the filters' outputs
// as its places, and X as its filters, which in blocked layout it is as it stands:
//
//	X   [N, C/B, k copies shifted by columns, S, B]     filters: blocks of B outputs, S inputs
//	dY  [N, S/B, M, B of S]                             input, shifted by rows, once for each of k
func (l *lowering) byPointwise(x, dy value, k int64) value {
	s, m := shapeOf(x), shapeOf(dy)[1]
	n, ch, h, w := s[0], s[1], s[2], s[3]
	space, b := h*w, l.block
	filters := l.reshape(l.shiftedColumns(x, k), n*k*ch, space, 1, 1)
	rows := l.reshape(l.placesInBlocks(dy), n, b, h, w/b*m)
	var sums []value
	for shift := range k {
		taps := make([]float32, k)
		taps[k-1-shift] = 1
		shifted := rows
		if shift != k/2 {
			shifted = l.depthwise(rows, b, taps, []int64{k, 1}, geometry{
				strides: []int64{1, 1}, dilations: []int64{1, 1}, pads: []int64{k / 2, 0, k / 2, 0},
			})
		}
		product := l.nchwc("Conv", []value{l.reshape(shifted, 1, n*space, 1, m), filters}, onnxgraph.Int("group", n),
			onnxgraph.Ints("kernel_shape", 1, 1), onnxgraph.Ints("strides", 1, 1), onnxgraph.Ints("pads", 0, 0, 0, 0))
		sums = append(sums, l.sumOver(l.reshape(product, n, k*ch*m), 1, 0))
	}
	all := l.reshape(l.Op("Concat", sums, onnxgraph.Int("axis", 0)), k, ch/b, k, m, b)
	return l.transpose(all, 3, 1, 4, 0, 2)
}

// placesInBlocks brings v [N, C, S places] into the layout [N, S/B, C, B]. Of one block of channels that is blocked
// layout of the transposed images, which the blocked layout of v has as they stand.
func (l *lowering) placesInBlocks(v value) value {
	s := shapeOf(v)
	space := s[2] * s[3]
	if s[1] == l.block {
		return l.nchwc("ReorderInput", []value{l.reshape(l.blockedForm(v), s[0], space, 1, s[1])})
	}
	return l.nchwc("ReorderInput", []value{l.reshape(l.plain(v), s[0], s[1], 1, space)}, onnxgraph.Int("channels_last", 1))
}
