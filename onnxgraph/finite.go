package onnxgraph

import (
	"fmt"
	"io"
	"slices"
)

// NotFinite counts the elements of a constant that are NaN or infinite.
type NotFinite struct {
	Name     string `json:"name"` // name of the value or, for a tensor in an attribute, of the node and the attribute
	NaN      int64  `json:"nan"`
	Infinite int64  `json:"infinite"`
}

// String returns text such as "conv.weight (27 NaN)".
func (n NotFinite) String() string {
	switch {
	case n.Infinite == 0:
		return fmt.Sprintf("%s (%d NaN)", n.Name, n.NaN)
	case n.NaN == 0:
		return fmt.Sprintf("%s (%d infinite)", n.Name, n.Infinite)
	}
	return fmt.Sprintf("%s (%d NaN, %d infinite)", n.Name, n.NaN, n.Infinite)
}

// NotFinite returns the constants with elements that are NaN or infinite. It reads all of the model's floating-point data, piece
// by piece.
func (m *Model) NotFinite() ([]NotFinite, error) {
	var found []NotFinite
	var first error
	look := func(name string, t *Tensor) {
		if t == nil || !t.DType().IsFloat() || first != nil {
			return
		}
		c := finiteness{Writer: io.Discard, dtype: t.DType()}
		if err := t.writeRaw(&c, t.DType().byteSize(t.Len())); err != nil {
			first = fmt.Errorf("looking for NaN in %q: %w", name, err)
		}
		found = c.appendTo(found, name)
	}
	for _, g := range m.Graphs() {
		for _, v := range g.initializers {
			look(v.name, v.constant)
		}
		for _, n := range g.nodes {
			for _, a := range n.attrs {
				look(n.attributeName(a), a.tensor)
			}
		}
	}
	return found, first
}

// attributeName returns a name for the tensor in an attribute: the output of a Constant, otherwise node and attribute.
func (n *Node) attributeName(a Attribute) string {
	if n.Is("Constant") && n.Output(0) != nil {
		return n.outputs[0].name
	}
	return n.String() + " " + a.Name()
}

// finiteness is a writer that counts the NaN and infinite elements of a tensor, and passes all bytes on. Elements of types that
// are not floating-point count as finite.
type finiteness struct {
	io.Writer
	dtype         DType
	rest          []byte // the first bytes of a number whose last bytes have not been written yet
	nan, infinite int64
}

// appendTo appends the counts, unless all elements were finite.
func (f *finiteness) appendTo(found []NotFinite, name string) []NotFinite {
	if f.nan+f.infinite == 0 {
		return found
	}
	return append(found, NotFinite{name, f.nan, f.infinite})
}

func (f *finiteness) Write(p []byte) (int, error) {
	if !f.dtype.IsFloat() {
		return f.Writer.Write(p)
	}
	size := f.dtype.Bits() / 8
	data := p
	if len(f.rest) > 0 {
		n := min(size-len(f.rest), len(data))
		f.rest = append(f.rest, data[:n]...)
		data = data[n:]
		if len(f.rest) == size {
			f.count(f.rest)
			f.rest = f.rest[:0]
		}
	}
	whole := len(data) / size * size
	f.count(data[:whole])
	f.rest = append(f.rest, data[whole:]...)
	return f.Writer.Write(p)
}

// lanes are constants with which one addition checks all numbers in 64 bits at once. If step is added to a number without its
// sign, and all bits of the exponent are set, the sum carries into the sign bit: the number is not finite.
var lanes = map[DType]struct{ sign, step uint64 }{
	Float64:  {0x8000000000000000, 0x0010000000000000},
	Float32:  {0x8000000080000000, 0x0080000000800000},
	Float16:  {0x8000800080008000, 0x0400040004000400},
	BFloat16: {0x8000800080008000, 0x0080008000800080},
}

// count gets whole numbers. It checks many at a time, and then each one alone if some are not finite.
func (f *finiteness) count(raw []byte) {
	const many = 1 << 12 // bytes
	lane := lanes[f.dtype]
	for part := range slices.Chunk(raw, many) {
		whole := len(part) / 8 * 8
		carries := uint64(0)
		for _, word := range view[uint64](part[:whole]) {
			carries |= word&^lane.sign + lane.step
		}
		if carries&lane.sign == 0 {
			part = part[whole:]
		}
		f.countEach(part)
	}
}

// countEach checks each number. If all bits of its exponent are set, it is infinite if the mantissa is 0, and NaN otherwise.
func (f *finiteness) countEach(raw []byte) {
	switch f.dtype {
	case Float32:
		countNotFinite(f, view[uint32](raw), 0x7f800000)
	case Float64:
		countNotFinite(f, view[uint64](raw), 0x7ff0000000000000)
	case Float16:
		countNotFinite(f, view[uint16](raw), 0x7c00)
	case BFloat16:
		countNotFinite(f, view[uint16](raw), 0x7f80)
	}
}

func countNotFinite[T uint16 | uint32 | uint64](f *finiteness, bits []T, exponent T) {
	for _, b := range bits {
		if b&exponent != exponent {
			continue
		}
		if sign := ^(^T(0) >> 1); b&^sign == exponent {
			f.infinite++
		} else {
			f.nan++
		}
	}
}
