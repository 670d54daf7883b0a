package blocked

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func (l *lowering) globalAveragePool(n node) value {
	if !l.isBlocked(n.Input(0)) {
		return nil
	}
	return l.nchwc("GlobalAveragePool", []value{l.twins[n.Input(0)]})
}

// expand repeats one number per image and channel.
func (l *lowering) expand(n node) value {
	v, y := n.Input(0), n.Output(0)
	s := shapeOf(y)
	if !l.fits(y) || !slices.Equal(shapeOf(v), []int64{s[0], s[1], 1, 1}) {
		return nil
	}
	b, space := l.block, s[2]*s[3]
	wide := l.Op("Expand", []value{l.reshape(l.blockedForm(v), s[0], s[1]/b, 1, b), l.Ints(s[0], s[1]/b, space, b)})
	return l.reshape(wide, s...)
}

// reduce is a sum or mean over images and space. Its result has one position for each channel, so the two layouts are the same.
func (l *lowering) reduce(n node) value {
	x, y := n.Input(0), n.Output(0)
	if n.Input(1) == nil || n.Input(1).Constant() == nil {
		return nil
	}
	axes, _ := n.Input(1).Constant().Int64s()
	if !slices.Equal(axes, []int64{0, 2, 3}) {
		return nil
	}
	sum := l.overSpace(x)
	if sum == nil {
		return nil
	}
	opType := "ReduceSum"
	if n.Is("ReduceMean") && !sum.isTotal {
		opType = "ReduceMean" // of means
	}
	over := l.typed(l.Op(opType, []value{sum.v, l.Ints(0)}, onnxgraph.Int("keepdims", 1)), 1, shapeOf(x)[1], 1, 1)
	s := shapeOf(x)
	switch {
	case n.Is("ReduceMean") && sum.isTotal:
		over = l.scale(over, 1/float64(s[0]*s[2]*s[3]))
	case n.Is("ReduceSum") && !sum.isTotal:
		over = l.scale(over, float64(s[2]*s[3]))
	}
	if len(shapeOf(y)) != 4 {
		over = l.reshape(over, shapeOf(y)...)
	}
	return l.typed(over, shapeOf(y)...)
}

// spatial is a tensor whose spatial dimensions have been reduced.
type spatial struct {
	v       value // [N, C, 1, 1]
	isTotal bool  // v is a sum, otherwise a mean
}

// overSpace emits the mean of x over space, or the sum if x is a product that nothing else reads; nil if x is not blocked.
func (l *lowering) overSpace(x value) *spatial {
	s := shapeOf(x)
	if n := x.Producer(); n != nil && n.Is("Mul") && single(x) && s[2]*s[3] > 1 {
		a, b := n.Input(0), n.Input(1)
		if slices.Equal(shapeOf(a), s) && slices.Equal(shapeOf(b), s) && (l.isBlocked(a) || l.isBlocked(b)) {
			return &spatial{l.dot(l.blockedForm(a), l.blockedForm(b), s), true}
		}
	}
	if !l.isBlocked(x) {
		return nil
	}
	return &spatial{l.nchwc("GlobalAveragePool", []value{l.twins[x]}), false}
}

// dot emits the sum of a·b over space, [N, C, 1, 1]. It is a depthwise convolution of each map with a filter of the same size.
func (l *lowering) dot(a, b value, s []int64) value {
	maps := s[0] * s[1]
	y := l.nchwc("Conv", []value{l.reshape(a, 1, maps, s[2], s[3]), l.reshape(b, maps, 1, s[2], s[3])},
		onnxgraph.Int("group", maps), onnxgraph.Ints("kernel_shape", s[2], s[3]), onnxgraph.Ints("strides", 1, 1), onnxgraph.Ints("pads", 0, 0, 0, 0))
	return l.reshape(y, s[0], s[1], 1, 1)
}
