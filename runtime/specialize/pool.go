package specialize

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// settlePool brings the first pooling of a graph into a form without doubt that ONNX Runtime computes in another size than it
// infers, and reports whether there was one. The values stay the same. Values must have their types. There are two kinds:
//
//   - The last window, by ceil_mode, would start in the padding behind the input. ONNX Runtime and PyTorch leave it out, but it
//     counts in what is inferred. Without it the output is as large as without ceil_mode; where other dimensions need that, the
//     padding, or the input, can end where the last window does.
//   - Where auto_pad is SAME_UPPER or SAME_LOWER, ceil_mode does nothing, and ONNX Runtime pads as if there were no dilations.
func settlePool(g *onnxgraph.Graph) bool {
	for _, n := range g.Sorted() {
		if n.Domain() != "" || !slices.Contains([]string{"MaxPool", "AveragePool", "LpPool"}, n.OpType()) {
			continue
		}
		shape, ok := n.Input(0).StaticShape()
		p := poolOf(n)
		if ok && len(shape) == len(p.kernel)+2 && p.settle(n, shape[2:]) {
			return true
		}
	}
	return false
}

// pool is the geometry of a pooling node, one number per dimension.
type pool struct {
	kernel, extent, stride []int64 // extent is what the kernel spans with its dilation
	begin, end             []int64 // padding
}

func poolOf(n *onnxgraph.Node) pool {
	p := pool{kernel: n.Ints("kernel_shape")}
	rank := len(p.kernel)
	orElse := func(list []int64, otherwise int64) []int64 {
		if len(list) != rank {
			return slices.Repeat([]int64{otherwise}, rank)
		}
		return slices.Clone(list)
	}
	p.stride, p.extent = orElse(n.Ints("strides"), 1), orElse(n.Ints("dilations"), 1)
	for i, k := range p.kernel {
		p.extent[i] = p.extent[i]*(k-1) + 1
	}
	pads := n.Ints("pads")
	if len(pads) != 2*rank || n.Str("auto_pad", "NOTSET") != "NOTSET" {
		pads = make([]int64, 2*rank)
	}
	p.begin, p.end = slices.Clone(pads[:rank]), slices.Clone(pads[rank:])
	return p
}

// settle is settlePool for one node, with the spatial size of its input.
func (p pool) settle(n *onnxgraph.Node, in []int64) bool {
	if slices.Min(p.stride) < 1 {
		return false
	}
	ceil, mode := n.Int("ceil_mode", 0) != 0, n.Str("auto_pad", "NOTSET")
	if mode == "SAME_UPPER" || mode == "SAME_LOWER" {
		if slices.Equal(p.kernel, p.extent) {
			n.RemoveAttr("ceil_mode")
			return ceil
		}
		for i := range in {
			total := ((in[i]+p.stride[i]-1)/p.stride[i]-1)*p.stride[i] + p.kernel[i] - in[i]
			if total < 0 { // the stride is larger than the kernel: nobody pads so
				return false
			}
			p.begin[i], p.end[i] = total/2, total-total/2
			if mode == "SAME_LOWER" {
				p.begin[i], p.end[i] = p.end[i], p.begin[i]
			}
		}
		p.setPads(n)
		return true
	}
	if !ceil {
		return false
	}
	beyond, partial := false, false
	for i := range in {
		room := in[i] + p.begin[i] + p.end[i] - p.extent[i] // for the first window to move
		switch rest := room % p.stride[i]; {
		case room < 0 || rest == 0:
		case (room/p.stride[i]+1)*p.stride[i] >= in[i]+p.begin[i]:
			beyond = true
			p.end[i] -= rest
		default:
			partial = true
		}
	}
	switch {
	case !beyond:
		return false
	case !partial:
		n.RemoveAttr("ceil_mode")
		return true
	}
	p.crop(n, in)
	p.setPads(n)
	return true
}

// crop takes from the end of a node's input what the padding there is short of 0.
func (p pool) crop(n *onnxgraph.Node, in []int64) {
	if slices.Min(p.end) >= 0 {
		return
	}
	g := n.Graph()
	var starts, ends, axes []int64
	for i := range in {
		starts, ends, axes = append(starts, 0), append(ends, in[i]+min(0, p.end[i])), append(axes, int64(2+i))
		p.end[i] = max(0, p.end[i])
	}
	inputs := []*onnxgraph.Value{n.Input(0)}
	for _, list := range [][]int64{starts, ends, axes} {
		inputs = append(inputs, g.AddConstant("crop", onnxgraph.NewTensor([]int64{int64(len(list))}, list)))
	}
	n.SetInput(0, g.AddNode("Slice", inputs).Output(0))
}

// setPads makes a node pad so.
func (p pool) setPads(n *onnxgraph.Node) {
	n.RemoveAttr("auto_pad")
	n.SetAttr(onnxgraph.Ints("pads", append(slices.Clone(p.begin), p.end...)...))
}
