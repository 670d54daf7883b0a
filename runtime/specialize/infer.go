package specialize

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// Infer declares in m which types and static shapes the values of its main graph have for images of the given shape, as far
// as ONNX Runtime tells them without running the model. It reads no weights, so a model may be of any size. Init of package
// ort must have been called.
func Infer(m *onnxgraph.Model, shape []int64) error {
	probe := m.Clone()
	err := batch.SetInputShape(probe, shape)
	if err == nil {
		err = declareFrom(m, probe)
	}
	if err != nil {
		return fmt.Errorf("inferring the shapes of %s for input shape %v: %w", m.Path(), shape, err)
	}
	return nil
}

// declare gives the values of m, all of whose inputs have static shapes, the types that ONNX Runtime infers, if there are
// some without.
func declare(m *onnxgraph.Model) error {
	open := func(v *onnxgraph.Value) bool {
		if v == nil {
			return false
		}
		_, known := v.StaticShape()
		return !known
	}
	for _, n := range m.Graph.Nodes() {
		if slices.ContainsFunc(n.Outputs(), open) {
			if err := declareFrom(m, m.Clone()); err != nil {
				return fmt.Errorf("inferring the shapes of %s: %w", m.Path(), err)
			}
			return nil
		}
	}
	return nil
}

// declareFrom gives the values of m the types that a session of probe, a copy of m that is changed, says they have. One
// without dims stays as it is: ONNX Runtime does not tell it from one of unknown rank.
func declareFrom(m, probe *onnxgraph.Model) error {
	ports, err := inferred(probe)
	if err != nil {
		return err
	}
	for _, p := range ports {
		if v := m.Graph.Value(p.Name); v != nil && v.Producer() != nil && len(p.Shape) > 0 && !slices.Contains(p.Shape, -1) {
			v.SetType(p.DType, onnxgraph.Static(p.Shape...))
		}
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
