package trainstep

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// UpdateInput is the name of an input, float32 [1], that exists only with Options.Accumulate. Set it to 0 for a step that only
// adds to the sum of gradients. Set it to 1/n for a step that updates the parameters with the mean gradient of the n steps since
// the last update.
const UpdateInput = "step.update"

// accumulate adds the gradient to the sum that a slot holds between updates, and returns the mean gradient for an update.
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

// renew is like next, for a slot that changes only in steps with an update.
func (b *builder) renew(slot, v *onnxgraph.Value) error {
	if b.updates != nil {
		v = b.where(b.updates, v, slot)
	}
	return b.next(slot, v)
}

func (b *builder) where(condition, x, y *onnxgraph.Value) *onnxgraph.Value {
	return b.Op("Where", []*onnxgraph.Value{condition, x, y})
}
