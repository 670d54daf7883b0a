package blocked

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// conv is the blocked form of a convolution with one group, or of a depthwise one.
func (l *lowering) conv(n node) value {
	x, w, y := n.Input(0), n.Input(1), n.Output(0)
	if !l.fits(y) || len(shapeOf(x)) != 4 || len(shapeOf(w)) != 4 {
		return nil
	}
	ws, groups := shapeOf(w), n.Int("group", 1)
	in := shapeOf(x)[1]
	isKernelShape := func(a onnxgraph.Attribute) bool { return a.Name() == "kernel_shape" }
	attrs := append(slices.DeleteFunc(slices.Clone(n.Attributes()), isKernelShape), onnxgraph.Ints("kernel_shape", ws[2:]...))
	inputs := []value{nil, nil}
	switch {
	case groups == 1 && in%l.block == 0:
		inputs[0], inputs[1] = l.blockedForm(x), l.filters(w)
	case groups == 1 && in < l.block:
		inputs[0], inputs[1] = l.plain(x), l.filters(w)
	case groups == in && ws[0] == in:
		inputs[0], inputs[1] = l.blockedForm(x), l.depthwiseFilters(w)
	default:
		return nil
	}
	if bias := n.Input(2); bias != nil {
		inputs = append(inputs, bias)
	}
	return l.nchwc("Conv", inputs, attrs...)
}

// affine emits x·scale + shift per channel, plus sum if that is not nil, followed by an activation if there is one. All values
// are in blocked layout.
func (l *lowering) affine(x value, channels int64, scale, shift, sum value, activation []onnxgraph.Attribute) value {
	attrs := []onnxgraph.Attribute{
		onnxgraph.Int("group", channels), onnxgraph.Ints("kernel_shape", 1, 1), onnxgraph.Ints("strides", 1, 1), onnxgraph.Ints("pads", 0, 0, 0, 0),
	}
	attrs = append(attrs, activation...)
	if shift != nil {
		shift = l.reshape(shift, channels)
	}
	return l.nchwc("Conv", []value{x, l.reshape(scale, channels, 1, 1, 1), shift, sum}, attrs...)
}
