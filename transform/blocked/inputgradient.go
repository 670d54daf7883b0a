package blocked

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// inputGradient replaces the gradient of the input of a strided convolution of one group. Every s-th row and column of it
// reads the same taps, so that it is s×s interleaved images, each a convolution of dY with a part of the kernel:
//
//	dX[i] = Σ over u of dY[m + c - u]·W[r + s·u]   at i = i₀ + s·m,   r = (i+p) mod s,   c = (i₀+p-r)/s
func (l *lowering) inputGradient(c gradient.Convolution) bool {
	n := c.Node
	x, w, strides, pads := shapeOf(n.Input(0)), shapeOf(n.Input(1)), n.Ints("strides"), n.Ints("pads")
	plain := !slices.ContainsFunc(n.Ints("dilations"), func(d int64) bool { return d != 1 }) && n.Str("auto_pad", "NOTSET") == "NOTSET"
	if len(x) != 4 || !plain || n.Int("group", 1) != 1 || len(strides) != 2 || strides[0] == 1 && strides[1] == 1 || !l.fits(c.DY) || !l.fits(n.Input(0)) {
		return false
	}
	if pads == nil {
		pads = []int64{0, 0, 0, 0}
	}
	dy := shapeOf(c.DY)
	var phases [2][]phase
	for i := range phases {
		var ok bool
		if phases[i], ok = phasesOf(x[2+i], dy[2+i], w[2+i], strides[i], pads[i]); !ok {
			return false
		}
	}
	dyBlocked := l.blockedForm(c.DY)
	b := l.block
	h, wide := phases[0][0].size, phases[1][0].size
	var rows []value
	for _, v := range phases[0] {
		var columns []value
		for _, u := range phases[1] {
			part := l.phase(dyBlocked, n.Input(1), v, u, x)
			columns = append(columns, l.reshape(part, x[0]*x[1]/b*h, wide, b))
		}
		joined := l.Op("Concat", columns, onnxgraph.Int("axis", 2))
		rows = append(rows, l.reshape(joined, x[0]*x[1]/b*h, x[3]*b))
	}
	l.twins[c.DX] = l.reshape(l.Op("Concat", rows, onnxgraph.Int("axis", 1)), x...)
	return true
}

// phase is one of the interleaved parts of a dimension: its size, the taps it reads, last first, and dY's padding.
type phase struct {
	size          int64
	taps          []int64
	before, after int64
}

// phasesOf splits a dimension into s parts of one size; ok is false if they differ or dY would have to be cropped.
func phasesOf(in, out, kernel, s, p int64) (parts []phase, ok bool) {
	if in%s != 0 {
		return nil, false
	}
	for first := range s {
		r := (first + p) % s
		q := phase{size: in / s}
		for t := r; t < kernel; t += s {
			q.taps = append([]int64{t}, q.taps...)
		}
		u := int64(len(q.taps))
		q.before = u - 1 - (first+p-r)/s
		q.after = q.size - out - q.before + u - 1
		if u > 0 && (q.before < 0 || q.after < 0) {
			return nil, false
		}
		parts = append(parts, q)
	}
	return parts, true
}

// phase is the part of dX at one row phase and one column phase, zeros where it reads no tap.
func (l *lowering) phase(dy, w value, v, u phase, x []int64) value {
	m, c := shapeOf(w)[0], shapeOf(w)[1]
	if len(v.taps) == 0 || len(u.taps) == 0 {
		return l.Op("Expand", []value{l.Fill(onnxgraph.Float32, 0), l.Ints(x[0], x[1], v.size, u.size)})
	}
	var picked []int64
	for _, i := range v.taps {
		for _, j := range u.taps {
			picked = append(picked, i*shapeOf(w)[3]+j)
		}
	}
	h, k := int64(len(v.taps)), int64(len(u.taps))
	taps := l.reshape(w, m, c, shapeOf(w)[2]*shapeOf(w)[3])
	part := l.Op("Gather", []value{taps, l.Ints(picked...)}, onnxgraph.Int("axis", 2)) // [M, C, h·k]
	filters := l.reshape(l.transpose(part, 1, 0, 2), c, m, h, k)
	filters.SetType(onnxgraph.Float32, onnxgraph.Static(c, m, h, k))
	return l.nchwc("Conv", []value{dy, l.filters(filters)}, onnxgraph.Ints("kernel_shape", h, k), onnxgraph.Ints("strides", 1, 1),
		onnxgraph.Ints("pads", v.before, u.before, v.after, u.after))
}
