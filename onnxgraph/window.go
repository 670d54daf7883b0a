package onnxgraph

import (
	"cmp"
	"slices"
)

// Window says how a convolution or pooling moves its kernel over the spatial axes. Strides, dilations and pads are in elements.
type Window struct {
	Strides, Dilations []int64 // one number for each axis
	Pads               []int64 // before the first element of each axis, then after the last of each; zeros if AutoPad decides
	AutoPad            string  // "NOTSET", "SAME_UPPER", "SAME_LOWER" or "VALID"
}

// Window reads the attributes strides, dilations, pads and auto_pad of a node that moves a kernel over the given number of axes,
// by the rules of Conv. Absent or empty strides and dilations are 1, absent or empty pads are 0, and an absent or empty auto_pad
// is NOTSET. With any other auto_pad, the node's pads do not count, and Pads are zeros. A list of the wrong length (other than
// one number per axis, or two for pads) is returned as it is. A list that refers to a function's parameter is nil (see
// Attribute.IsReference).
func (n *Node) Window(axes int) Window {
	w := Window{
		Strides: n.perAxis("strides", axes, 1), Dilations: n.perAxis("dilations", axes, 1),
		Pads: n.perAxis("pads", 2*axes, 0), AutoPad: cmp.Or(n.Str("auto_pad", ""), "NOTSET"),
	}
	if w.AutoPad != "NOTSET" {
		w.Pads = make([]int64, 2*axes)
	}
	return w
}

// IsSame reports whether AutoPad is SAME_UPPER or SAME_LOWER, so that the pads follow from the size of the input: see SamePads.
func (w Window) IsSame() bool { return w.AutoPad == "SAME_UPPER" || w.AutoPad == "SAME_LOWER" }

// SamePads returns the pads of SAME_UPPER or SAME_LOWER in the order of Pads: with them, the output has ceil(size/stride)
// elements along each axis. size is that of the input along each spatial axis, and extent is how many elements the kernel covers
// there: dilation·(kernel-1) + 1. If the sum of an axis's two pads is odd, the larger one is at the end with SAME_UPPER, and at
// the beginning with SAME_LOWER. Call it only if IsSame.
//
// If a stride is larger than the extent, pads can be negative: pooling then leaves out elements at the border. A convolution
// does not, so for it the caller must replace negative pads by 0.
func (w Window) SamePads(size, extent []int64) []int64 {
	pads := make([]int64, 2*len(size))
	for i, stride := range w.Strides {
		total := ((size[i]+stride-1)/stride-1)*stride + extent[i] - size[i]
		begin := total / 2
		if w.AutoPad == "SAME_LOWER" {
			begin = (total + 1) / 2
		}
		pads[i], pads[i+len(size)] = begin, total-begin
	}
	return pads
}

// perAxis returns the integers of an attribute, one per axis, or the value of without for each axis if the node has none. It
// returns nil for a function's parameter.
func (n *Node) perAxis(name string, axes int, without int64) []int64 {
	if a := n.find(name); a != nil && (a.IsReference() || len(a.proto.GetInts()) > 0) {
		return slices.Clone(n.literal(name).GetInts())
	}
	return slices.Repeat([]int64{without}, axes)
}
