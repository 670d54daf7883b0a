package blocked

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// geometry is the geometry of a convolution over two dimensions that has one group, or is depthwise.
type geometry struct {
	strides, dilations, pads []int64
	isDepthwise              bool
}

// geometryOf reads a convolution's attributes; ok is false for other kinds of convolutions.
func geometryOf(c gradient.Convolution) (g geometry, ok bool) {
	n := c.Node
	x, w, groups := shapeOf(c.X), shapeOf(c.W), n.Int("group", 1)
	window := n.Window(2)
	if len(x) != 4 || len(w) != 4 || window.AutoPad != "NOTSET" {
		return geometry{}, false
	}
	isDepthwise := groups > 1 && groups == x[1] && groups == w[0]
	if groups > 1 && !isDepthwise {
		return geometry{}, false
	}
	return geometry{window.Strides, window.Dilations, window.Pads, isDepthwise}, true
}

// readsAll reports whether 1×1 filters read every position of the image exactly once, and no padding.
func (g geometry) readsAll() bool {
	return slices.Equal(g.strides, []int64{1, 1}) && slices.Equal(g.pads, []int64{0, 0, 0, 0})
}
