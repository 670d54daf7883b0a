package trainstep

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
)

// lowerDropout replaces every Dropout by a product with a mask of 0 and 1/(1 - ratio), and removes it where the model behaves as
// in inference. Each mask is drawn from its own range of the step's filterbank.Stream, because a resumed run could not restore
// the hidden random state of ONNX Runtime's own Dropout.
func (b *builder) lowerDropout() error {
	var stream *onnxgraph.Value
	drawn := int64(0)
	for _, n := range b.Graph.Sorted() {
		if !n.Is("Dropout") {
			continue
		}
		ratio, err := dropoutRatio(n)
		if err != nil {
			return err
		}
		x := n.Input(0)
		if ratio > 0 && b.isTraining(n) {
			if stream == nil {
				if stream, err = b.Graph.AddInput(DropoutStreamInput, onnxgraph.Int64, onnxgraph.Static(2)); err != nil {
					return err
				}
				b.step.HasDropout = true
			}
			shape, _ := x.StaticShape()
			count := Segment{Shape: shape}.Len()
			mask := b.Op("Reshape", []*onnxgraph.Value{b.dropoutMask(stream, drawn, count, ratio), b.Ints(shape...)})
			mask.SetType(onnxgraph.Float32, onnxgraph.Static(shape...))
			x = b.mul(x, mask)
			x.SetType(onnxgraph.Float32, onnxgraph.Static(shape...))
			drawn += count
		}
		onnxgraph.ReplaceUses(n.Output(0), x)
		b.Graph.Remove(n)
	}
	return nil
}

// dropoutRatio returns the ratio of a Dropout. It fails if lowerDropout cannot replace that Dropout.
func dropoutRatio(n *onnxgraph.Node) (float64, error) {
	if mask := n.Output(1); mask != nil && mask.IsUsed() {
		return 0, fmt.Errorf("node %s: its mask output is used, which training does not support", n)
	}
	v := n.Input(1)
	if v == nil {
		return 0.5, nil // ONNX's default
	}
	if v.Constant() == nil {
		return 0, fmt.Errorf("node %s: ratio %q is not a constant", n, v.Name())
	}
	data, err := v.Constant().Float64s()
	if err != nil || len(data) != 1 || data[0] < 0 || data[0] >= 1 {
		return 0, fmt.Errorf("node %s: ratio is %v, needs one number from 0 up to 1", n, data)
	}
	return data[0], nil
}

// dropoutMask emits 1/(1-ratio) where a random number in [0, 1) is at least ratio, and 0 elsewhere, for the values first …
// first+count-1 of the stream. It computes them as filterbank.Stream.Bits does.
func (b *builder) dropoutMask(stream *onnxgraph.Value, first, count int64, ratio float64) *onnxgraph.Value {
	key := func(i int64) *onnxgraph.Value {
		return b.Op("Gather", []*onnxgraph.Value{stream, b.Ints(i)}, onnxgraph.Int("axis", 0))
	}
	low32 := func(v *onnxgraph.Value) *onnxgraph.Value { return b.binary("BitwiseAnd", v, b.Ints(1<<32-1)) }
	xor := func(v, w *onnxgraph.Value) *onnxgraph.Value { return b.binary("BitwiseXor", v, w) }
	index := b.Op("Range", []*onnxgraph.Value{b.int(first), b.int(first + count), b.int(1)})
	v := low32(b.add(index, key(0)))
	v = xor(v, b.shiftRight(v, 16))
	v = low32(b.mul(v, b.Ints(filterbank.Multiplier1)))
	v = xor(v, key(1))
	v = xor(v, b.shiftRight(v, 15))
	v = low32(b.mul(v, b.Ints(filterbank.Multiplier2)))
	v = xor(v, b.shiftRight(v, 16))
	keep := b.Op("Cast", []*onnxgraph.Value{b.binary("GreaterOrEqual", v, b.Ints(int64(ratio*(1<<32))))},
		onnxgraph.Int("to", int64(onnxgraph.Float32)))
	return b.scale(keep, 1/(1-ratio))
}

// shiftRight shifts non-negative int64 numbers. BitShift alone takes only unsigned numbers.
func (b *builder) shiftRight(v *onnxgraph.Value, bits uint64) *onnxgraph.Value {
	unsigned := b.Op("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(onnxgraph.Uint64)))
	by := b.Graph.AddConstant("shift", onnxgraph.NewTensor([]int64{1}, []uint64{bits}))
	shifted := b.Op("BitShift", []*onnxgraph.Value{unsigned, by}, onnxgraph.Str("direction", "RIGHT"))
	return b.Op("Cast", []*onnxgraph.Value{shifted}, onnxgraph.Int("to", int64(onnxgraph.Int64)))
}

func (b *builder) int(v int64) *onnxgraph.Value {
	return b.Graph.AddConstant("int", onnxgraph.NewScalar(v))
}
