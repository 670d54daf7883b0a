package specialize

import (
	"context"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// Infer declares in m which types and static shapes the values of its main graph have for images of the given shape, [N, C, …],
// as far as ONNX Runtime infers them without running the model. The inputs of m keep their shapes. It reads no weights, so a
// model may be of any size. Call ort.Init first.
func Infer(m *onnxgraph.Model, shape []int64) error {
	probe := m.Clone()
	err := batch.SetInputShape(probe, shape)
	if err == nil {
		_, err = declareFrom(m, probe)
	}
	if err != nil {
		return fmt.Errorf("inferring the shapes of %s for input shape %v: %w", m.Path(), shape, err)
	}
	return nil
}

// Declare gives every value of the main graph of m without a type or a static shape those that ONNX Runtime infers. All inputs of
// m must have static shapes. It runs nothing, and leaves open what cannot be inferred. Call ort.Init first.
func Declare(m *onnxgraph.Model) error {
	open := func(v *onnxgraph.Value) bool {
		if v == nil {
			return false
		}
		_, known := v.StaticShape()
		return !known
	}
	for _, n := range m.Graph.Nodes() {
		if slices.ContainsFunc(n.Outputs(), open) {
			if _, err := declareFrom(m, m.Clone()); err != nil {
				return fmt.Errorf("inferring the shapes of %s: %w", m.Path(), err)
			}
			return nil
		}
	}
	return nil
}

// declareFrom gives the values of m the types that a session of probe, a copy of m that is changed, says they have, and
// returns their element types. One without dims stays as it is: ONNX Runtime does not tell it from one of unknown rank.
func declareFrom(m, probe *onnxgraph.Model) (types map[string]onnxgraph.DType, err error) {
	ports, err := inferred(probe)
	if err != nil {
		return nil, err
	}
	types = map[string]onnxgraph.DType{}
	for _, p := range ports {
		types[p.Name] = p.DType
		if v := m.Graph.Value(p.Name); v != nil && v.Producer() != nil && len(p.Shape) > 0 && !slices.Contains(p.Shape, -1) {
			v.SetType(p.DType, onnxgraph.Static(p.Shape...))
		}
	}
	return types, nil
}

// Measure declares in m the shapes of the given values of its main graph, which it finds by one run of the nodes that they depend
// on, on images of zeros of the given shape, [N, C, …]. It is for shapes that Infer cannot find. Call ort.Init first.
func Measure(ctx context.Context, m *onnxgraph.Model, shape []int64, values []*onnxgraph.Value) error {
	if err := measure(ctx, m, shape, values); err != nil {
		return fmt.Errorf("measuring the shapes of %s for input shape %v: %w", m.Path(), shape, err)
	}
	return nil
}

func measure(ctx context.Context, m *onnxgraph.Model, shape []int64, values []*onnxgraph.Value) error {
	probe := m.Clone()
	if err := batch.SetInputShape(probe, shape); err != nil {
		return err
	}
	makeDefaultsConstant(probe)
	types, err := declareFrom(probe, probe.Clone())
	if err != nil {
		return err
	}
	if err := probe.Validate(); err != nil { // now that sizes are known
		return err
	}
	list := make([]wanted, len(values))
	for i, v := range values {
		list[i].value = probe.Graph.Value(v.Name())
	}
	if err := run(ctx, probe, shape, list); err != nil {
		return err
	}
	for i, v := range values {
		v.SetType(types[v.Name()], onnxgraph.Static(list[i].dims...))
	}
	return nil
}

// inferred makes every value of m an output, and returns what a session says of the outputs.
func inferred(m *onnxgraph.Model) ([]ort.Port, error) {
	makeDefaultsConstant(m)
	for _, v := range slices.Clone(m.Graph.Initializers()) {
		const large = 1 << 10 // numbers: small ones may decide on shapes
		if t := v.Constant(); t != nil && t.DType().IsFloat() && t.Len() > large {
			m.Graph.MakeInput(v)
		}
	}
	exposeAll(m)
	return ort.OutputsOf(m)
}

// exposeAll makes every value that a node of the main graph produces an output.
func exposeAll(m *onnxgraph.Model) {
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && !v.IsOutput() {
				m.Graph.AddOutput(v, onnxgraph.Undefined, nil)
			}
		}
	}
}
