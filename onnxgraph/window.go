package onnxgraph

import (
	"cmp"
	"slices"
)

// Window says how a convolution or pooling moves its kernel over the spatial axes, in elements: one number per axis.
type Window struct {
	Strides, Dilations []int64
	Pads               []int64 // before the first element of each axis, then behind the last of each; 0 if AutoPad decides
	AutoPad            string  // "NOTSET", "SAME_UPPER", "SAME_LOWER" or "VALID"
}

// Window reads the attributes of a node that moves a kernel over so many axes, by the rules of Conv. An absent or empty list means
// strides and dilations of 1, and no padding; a missing or empty auto_pad means NOTSET. Under any other auto_pad, the node's pads do
// not count. Lists that do not have one number per axis (two for pads) stay as they are. A function's parameter is nil.
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

// IsSame reports whether the padding follows from the size of the input: see SamePads.
func (w Window) IsSame() bool { return w.AutoPad == "SAME_UPPER" || w.AutoPad == "SAME_LOWER" }

// SamePads returns the pads of SAME_UPPER or SAME_LOWER, in the order of Pads, for an input of the given size and a kernel that covers
// so many elements of each axis: those for which the output has ceil(size/stride) elements. An odd one goes to the end with SAME_UPPER, to
// the beginning with SAME_LOWER. If a stride is larger than the kernel, the pads can be negative: pooling leaves out elements, while
// convolutions do not pad then.
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

// perAxis returns the integers of an attribute, one per axis, or the value of without for each axis if the node has none. It returns
// nil for a function's parameter.
func (n *Node) perAxis(name string, axes int, without int64) []int64 {
	if a := n.find(name); a != nil && (a.IsReference() || len(a.proto.GetInts()) > 0) {
		return slices.Clone(n.literal(name).GetInts())
	}
	return slices.Repeat([]int64{without}, axes)
}
