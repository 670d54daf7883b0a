package cuda

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// In every run, Concat and Split make a list on the CPU with an entry for every position along their axis (ONNX Runtime 1.29,
// providers/cuda/tensor). For a vector of all parameters, that takes longer than the step itself. So long vectors are joined and
// split as tables, with rows that are as wide as the parts allow.

const (
	longVector = 1 << 12 // elements; for longer vectors, the list takes longer than the operators that avoid it
	leastWidth = 8       // elements in a row
)

// table says how parts of a vector are arranged in a table: one after another, each in whole rows, with the last row padded.
type table struct {
	width int64
	rows  []int64 // of each part
	total int64   // elements of the vector
}

// tableOf returns the table for parts of a vector. ok is false if they are not float32, or if a table would not help.
func tableOf(parts []value) (t table, ok bool) {
	var sizes []int64
	for _, v := range parts {
		shape, _ := v.StaticShape()
		if len(shape) != 1 || shape[0] == 0 || v.DType() != onnxgraph.Float32 {
			return t, false
		}
		sizes = append(sizes, shape[0])
		t.total += shape[0]
	}
	last := len(sizes) - 1
	for _, n := range sizes[:last] {
		t.width = gcd(t.width, n)
	}
	if t.total < longVector || t.width < leastWidth {
		return t, false
	}
	for _, n := range sizes {
		t.rows = append(t.rows, (n+t.width-1)/t.width)
	}
	return t, true
}

// height returns the number of rows.
func (t table) height() int64 {
	var h int64
	for _, r := range t.rows {
		h += r
	}
	return h
}

// missing returns how many elements of padding the last row needs.
func (t table) missing() int64 { return t.height()*t.width - t.total }

func (a *lowering) concat(n node) {
	parts := n.Inputs()
	t, ok := tableOf(parts)
	if !ok {
		return
	}
	var rows []value
	for i, v := range parts {
		if i == len(parts)-1 {
			v = a.fill(v, t.missing())
		}
		rows = append(rows, a.reshape(v, t.rows[i], t.width))
	}
	joined := a.typed(a.Op("Concat", rows, onnxgraph.Int("axis", 0)), n.Output(0), t.height(), t.width)
	onnxgraph.ReplaceUses(n.Output(0), a.cut(a.reshape(joined, t.height()*t.width), t.total))
}

func (a *lowering) split(n node) {
	parts := n.Outputs()
	t, ok := tableOf(parts)
	if !ok {
		return
	}
	vector := a.fill(n.Input(0), t.missing())
	pieces := a.Ops("Split", len(parts), []value{a.reshape(vector, t.height(), t.width), a.Ints(t.rows...)}, onnxgraph.Int("axis", 0))
	for i, v := range parts {
		size, _ := v.StaticShape()
		rows := a.typed(pieces[i], v, t.rows[i], t.width)
		if t.rows[i]*t.width == size[0] {
			a.reshapeUses(v, rows)
		}
		onnxgraph.ReplaceUses(v, a.cut(a.reshape(rows, t.rows[i]*t.width), size[0]))
	}
}

// reshapeUses makes nodes that reshape a vector reshape rows instead. Their target shape may contain a 0, which means a dim of
// the vector.
func (a *lowering) reshapeUses(vector, rows value) {
	for _, u := range vector.Uses() {
		if !u.Node.Is("Reshape") {
			continue
		}
		if shape, known := u.Node.Output(0).StaticShape(); known {
			u.Node.SetInput(0, rows)
			u.Node.SetInput(1, a.Ints(shape...))
		}
	}
}

// fill appends zeros to a vector.
func (a *lowering) fill(v value, missing int64) value {
	if missing == 0 {
		return v
	}
	shape, _ := v.StaticShape()
	return a.typed(a.Op("Pad", []value{v, a.Ints(0, missing)}), v, shape[0]+missing)
}

// cut returns the first elements of a vector.
func (a *lowering) cut(v value, size int64) value {
	if shape, _ := v.StaticShape(); shape[0] == size {
		return v
	}
	return a.typed(a.Op("Slice", []value{v, a.Ints(0), a.Ints(size), a.Ints(0)}), v, size)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
