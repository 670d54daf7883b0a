package blocked

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// inputGradient replaces the gradient of the input of a convolution. With stride s, every s-th row and column of the gradient
// depends on the same taps. So the gradient consists of s×s interleaved images, and each is a convolution of dY with a part of
// the kernel:
//
//	dX[i] = Σ over u of dY[m + c - u·d]·W[r + s·u]   at i = i₀ + s·m,   r = (i+p) mod s,   c = (i₀+p-r)/s
//
// with the dilation d. Either d or s must be 1.
func (l *lowering) inputGradient(c gradient.Convolution) bool {
	g, ok := geometryOf(c)
	if !ok || !l.fits(c.DY) || !l.fits(c.X) {
		return false
	}
	x, w, dy := shapeOf(c.X), shapeOf(c.W), shapeOf(c.DY)
	var phases [2][]phase
	for i := range phases {
		var ok bool
		if phases[i], ok = phasesOf(x[2+i], dy[2+i], w[2+i], g.strides[i], g.dilations[i], g.pads[i]); !ok {
			return false
		}
	}
	dyBlocked := l.blockedForm(c.DY)
	if len(phases[0]) == 1 && len(phases[1]) == 1 {
		l.twins[c.DX] = l.phase(dyBlocked, c.W, phases[0][0], phases[1][0], x, g)
		return true
	}
	parts := phaseGrid{size: [2]int64{phases[0][0].size, phases[1][0].size}}
	for _, v := range phases[0] {
		var row []value
		for _, u := range phases[1] {
			row = append(row, l.phase(dyBlocked, c.W, v, u, x, g))
		}
		parts.rows = append(parts.rows, row)
	}
	l.interleave(c.DX, parts)
	return true
}

// phaseGrid is a gradient in s×s parts of one size: for every row phase, a list by column phase. nil means zeros.
type phaseGrid struct {
	rows [][]value
	size [2]int64 // of one part
}

// interleave makes the twin of v from its parts.
func (l *lowering) interleave(v value, parts phaseGrid) {
	x, b := shapeOf(v), l.block
	maps, h, w := x[0]*x[1]/b, parts.size[0], parts.size[1]
	var rows []value
	for _, row := range parts.rows {
		var columns []value
		for _, part := range row {
			if part == nil {
				part = l.Op("Expand", []value{l.Fill(onnxgraph.Float32, 0), l.Ints(x[0], x[1], h, w)})
			}
			columns = append(columns, l.reshape(part, maps*h, w, b))
		}
		joined := l.Op("Concat", columns, onnxgraph.Int("axis", 2))
		rows = append(rows, l.reshape(joined, maps*h, x[3]*b))
	}
	l.phases[v] = parts
	l.twins[v] = l.reshape(l.Op("Concat", rows, onnxgraph.Int("axis", 1)), x...)
}

// addPhases adds up the gradients of two convolutions with one stride: it adds their parts and interleaves the sums, which needs
// only one interleaving and adds no zeros.
func (l *lowering) addPhases(n node) bool {
	a, b := l.phases[n.Input(0)], l.phases[n.Input(1)]
	if a.rows == nil || a.size != b.size || !n.Is("Add") {
		return false
	}
	sum := phaseGrid{size: a.size}
	for i := range a.rows {
		var row []value
		for j, part := range a.rows[i] {
			switch other := b.rows[i][j]; {
			case part == nil:
				part = other
			case other != nil:
				part = l.Op("Add", []value{part, other})
			}
			row = append(row, part)
		}
		sum.rows = append(sum.rows, row)
	}
	l.interleave(n.Output(0), sum)
	return true
}

// phase is one of the interleaved parts of a dimension: its size, its taps in reverse order, and the padding of dY.
type phase struct {
	size          int64
	taps          []int64
	before, after int64
}

// phasesOf splits a dimension into s parts. ok is false if their sizes differ, or if dY would have to be cropped.
func phasesOf(in, out, kernel, s, d, p int64) (parts []phase, ok bool) {
	if in%s != 0 || s > 1 && d > 1 {
		return nil, false
	}
	for first := range s {
		r := (first + p) % s
		q := phase{size: in / s}
		for t := r; t < kernel; t += s {
			q.taps = append([]int64{t}, q.taps...)
		}
		reach := d * (int64(len(q.taps)) - 1)
		q.before = reach - (first+p-r)/s
		q.after = q.size - out - q.before + reach
		if len(q.taps) > 0 && (q.before < 0 || q.after < 0) {
			return nil, false
		}
		parts = append(parts, q)
	}
	return parts, true
}

// phase emits the part of dX for one row phase and one column phase, nil if it depends on no tap.
func (l *lowering) phase(dy, w value, v, u phase, x []int64, g geometry) value {
	if len(v.taps) == 0 || len(u.taps) == 0 {
		return nil
	}
	var taps []int64
	for _, i := range v.taps {
		for _, j := range u.taps {
			taps = append(taps, i*shapeOf(w)[3]+j)
		}
	}
	h, k := int64(len(v.taps)), int64(len(u.taps))
	filters, groups := value(nil), int64(1)
	if g.isDepthwise {
		filters, groups = l.depthwiseTaps(w, taps, h, k), x[1]
	} else {
		filters = l.turnedFilters(w, taps, h, k)
	}
	return l.nchwc("Conv", []value{dy, filters}, onnxgraph.Int("group", groups), onnxgraph.Ints("kernel_shape", h, k),
		onnxgraph.Ints("strides", 1, 1), onnxgraph.Ints("dilations", g.dilations...), onnxgraph.Ints("pads", v.before, u.before, v.after, u.after))
}
