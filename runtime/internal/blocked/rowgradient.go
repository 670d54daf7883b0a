package blocked

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// byRows emits the gradient of filters [M, C, kh, kw] of one group
//
//	dW[m,c,s,t] = Σ over images n, rows i, columns j of dY[n,m,i,j]·X[n,c,σ·i+δ·s-p,σ·j+δ·t-p]
//
// with stride σ, dilation δ and padding p, by rowProduct. It makes a copy of X or of dY for each t, with shifted columns: of dY
// if possible, because X must be rearranged. For an image with few channels, the copies become channels.
func (l *lowering) byRows(x, dy value, w []int64, g geometry) value {
	in, out := shapeOf(x), shapeOf(dy)
	taps := columns{count: w[3], dilation: g.dilations[1], stride: g.strides[1], before: g.pads[1]}
	y := operand{l.typed(l.blockedForm(dy), out...), noShift}
	if patch := in[1] * w[3]; in[1] < l.block {
		width := l.rowWidth(out[0], out[3])
		patches := l.patches(x, width, taps)
		dw := l.rowProduct(operand{patches, noShift}, y, width, w[2], g)
		dw = l.reshape(l.Op("Slice", []value{dw, l.Ints(0), l.Ints(patch), l.Ints(1)}), out[1], in[1], w[3], w[2])
		return l.transpose(dw, 0, 1, 3, 2)
	}
	z := operand{l.typed(l.blockedForm(x), in...), noShift}
	if width := l.rowWidth(in[0], in[3]); taps.stride == 1 {
		if back := taps.inverse(); back.before >= 0 && back.after(out[3], width) >= 0 {
			y.columns = back
			return l.rowProduct(z, y, width, w[2], g)
		}
	}
	z.columns = taps
	return l.rowProduct(z, y, l.rowWidth(out[0], out[3]), w[2], g)
}

// operand is a tensor in blocked layout, and a description of its copies.
type operand struct {
	v value
	columns
}

// rowProduct sums dY[n,m,i,j]·X[n,c,σ·i+δ·s-p,j] over images, rows and columns, for every copy of dY or X: [M, C, kh rows,
// copies]. It is one convolution. Its input channels are the columns in a block, its kernel consists of the rows and the blocks
// of a row, and the rows of its output are the taps s. dY in blocked layout is used as the filters, without changes:
//
//	dY  [G, M/B, copies, images, H, W/B, B, B of M]    filters: as many groups as G, kernel H×W/B
//	X   [G, images, H, W/B, copies, C, B]              input: H rows and W/B·copies·C places
func (l *lowering) rowProduct(x, dy operand, width, kernelRows int64, g geometry) value {
	in, out := shapeOf(x.v), shapeOf(dy.v)
	filters, places := dy.count*out[1], x.count*in[1]
	a := l.arrange(in[0], in[2], width, filters, kernelRows*places)
	across := max(1, width/l.block)
	w := l.shiftedColumns(a.imagesUnderMaps(dy.v), width, dy.columns)
	rows := a.columnsInBlocks(l.shiftedColumns(x.v, width, x.columns), in, x.count)
	reach := (kernelRows-1)*g.dilations[0] + (out[2]-1)*g.strides[0] + 1 - in[2] - g.pads[0]
	taps := kernelRows + max(0, -reach)/g.dilations[0] // more rows than the kernel has if no window reads some rows of X
	product := l.nchwc("Conv", []value{
		l.reshape(rows, 1, a.groups*a.together*l.block, in[2], across*places),
		l.reshape(w, a.groups*filters, a.together*l.block, out[2], across),
	}, onnxgraph.Int("group", a.groups), onnxgraph.Ints("kernel_shape", out[2], across), onnxgraph.Ints("strides", g.dilations[0], 1),
		onnxgraph.Ints("dilations", g.strides[0], places), onnxgraph.Ints("pads", g.pads[0], 0, max(0, reach), 0))
	if a.groups > 1 {
		product = l.sumOver(l.reshape(product, a.groups, filters*taps*places), 1, 0)
	}
	product = l.reshape(product, out[1]/l.block, dy.count, taps, places*l.block)
	return l.plainFilters(product, out[1], in[1], kernelRows, x.count*dy.count)
}

// plainFilters rearranges filters from [M/B, 1, kh, kw, C, B of M], or [M/B, kw, kh, 1, C, B], to [M, C, 1, kh·kw]. There may be
// more rows than kh. It uses ReorderInput and ReorderOutput, which run at the speed of memory, while Transpose moves single
// numbers.
func (l *lowering) plainFilters(v value, m, c, kh, kw int64) value {
	s := shapeOf(v)
	if blocks, copies, rows := s[0], s[1], s[2]; copies > 1 || rows > kh {
		wide := s[3] / l.block
		v = l.rows(v, func(yield func(row int64)) {
			for block := range blocks {
				for row := range kh {
					for column := range copies {
						for i := range wide {
							yield(((block*copies+column)*rows+row)*wide + i)
						}
					}
				}
			}
		}, -1)
	}
	v = l.plainLayout(l.reshape(v, 1, m, kh*kw, c))
	v = l.nchwc("ReorderInput", []value{l.reshape(v, m, 1, kh*kw, c)}, onnxgraph.Int("channels_last", 1))
	return l.plainLayout(l.typed(v, m, c, 1, kh*kw))
}
