package blocked

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// weightGradient replaces the gradient of the filters of a k×k convolution of one group, stride 1 and "same" padding:
//
//	dW[m,c,s,t] = Σ over n, rows i, columns j of dY[n,m,i-s+p,j]·X[n,c,i,j+t-p]
//
// which is one product of matrices: dY in k copies shifted by rows, with X in k copies shifted by columns. The
// copies are made by depthwise convolutions whose dilation spans a whole image.
func (l *lowering) weightGradient(c gradient.Convolution) bool {
	g, ok := l.sameConv(c.Node)
	if !ok || !l.fits(c.DY) || !l.fits(c.Node.Input(0)) {
		return false
	}
	n, m, ch := g.images, g.out, g.in
	space := g.h * g.w
	rows := l.reshape(l.rowShifts(c.DY, g), n, g.k*m, space)
	columns := l.reshape(l.columnShifts(c.Node.Input(0), g), n, g.k*ch, space)
	product := l.sumOver(l.Op("MatMul", []value{rows, l.transpose(columns, 0, 2, 1)}), 0, 0)
	dw := l.reshape(l.transpose(l.reshape(product, m, g.k, ch, g.k), 0, 2, 1, 3), m, ch, g.k, g.k)
	dw.SetType(onnxgraph.Float32, onnxgraph.Static(m, ch, g.k, g.k))
	onnxgraph.ReplaceUses(c.DW, dw)
	return true
}

// sameGeometry is that of a k×k convolution of stride 1 that keeps the size of its images.
type sameGeometry struct{ images, in, out, h, w, k int64 }

func (l *lowering) sameConv(n node) (sameGeometry, bool) {
	x, w := shapeOf(n.Input(0)), shapeOf(n.Input(1))
	if len(w) != 4 || n.Int("group", 1) != 1 || w[2] != w[3] || w[2] != 3 {
		return sameGeometry{}, false
	}
	p := w[2] / 2
	plain := func(name string, v int64) bool {
		return !slices.ContainsFunc(n.Ints(name), func(a int64) bool { return a != v })
	}
	ok := plain("strides", 1) && plain("dilations", 1) && len(n.Ints("pads")) == 4 && plain("pads", p) && n.Str("auto_pad", "NOTSET") == "NOTSET"
	return sameGeometry{x[0], w[1], w[0], x[2], x[3], w[2]}, ok
}

// rowShifts returns k copies of dY below one another, [N, M, k·H, W] in plain layout: copy s has row i-s+p at row i.
func (l *lowering) rowShifts(dy value, g sameGeometry) value {
	p := g.k / 2
	above := (g.k-1)*(g.h+1) - p
	below := g.k*g.h - g.h + (g.k-1)*(g.h+1) - above
	ones := slices.Repeat([]float32{1}, int(g.k))
	if g.w%l.block == 0 { // plain rows are blocks of columns
		lanes := l.reshape(l.plain(dy), g.images*g.out, l.block, g.h, g.w/l.block)
		return l.shifts(lanes, l.block, ones, g.k, 1, g.h+1, []int64{above, 0, below, 0})
	}
	copies := l.shifts(l.blockedForm(dy), g.out, ones, g.k, 1, g.h+1, []int64{above, 0, below, 0})
	return l.nchwc("ReorderOutput", []value{copies}, onnxgraph.Int("channels", g.out))
}

// columnShifts returns k copies of X below one another, [N, C, k·H, W] in plain layout: copy t has column j+t-p at column j.
func (l *lowering) columnShifts(x value, g sameGeometry) value {
	p := g.k / 2
	diagonal := make([]float32, g.k*g.k)
	for t := range g.k {
		diagonal[(g.k-1-t)*g.k+t] = 1
	}
	copies := l.shifts(l.blockedForm(x), g.in, diagonal, g.k, g.k, g.h, []int64{(g.k - 1) * g.h, p, (g.k - 1) * g.h, p})
	return l.nchwc("ReorderOutput", []value{copies}, onnxgraph.Int("channels", g.in))
}

// shifts convolves every map of x with the same kernel, of the given height, width and dilation of rows.
func (l *lowering) shifts(x value, channels int64, kernel []float32, height, width, dilation int64, pads []int64) value {
	var data []float32
	for range channels / l.block {
		for _, v := range kernel {
			data = append(data, slices.Repeat([]float32{v}, int(l.block))...)
		}
	}
	filters := l.Graph.AddConstant("shifts", onnxgraph.NewTensor([]int64{channels, 1, height, width}, data))
	return l.nchwc("Conv", []value{x, filters},
		onnxgraph.Int("group", channels), onnxgraph.Ints("kernel_shape", height, width), onnxgraph.Ints("strides", 1, 1),
		onnxgraph.Ints("dilations", dilation, 1), onnxgraph.Ints("pads", pads...))
}
