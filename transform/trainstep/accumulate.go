package trainstep

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// UpdateInput, float32 [1], is there only with Options.Accumulate. It is 0 in a step that only adds to the sum of
// gradients, and 1/n in one that ends with an update, by the mean of the gradients of the n steps since the last one.
const UpdateInput = "step.update"

// accumulate adds the gradient to the sum that a slot holds between updates, and returns what an update goes by.
func (b *builder) accumulate(parameters, gradient *onnxgraph.Value) (mean *onnxgraph.Value, err error) {
	share, err := b.Graph.AddInput(UpdateInput, onnxgraph.Float32, onnxgraph.Static(1))
	if err != nil {
		return nil, err
	}
	slot, err := b.slot("step.gradient_sum", b.zeros(parameters))
	if err != nil {
		return nil, err
	}
	sum := b.add(slot, gradient)
	b.updates = b.Op("Cast", []*onnxgraph.Value{share}, onnxgraph.Int("to", int64(onnxgraph.Bool)))
	return b.mul(sum, share), b.next(slot, b.where(b.updates, b.num(0), sum))
}

// renew is next for what changes with an update only.
func (b *builder) renew(slot, v *onnxgraph.Value) error {
	if b.updates != nil {
		v = b.where(b.updates, v, slot)
	}
	return b.next(slot, v)
}

func (b *builder) where(condition, x, y *onnxgraph.Value) *onnxgraph.Value {
	return b.Op("Where", []*onnxgraph.Value{condition, x, y})
}
