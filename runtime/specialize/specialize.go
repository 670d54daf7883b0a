// Package specialize fits a model to one input shape: every value gets its type, and what does not depend
// on the data becomes constant. ONNX Runtime tells the shapes, so that no shape inference is written here.
package specialize

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// Model returns a copy of m that takes images of the given shape, [N, C, …]. Every tensor of its main graph
// is declared with element type and static shape; Constant nodes are initializers, and shape arithmetic is
// folded. The model is run once for that, on zeros. Where m is made for another batch size, the copy's
// outputs are compared with its own. Init of package ort must have been called.
func Model(m *onnxgraph.Model, shape []int64) (*onnxgraph.Model, error) {
	s, err := specialized(m.Clone(), shape)
	if err == nil {
		err = CheckBatch(m, s, shape)
	}
	if err != nil {
		return nil, fmt.Errorf("fitting %s to input shape %v: %w", m.Path(), shape, err)
	}
	return s, nil
}

func specialized(m *onnxgraph.Model, shape []int64) (*onnxgraph.Model, error) {
	own, isOther := otherBatch(m, shape)
	if err := batch.SetInputShape(m, shape); err != nil {
		return nil, err
	}
	makeDefaultsConstant(m)
	err := fold(m, shape)
	for err == nil && inlineBranches(m.Graph) {
		err = fold(m, shape)
	}
	if err != nil && isOther {
		return nil, fmt.Errorf("the model is made for a batch of %d and fails with %d: %s: %w", own, shape[0], dynamicBatch, err)
	}
	return m, err
}

// fold runs the model once, types the values of its main graph, and makes constant what does not depend on the data.
func fold(m *onnxgraph.Model, shape []int64) error {
	static := dataIndependent(m.Graph)
	results, err := runAll(m, shape)
	if err != nil {
		return err
	}
	for name, t := range results {
		v := m.Graph.Value(name)
		if static[v] {
			m.Graph.MakeConstant(v, t)
		} else {
			v.SetType(t.DType(), onnxgraph.Static(t.Dims()...))
		}
	}
	m.Graph.Prune()
	return nil
}

// makeDefaultsConstant removes inputs that have a default, which nobody overrides; IR versions before 4 want
// every initializer among the inputs.
func makeDefaultsConstant(m *onnxgraph.Model) {
	for _, v := range m.Graph.Inputs() {
		if v.Constant() != nil {
			m.Graph.MakeConstant(v, v.Constant())
		}
	}
	m.SetIRVersion(max(m.IRVersion(), 4))
}

// runAll runs the model on zeros and returns every value that a node of the main graph produces.
func runAll(m *onnxgraph.Model, shape []int64) (map[string]*onnxgraph.Tensor, error) {
	probe := m.Clone()
	exposeAll(probe)
	session, err := ort.OpenModel(probe, ort.Options{DisableOptimization: true})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	input, err := batch.Input(m)
	if err != nil {
		return nil, err
	}
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	zeros := onnxgraph.NewRawTensor(input.DType(), shape, make([]byte, n*int64(input.DType().Bits())/8))
	return session.Run(map[string]*onnxgraph.Tensor{input.Name(): zeros})
}

// dataIndependent returns the values that are the same for every input and can hold no weight: results
// of Constant nodes and of arithmetic on shapes.
func dataIndependent(g *onnxgraph.Graph) map[*onnxgraph.Value]bool {
	known := map[*onnxgraph.Value]bool{}
	for _, n := range g.Sorted() {
		if !n.Is("Shape") && !n.Is("Size") && !n.Is("Constant") {
			if n.HasBody() || len(n.Inputs()) == 0 {
				continue // may read values that are no inputs, or draw random numbers
			}
			unknown := func(v *onnxgraph.Value) bool { return v != nil && !known[v] && !isShapeConstant(v) }
			if slices.ContainsFunc(n.Inputs(), unknown) {
				continue
			}
		}
		for _, v := range n.Outputs() {
			if v != nil {
				known[v] = true
			}
		}
	}
	return known
}

// isShapeConstant reports whether a value is an initializer that cannot be a weight.
func isShapeConstant(v *onnxgraph.Value) bool { return v.Constant() != nil && !v.DType().IsFloat() }
