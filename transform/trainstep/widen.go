package trainstep

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Widens reports whether a constant that is not float32 can train as float32, because the model casts it to float32 before any
// computation.
func Widens(v *onnxgraph.Value) bool {
	_, _, ok := castsOf(v)
	return ok && v.DType() != onnxgraph.Float32
}

// widen converts named constants to float32 and removes the casts, if the file stores them in another floating-point type, such
// as float16, and the model casts them to float32 before any computation. So rounding does not lose small updates.
func (b *builder) widen(names []string) {
	for _, name := range names {
		v := b.Graph.Value(name)
		if v == nil || v.Constant() == nil || v.DType() == onnxgraph.Float32 || !v.DType().IsFloat() {
			continue
		}
		casts, moved, ok := castsOf(v)
		data, err := v.Constant().Float64s()
		if !ok || err != nil {
			continue
		}
		t, err := onnxgraph.FromFloat64s(onnxgraph.Float32, v.Constant().Dims(), data)
		if err != nil {
			continue
		}
		v.SetConstant(t)
		for _, m := range moved {
			if shape, known := m.Shape(); known {
				m.SetType(onnxgraph.Float32, shape)
			}
		}
		for _, c := range casts {
			onnxgraph.ReplaceUses(c.Output(0), c.Input(0))
			b.Graph.Remove(c)
		}
	}
}

// castsOf returns the nodes that cast a constant to float32, and the values between the constant and the casts, which hold its
// numbers in other shapes. ok is false if the model also uses any of them in another way.
func castsOf(v *onnxgraph.Value) (casts []*onnxgraph.Node, moved []*onnxgraph.Value, ok bool) {
	if v.IsOutput() {
		return nil, nil, false
	}
	for _, u := range v.Uses() {
		n := u.Node
		switch {
		case n.Is("Cast") && onnxgraph.DType(n.Int("to", 0)) == onnxgraph.Float32 && !n.Output(0).IsOutput():
			casts = append(casts, n)
		case u.Index == 0 && n.Domain() == "" && slices.Contains([]string{"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}, n.OpType()):
			more, further, ok := castsOf(n.Output(0))
			if !ok {
				return nil, nil, false
			}
			casts, moved = append(casts, more...), append(append(moved, n.Output(0)), further...)
		default:
			return nil, nil, false
		}
	}
	return casts, moved, len(v.Uses()) > 0
}
