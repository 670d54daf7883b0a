package trainstep

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// trainable is an initializer that trains.
type trainable struct {
	source      *onnxgraph.Value
	value       *onnxgraph.Value // what the optimizer updates: source, or its coordinates
	initial     *onnxgraph.Tensor
	coordinates *coordinates // nil if it trains directly
}

// by returns the value for which the gradient is computed.
func (p trainable) by() *onnxgraph.Value {
	if p.coordinates != nil {
		return p.coordinates.filters
	}
	return p.value
}

// takeParameters turns the initializers that train into inputs, so that no gradient rule treats their data as constant.
func (b *builder) takeParameters() ([]trainable, error) {
	values, err := b.trainedValues()
	if err != nil {
		return nil, err
	}
	list := make([]trainable, len(values))
	for i, v := range values {
		p := trainable{source: v, value: v, coordinates: b.coordinates[v]}
		if p.coordinates != nil {
			p.value = p.coordinates.value
		}
		p.initial = p.value.Constant()
		b.Graph.MakeInput(p.value)
		list[i] = p
	}
	return list, nil
}

// piece is a parameter in the state vector.
type piece struct {
	Segment       // its place in the result of Trained
	at      int64 // its start in the state vector
	span    *span // nil if the vector holds the parameter itself
}

// flatten puts the parameters that have a gradient into one state vector, and returns the vector and its gradient. The others
// become constants again: a parameter that the loss does not depend on stays as it is, even with weight decay, as in PyTorch.
func (b *builder) flatten(parameters []trainable, gradients map[*onnxgraph.Value]*onnxgraph.Value) (vector, gradient *onnxgraph.Value, err error) {
	var values, flat []*onnxgraph.Value
	var reached []trainable
	for _, p := range parameters {
		b.Graph.MakeConstant(p.value, p.initial)
		if g := gradients[p.by()]; g != nil {
			reached = append(reached, p)
			values = append(values, p.value)
			flat = append(flat, b.Op("Reshape", []*onnxgraph.Value{g, b.Ints(-1)}))
		} else {
			b.step.Unreached = append(b.step.Unreached, p.source.Name())
		}
	}
	if len(values) == 0 {
		return nil, nil, errors.New("the loss does not depend on anything that trains")
	}
	if b.share != nil {
		values, flat = append(values, b.share), append(flat, b.num(0))
	}
	segments, initial, err := pack(values)
	if err != nil {
		return nil, nil, err
	}
	b.step.describe(reached, segments)
	if vector, err = b.slot(ParametersSlot, initial); err != nil {
		return nil, nil, err
	}
	pieces := b.unpack(vector, segments)
	for i, v := range values {
		onnxgraph.ReplaceUses(v, pieces[i])
	}
	onnxgraph.RemoveUnused(values...)
	return vector, b.Op("Concat", flat, onnxgraph.Int("axis", 0)), nil
}

// describe records the parameters in the order of the segments of the state vector.
func (s *Step) describe(parameters []trainable, segments []Segment) {
	var offset int64
	for i, p := range parameters {
		in := piece{Segment: segments[i], at: segments[i].Offset}
		if p.coordinates != nil {
			in.span = p.coordinates.span
			in.Segment = Segment{Name: p.source.Name(), Shape: in.span.pointwise.Dims()}
		}
		in.Offset = offset
		offset += in.Len()
		s.Parameters = append(s.Parameters, in.Segment)
		s.pieces = append(s.pieces, in)
	}
}

// Trained converts the vector of ParametersSlot to the trained parameters, in the layout that Parameters describes. If the vector
// has no coordinates (see the package's comment), it returns the vector itself. It also converts the momentum of SGD, which has
// the same layout. It fails if the weights or the bank of a block cannot be read.
func (s *Step) Trained(vector []float32) ([]float32, error) {
	if !slices.ContainsFunc(s.pieces, func(p piece) bool { return p.span != nil }) {
		return vector, nil
	}
	share := vector[len(vector)-1]
	var all []float32
	for _, p := range s.pieces {
		if p.span == nil {
			all = append(all, vector[p.at:p.at+p.Len()]...)
			continue
		}
		weights, err := p.span.weights(share, vector[p.at:])
		if err != nil {
			return nil, fmt.Errorf("computing %q: %w", p.Name, err)
		}
		all = append(all, weights...)
	}
	return all, nil
}

// trainedValues returns the initializers that train. The error lists the parameters that cannot train, and those that can.
func (b *builder) trainedValues() ([]*onnxgraph.Value, error) {
	var values []*onnxgraph.Value
	var faults []error
	others := map[onnxgraph.DType][]string{} // parameters of other types
	for _, name := range b.Trained {
		v := b.Graph.Value(name)
		switch {
		case v == nil || v.Constant() == nil:
			faults = append(faults, fmt.Errorf("parameter %q: no initializer of that name", name))
		case v.DType() != onnxgraph.Float32:
			others[v.DType()] = append(others[v.DType()], name)
		default:
			values = append(values, v)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(others)) {
		faults = append(faults, fmt.Errorf("parameters %q are %v, and so is what is computed with them: training needs a model that computes in float32: %s", others[t], t, precision.MakeFloat32))
	}
	if len(values) == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("nothing to train: no parameter is selected"))
	}
	return values, errors.Join(faults...)
}

// pack concatenates the constants of values.
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

// unpack emits the segments of a vector, each in its own shape.
func (b *builder) unpack(vector *onnxgraph.Value, segments []Segment) []*onnxgraph.Value {
	var sizes []int64
	for _, s := range segments {
		sizes = append(sizes, s.Len())
	}
	flat := b.Ops("Split", len(segments), []*onnxgraph.Value{vector, b.Ints(sizes...)}, onnxgraph.Int("axis", 0))
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
