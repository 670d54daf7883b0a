package gradient

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// convTransposeRule: Y = ConvTranspose(X, W, B) is the transpose of the convolution with W that maps Y's shape to X's. So dX is
// that convolution of dY, and dW is that of Conv's rule with X and dY exchanged.
func convTransposeRule(c *call) []value {
	w := c.turnedWindow()
	groups := c.Node.Int("group", 1)
	before, after := w.reach()
	dx := c.op("Conv", []value{c.padSpatial(c.dy(), before, after), c.in(1)},
		onnxgraph.Ints("kernel_shape", w.kernel...), onnxgraph.Ints("dilations", w.dilation...),
		onnxgraph.Ints("strides", w.stride...), onnxgraph.Int("group", groups))
	d := []value{dx, c.convWeight(w, groups, c.dy(), c.x()), nil}
	if c.needs(2) {
		d[2] = c.channelTotal(c.dy())
	}
	return d
}

// turnedWindow returns the geometry of the convolution whose transpose a ConvTranspose is. If the node has output_shape or
// auto_pad, the padding follows from the sizes: half of it on either side, and an odd element at the end with SAME_UPPER and at
// the beginning otherwise, as the ONNX specification says.
func (c *call) turnedWindow() window {
	w := c.windowOf(c.shape(c.in(1))[2:])
	w.in, w.out = w.out, w.in
	attributes := c.Node.Window(w.rank())
	added := c.Node.Ints("output_padding")
	for i := range w.rank() {
		if !attributes.IsSame() && !c.Node.Has("output_shape") {
			continue
		}
		total := (w.out[i]-1)*w.stride[i] + w.extent(i) - w.in[i]
		if added != nil {
			total += added[i]
		}
		total = max(total, 0)
		w.padBegin[i] = total - total/2
		if attributes.AutoPad == "SAME_UPPER" {
			w.padBegin[i] = total / 2
		}
	}
	return w
}
