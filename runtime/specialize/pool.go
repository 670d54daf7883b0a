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
		if !ok || len(shape) != len(n.Ints("kernel_shape"))+2 {
			continue
		}
		if p, ok := poolOf(n); ok && p.settle(shape[2:]) {
			return true
		}
	}
	return false
}

// pool is the geometry of a pooling node, one number per dimension.
type pool struct {
	node           *onnxgraph.Node
	window         onnxgraph.Window
	kernel, extent []int64 // extent is what the kernel spans with its dilation
	begin, end     []int64 // the window's pads
}

// poolOf reads a node; ok is false if its attributes do not go with its kernel.
func poolOf(n *onnxgraph.Node) (p pool, ok bool) {
	kernel := n.Ints("kernel_shape")
	p = pool{node: n, window: n.Window(len(kernel)), kernel: kernel}
	w := p.window
	if len(kernel) == 0 || len(w.Strides) != len(kernel) || len(w.Dilations) != len(kernel) || len(w.Pads) != 2*len(kernel) {
		return p, false
	}
	for i, k := range kernel {
		p.extent = append(p.extent, w.Dilations[i]*(k-1)+1)
	}
	p.begin, p.end = w.Pads[:len(kernel)], w.Pads[len(kernel):]
	return p, true
}

// settle is settlePool for one node, with the spatial size of its input.
func (p pool) settle(in []int64) bool {
	n, stride := p.node, p.window.Strides
	ceil := n.Int("ceil_mode", 0) != 0
	if p.window.IsSame() {
		if slices.Equal(p.kernel, p.extent) {
			n.RemoveAttr("ceil_mode")
			return ceil
		}
		pads := p.window.SamePads(in, p.kernel)
		if slices.Min(pads) < 0 { // the stride is larger than the kernel: nobody pads so
			return false
		}
		p.setPads(pads)
		return true
	}
	if !ceil {
		return false
	}
	beyond, partial := false, false
	for i := range in {
		room := in[i] + p.begin[i] + p.end[i] - p.extent[i] // for the first window to move
		switch rest := room % stride[i]; {
		case room < 0 || rest == 0:
		case (room/stride[i]+1)*stride[i] >= in[i]+p.begin[i]:
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
	p.crop(in)
	p.setPads(p.window.Pads)
	return true
}

// crop takes from the end of a node's input what the padding there is short of 0.
func (p pool) crop(in []int64) {
	if slices.Min(p.end) >= 0 {
		return
	}
	n, g := p.node, p.node.Graph()
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

// setPads makes the node pad so.
func (p pool) setPads(pads []int64) {
	p.node.RemoveAttr("auto_pad")
	p.node.SetAttr(onnxgraph.Ints("pads", pads...))
}
