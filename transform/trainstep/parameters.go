package trainstep

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// parameter is an initializer that is to train.
type parameter struct {
	value   *onnxgraph.Value
	initial *onnxgraph.Tensor
}

// takeParameters makes the initializers that train inputs, so that no gradient rule takes their data for fixed.
func (b *builder) takeParameters() ([]parameter, error) {
	values, err := b.trainedValues()
	if err != nil {
		return nil, err
	}
	list := make([]parameter, len(values))
	for i, v := range values {
		list[i] = parameter{v, v.Constant()}
		b.Graph.MakeInput(v)
	}
	return list, nil
}

// flatten puts the parameters that have a gradient into one state vector, and returns it and its gradient. The
// others become constants again: what the loss does not reach stays as it is, without decay, as in PyTorch.
func (b *builder) flatten(parameters []parameter, gradients map[*onnxgraph.Value]*onnxgraph.Value) (vector, gradient *onnxgraph.Value, err error) {
	var values, flat []*onnxgraph.Value
	for _, p := range parameters {
		b.Graph.MakeConstant(p.value, p.initial)
		if g := gradients[p.value]; g != nil {
			values = append(values, p.value)
			flat = append(flat, b.Op("Reshape", []*onnxgraph.Value{g, b.Ints(-1)}))
		} else {
			b.step.Unreached = append(b.step.Unreached, p.value.Name())
		}
	}
	if len(values) == 0 {
		return nil, nil, errors.New("the loss does not depend on anything that trains")
	}
	segments, initial, err := pack(values)
	if err != nil {
		return nil, nil, err
	}
	b.step.Parameters = segments
	if vector, err = b.slot(ParametersSlot, initial); err != nil {
		return nil, nil, err
	}
	pieces := b.unpack(vector, segments)
	for i, v := range values {
		onnxgraph.ReplaceUses(v, pieces[i])
	}
	onnxgraph.RemoveUnused(values...)
	gradient = flat[0]
	if len(flat) > 1 {
		gradient = b.Op("Concat", flat, onnxgraph.Int("axis", 0))
	}
	return vector, gradient, nil
}

// trainedValues returns the initializers that train. The error lists the parameters that cannot, beside those that can.
func (b *builder) trainedValues() ([]*onnxgraph.Value, error) {
	var values []*onnxgraph.Value
	var faults []error
	for _, name := range b.Trained {
		v := b.Graph.Value(name)
		switch {
		case v == nil || v.Constant() == nil:
			faults = append(faults, fmt.Errorf("parameter %q: no initializer of that name", name))
		case v.DType() != onnxgraph.Float32:
			faults = append(faults, fmt.Errorf("parameter %q: %v does not train, convert the model to float32", name, v.DType()))
		default:
			values = append(values, v)
		}
	}
	if len(values) == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("nothing to train: no parameter is selected"))
	}
	return values, errors.Join(faults...)
}

// pack lays the constants of values one behind the other.
func pack(values []*onnxgraph.Value) ([]Segment, []float32, error) {
	var segments []Segment
	var all []float32
	for _, v := range values {
		data, err := v.Constant().Float32s()
		if err != nil {
			return nil, nil, fmt.Errorf("reading %q: %w", v.Name(), err)
		}
		segments = append(segments, Segment{Name: v.Name(), Shape: v.Constant().Dims(), Offset: int64(len(all))})
		all = append(all, data...)
	}
	return segments, all, nil
}

// unpack emits the pieces of a vector, each in its shape.
func (b *builder) unpack(vector *onnxgraph.Value, segments []Segment) []*onnxgraph.Value {
	flat := []*onnxgraph.Value{vector}
	if len(segments) > 1 {
		var sizes []int64
		for _, s := range segments {
			sizes = append(sizes, s.Len())
		}
		flat = b.Ops("Split", len(segments), []*onnxgraph.Value{vector, b.Ints(sizes...)}, onnxgraph.Int("axis", 0))
	}
	pieces := make([]*onnxgraph.Value, len(segments))
	for i, s := range segments {
		flat[i].SetType(onnxgraph.Float32, onnxgraph.Static(s.Len()))
		pieces[i] = flat[i]
		if len(s.Shape) != 1 {
			pieces[i] = b.Op("Reshape", []*onnxgraph.Value{flat[i], b.Ints(s.Shape...)})
			pieces[i].SetType(onnxgraph.Float32, onnxgraph.Static(s.Shape...))
		}
	}
	return pieces
}
