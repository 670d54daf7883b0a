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
// folded. As far as ONNX Runtime does not tell the types by itself, the model is run for them, on zeros. Where m is made for
// another batch size, the copy's outputs are compared with its own. Init of package ort must have been called.
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
		return nil, fmt.Errorf("the model is made for a batch of %d and fails with %d: %s: %w", own, shape[0], remedy(own), err)
	}
	return m, err
}

// fold types the values of the main graph, and makes constant what does not depend on the data.
func fold(m *onnxgraph.Model, shape []int64) error {
	if err := declareFrom(m, m.Clone()); err != nil {
		return err
	}
	for settlePool(m.Graph) {
		m.Graph.ForgetShapes()
		if err := declareFrom(m, m.Clone()); err != nil {
			return err
		}
	}
	static := dataIndependent(m.Graph)
	foldShapes(m.Graph)
	var open []*onnxgraph.Value
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v == nil {
				continue
			}
			if _, known := v.StaticShape(); static[v] || !known || v.DType() == onnxgraph.Undefined {
				open = append(open, v)
			}
		}
	}
	results, err := run(m, shape, open)
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

// foldShapes makes the results of Shape constant where they are known: then arithmetic on them needs no run of the layers
// before.
func foldShapes(g *onnxgraph.Graph) {
	for _, n := range slices.Clone(g.Nodes()) {
		if !n.Is("Shape") {
			continue
		}
		if shape, ok := n.Input(0).StaticShape(); ok {
			rank := int64(len(shape))
			bound := func(name string, otherwise int64) int64 {
				i := n.Int(name, otherwise)
				if i < 0 {
					i += rank
				}
				return min(max(i, 0), rank)
			}
			start := bound("start", 0)
			dims := shape[start:max(start, bound("end", rank))]
			g.MakeConstant(n.Output(0), onnxgraph.NewTensor([]int64{int64(len(dims))}, dims))
		}
	}
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

// run runs on zeros what some values of the main graph need, and returns them.
func run(m *onnxgraph.Model, shape []int64, values []*onnxgraph.Value) (map[string]*onnxgraph.Tensor, error) {
	if len(values) == 0 {
		return nil, nil
	}
	probe := m.Clone()
	probe.Graph.RemoveOutputs()
	for _, v := range values {
		probe.Graph.AddOutput(probe.Graph.Value(v.Name()), onnxgraph.Undefined, nil)
	}
	probe.Graph.Prune()
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
