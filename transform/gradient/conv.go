package gradient

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// window is the geometry of a convolution or pooling along the spatial dimensions. All sizes are in elements.
type window struct {
	in, out          []int64 // spatial size of input and output
	kernel           []int64
	stride, dilation []int64
	padBegin         []int64
	batch, channels  int64 // of the input
}

// extent returns how many input elements the dilated kernel spans along dimension i.
func (w window) extent(i int) int64 { return w.dilation[i]*(w.kernel[i]-1) + 1 }

func (w window) rank() int { return len(w.in) }

// reach returns how many elements the windows extend beyond the input at either end. Negative numbers mean that no window reads
// the last elements.
func (w window) reach() (before, after []int64) {
	for i, begin := range w.padBegin {
		before = append(before, begin)
		after = append(after, (w.out[i]-1)*w.stride[i]+w.extent(i)-w.in[i]-begin)
	}
	return before, after
}

// windowOf reads the geometry of a Conv or pooling node from its attributes and static shapes.
func (c *call) windowOf(kernel []int64) window {
	in, out := c.shape(c.x()), c.shape(c.y())
	rank := len(in) - 2
	attributes := c.Node.Window(rank)
	w := window{
		in: in[2:], out: out[2:], kernel: kernel, batch: in[0], channels: in[1],
		stride: attributes.Strides, dilation: attributes.Dilations, padBegin: attributes.Pads[:rank],
	}
	if attributes.IsSame() {
		extent := make([]int64, rank)
		for i := range extent {
			extent[i] = w.extent(i)
		}
		for i, begin := range attributes.SamePads(w.in, extent)[:rank] {
			if c.Node.Is("Conv") {
				begin = max(0, begin)
			}
			w.padBegin[i] = begin
		}
	}
	return w
}

// convRule: Y = Conv(X, W, B). Its gradients are:
//
//	dX[n,c,i]  = Σ over m,t with i = l·s + t·d - p of dY[n,m,l]·W[m,c,t]
//	dW[m,c,t]  = Σ over n,l of dY[n,m,l]·X[n,c, l·s + t·d - p]
//	dB[m]      = Σ over n,l of dY[n,m,l]
//
// with l the output position, t the kernel tap, s the stride, d the dilation and p the padding.
func convRule(c *call) []value {
	w := c.windowOf(c.shape(c.in(1))[2:])
	groups := c.Node.Int("group", 1)
	d := make([]value, 3)
	if c.needs(2) {
		d[2] = c.channelTotal(c.dy())
	}
	if c.needs(0) {
		d[0] = c.convInput(w, groups)
	}
	if c.needs(1) {
		d[1] = c.convWeight(w, groups, c.x(), c.dy())
	}
	return d
}

// channelTotal sums [N, C, …] to [C].
func (c *call) channelTotal(v value) value {
	return c.sum(v, false, append([]int64{0}, sequence(2, c.rank(c.y())-2)...)...)
}

// convInput returns dX. With stride 1 it is a convolution of dY with the kernel reversed and its channels swapped, which is
// faster than ConvTranspose. A constant kernel is reversed only once, when the session opens.
func (c *call) convInput(w window, groups int64) value {
	if slices.ContainsFunc(w.stride, func(s int64) bool { return s != 1 }) {
		return c.convInputStrided(w, groups)
	}
	before, after := make([]int64, w.rank()), make([]int64, w.rank())
	for i := range before {
		before[i] = w.extent(i) - 1 - w.padBegin[i]
		after[i] = w.in[i] - (w.out[i] + before[i] - w.extent(i) + 1)
	}
	dy := c.dy()
	if slices.Min(before) < 0 || slices.Min(after) < 0 { // the padding is wider than the kernel: cut off these outputs
		dy = c.padSpatial(dy, before, after)
		before, after = repeat(0, w.rank()), repeat(0, w.rank())
	}
	return c.op("Conv", []value{dy, c.turned(w, groups)},
		onnxgraph.Ints("kernel_shape", w.kernel...), onnxgraph.Ints("dilations", w.dilation...),
		onnxgraph.Int("group", groups), onnxgraph.Ints("pads", append(before, after...)...))
}

// turned returns the kernel [M, C/g, k…] reversed along its spatial axes, as [C, M/g, k…].
func (c *call) turned(w window, groups int64) value {
	weight, shape := c.in(1), c.shape(c.in(1))
	if slices.ContainsFunc(w.kernel, func(k int64) bool { return k != 1 }) {
		rank := w.rank()
		weight = c.slice(weight, sequence(2, rank), repeat(-1, rank), repeat(smallestInt, rank), repeat(-1, rank))
	}
	split := []int64{groups, shape[0] / groups, shape[1], onnxgraph.ElementCount(w.kernel)}
	weight = c.transpose(c.reshape(weight, split...), split, 0, 2, 1, 3)
	return c.reshape(weight, append([]int64{groups * split[2], split[1]}, w.kernel...)...)
}

// convInputStrided computes dX by ConvTranspose without padding, and crops or pads the result, because some execution providers
// do not support asymmetric padding.
func (c *call) convInputStrided(w window, groups int64) value {
	full := c.op("ConvTranspose", []value{c.dy(), c.in(1)},
		onnxgraph.Ints("kernel_shape", w.kernel...), onnxgraph.Ints("dilations", w.dilation...),
		onnxgraph.Ints("strides", w.stride...), onnxgraph.Int("group", groups))
	return c.cutReach(full, w)
}

// cutReach gets v, which has all elements that the windows cover, and removes those outside the input.
func (c *call) cutReach(v value, w window) value {
	before, after := w.reach()
	for i := range before {
		before[i], after[i] = -before[i], -after[i]
	}
	return c.padSpatial(v, before, after)
}

// padSpatial pads the spatial dimensions of [N, C, …], or crops them where a number is negative.
func (c *call) padSpatial(v value, before, after []int64) value {
	return c.pad(v, append([]int64{0, 0}, before...), append([]int64{0, 0}, after...))
}

// convWeight returns dW[m,c,t] = Σ over n,l of dY[n,m,l]·X[n,c, l·s + t·d - p] as one matrix product per image and group, summed
// over the images. For a 2-D kernel with taps t = (i,j) and stride 1 along the rows, the sum over the rows of dY can be written
// as a sum over the rows r of X:
//
//	dW[m,c,(i,j)] = Σ over n,r,q of A[(i,m),(r,q)] · B[(r,q),(j,c)], for each image n, with
//	A[(i,m),(r,q)] = dY[n,m, r - i·d + p, q], 0 outside: dY on the rows of X that tap i reads
//	B[(r,q),(j,c)] = X[n,c, r, q·s + j·d - p]:           the columns of X that tap j reads
//
// So k×k taps need k shifted copies of dY and k of X, instead of k·k copies of X. For other kernels and strides, A is dY itself,
// and B has a part for every tap.
func (c *call) convWeight(w window, groups int64, x, dy value) value {
	m, cg := c.shape(c.in(1))[0]/groups, c.shape(c.in(1))[1]
	places := slices.Clone(w.out) // positions that the sum runs over
	parts := []value{dy}          // of A
	splitsRows := w.rank() > 1 && w.stride[0] == 1 && w.kernel[0] > 1
	if splitsRows {
		places[0], parts = w.in[0], nil
		for i := range w.kernel[0] {
			parts = append(parts, c.rowShift(w, dy, i))
		}
	}
	taps := c.columnShifts(w, x, splitsRows) // the parts of B
	rows, columns, length := int64(len(parts)), int64(len(taps)), onnxgraph.ElementCount(places)
	a := c.stack(parts, w.batch, groups, m, length)
	b := c.transpose(c.stack(taps, w.batch, groups, cg, length), []int64{w.batch, groups, columns * cg, length}, 0, 1, 3, 2)
	shape := []int64{groups, rows, m, columns, cg} // of A·B: g, i, m, j, c
	product := c.reshape(c.sum(c.op("MatMul", []value{a, b}), false, 0), shape...)
	return c.reshape(c.transpose(product, shape, 0, 2, 4, 1, 3), append([]int64{groups * m, cg}, w.kernel...)...)
}

// rowShift shifts dY along the rows of X: row l of dY moves to the row of X that tap t reads for it.
func (c *call) rowShift(w window, dy value, t int64) value {
	before, after := repeat(0, w.rank()), repeat(0, w.rank())
	before[0] = t*w.dilation[0] - w.padBegin[0]
	after[0] = w.in[0] - w.out[0] - before[0]
	return c.padSpatial(dy, before, after)
}

// columnShifts returns, for every tap of the kernel in row-major order, the elements of X that it reads at each output position.
// With rowsDone the first spatial dimension stays as it is, and has no taps.
func (c *call) columnShifts(w window, x value, rowsDone bool) []value {
	first := 0
	if rowsDone {
		first = 1
	}
	// pad (or crop) so that every tap's range starts at t·dilation and lies inside
	before, after := w.reach()
	if rowsDone {
		before[0], after[0] = 0, 0
	}
	x = c.padSpatial(x, before, after)
	kernel := w.kernel[first:]
	var shifts []value
	tap := make([]int64, len(kernel))
	for range onnxgraph.ElementCount(kernel) {
		shifts = append(shifts, c.columnShift(w, x, first, tap))
		advance(tap, kernel)
	}
	return shifts
}

// columnShift returns the elements of the padded X that a tap reads at each output position. It first takes every s-th row and
// column, starting at the tap's remainder; other taps share this result. From that it cuts one contiguous piece, unless it needs
// all.
func (c *call) columnShift(w window, x value, first int, tap []int64) value {
	rank := len(tap)
	axes, stride := sequence(int64(2+first), rank), w.stride[first:]
	remainder, begin, end := make([]int64, rank), make([]int64, rank), make([]int64, rank)
	takesAll := true
	for i, t := range tap {
		at := t * w.dilation[first+i]
		remainder[i], begin[i] = at%stride[i], at/stride[i]
		end[i] = begin[i] + w.out[first+i]
		takesAll = takesAll && at < stride[i] && w.extent(first+i)-1-at < stride[i]
	}
	if slices.ContainsFunc(stride, func(s int64) bool { return s != 1 }) {
		x = c.slice(x, axes, remainder, repeat(math.MaxInt64, rank), stride)
	}
	if takesAll {
		return x
	}
	return c.slice(x, axes, begin, end, repeat(1, rank))
}

// advance moves index to the next position in row-major order.
func advance(index, size []int64) {
	for i := len(index) - 1; i >= 0; i-- {
		if index[i]++; index[i] < size[i] {
			return
		}
		index[i] = 0
	}
}

// stack joins parts of shape [N, g·channels, …] into [N, g, parts·channels, length].
func (c *call) stack(parts []value, batch, groups, channels, length int64) value {
	if groups == 1 {
		return c.reshape(c.concat(1, parts...), batch, 1, int64(len(parts))*channels, length)
	}
	for i, p := range parts {
		parts[i] = c.reshape(p, batch, groups, channels, length)
	}
	return c.concat(2, parts...)
}
