// Package specialize fits a model to one input shape: every value gets a type with a static shape, and values that do not depend
// on the data become constants. ONNX Runtime infers the shapes, so this package has no shape inference.
//
// Call Fit for a model that will train or be measured, Model for one that must stay as it is except for its shapes, and Infer, or
// else Measure, to learn the shapes of a model for images without changing what it computes or takes.
package specialize

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// Model returns a copy of m that takes images of the given shape, in the model's own type and layout. Every tensor of its main
// graph is declared with element type and static shape; Constant nodes are initializers, and shape arithmetic is folded. If ONNX
// Runtime cannot infer all types, Model runs the model on zeros to find them. If m has another batch size, Model compares the
// outputs of the copy with those of m. Call ort.Init first.
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
	err := settle(m, shape)
	for err == nil && inlineBranches(m.Graph) {
		err = settle(m, shape)
	}
	if err != nil && isOther {
		return nil, fmt.Errorf("the model is made for a batch of %d and fails with %d: %s: %w", own, shape[0], remedy(own), err)
	}
	return m, err
}

// settle types the values of the main graph, and makes constant what does not depend on the data.
func settle(m *onnxgraph.Model, shape []int64) error {
	types, err := declareFrom(m, m.Clone())
	if err != nil {
		return err
	}
	for settlePool(m.Graph) {
		m.Graph.ForgetShapes()
		if types, err = declareFrom(m, m.Clone()); err != nil {
			return err
		}
	}
	if err := m.Validate(); err != nil { // now that sizes are known
		return err
	}
	depends := dataDependent(m.Graph)
	foldShapes(m.Graph)
	var open []wanted
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v == nil {
				continue
			}
			if _, known := v.StaticShape(); !depends[v] || !known || v.DType() == onnxgraph.Undefined {
				open = append(open, wanted{value: v, data: !depends[v]})
			}
		}
	}
	if err := run(context.Background(), m, shape, open); err != nil {
		return err
	}
	for _, w := range open {
		if w.data {
			m.Graph.MakeConstant(w.value, w.found)
		} else {
			w.value.SetType(cmp.Or(w.value.DType(), types[w.value.Name()]), onnxgraph.Static(w.dims...))
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

// wanted is a value of the main graph that a run is to tell of.
type wanted struct {
	value *onnxgraph.Value
	data  bool // whether its numbers are wanted, too

	dims  []int64
	found *onnxgraph.Tensor // its numbers, if wanted
}

// run runs once, on zeros, what the wanted values of the main graph need, and fills in what it finds. A value whose shape is not
// known is asked for its Shape, and for its numbers as a list: those have a rank that ONNX Runtime knows before it runs.
func run(ctx context.Context, m *onnxgraph.Model, shape []int64, list []wanted) error {
	if len(list) == 0 {
		return nil
	}
	probe := m.Clone()
	g := probe.Graph
	g.RemoveOutputs()
	all := g.AddConstant("all", onnxgraph.NewTensor([]int64{1}, []int64{-1}))
	dims, numbers := make([]*onnxgraph.Value, len(list)), make([]*onnxgraph.Value, len(list))
	for i, w := range list {
		v := g.Value(w.value.Name())
		_, known := v.StaticShape()
		if w.data {
			if numbers[i] = v; !known {
				numbers[i] = g.AddNode("Reshape", []*onnxgraph.Value{v, all}).Output(0)
			}
			g.AddOutput(numbers[i], onnxgraph.Undefined, nil)
		}
		if !w.data || !known {
			dims[i] = g.AddNode("Shape", []*onnxgraph.Value{v}).Output(0)
			g.AddOutput(dims[i], onnxgraph.Undefined, nil)
		}
	}
	g.Prune()
	session, err := ort.OpenModel(probe, ort.Options{DisableOptimization: true})
	if err != nil {
		return err
	}
	defer session.Close()
	input, err := batch.Input(m)
	if err != nil {
		return err
	}
	zeros := onnxgraph.NewRawTensor(input.DType(), shape, make([]byte, onnxgraph.ElementCount(shape)*int64(input.DType().Bits())/8))
	results, err := session.RunContext(ctx, map[string]*onnxgraph.Tensor{input.Name(): zeros})
	if err != nil {
		return err
	}
	for i := range list {
		w := &list[i]
		if w.data {
			w.found = results[numbers[i].Name()]
		}
		if dims[i] != nil {
			if w.dims, err = results[dims[i].Name()].Int64s(); err != nil {
				return err
			}
			if w.data {
				if w.found, err = w.found.Reshaped(w.dims); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// drawing are operators that draw random numbers, even from inputs that are always the same. Those without inputs, and what is in
// bodies, may do so, too.
var drawing = []string{"RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}

// dataDependent returns the values that may differ from input to input or from run to run, or that come from a weight. All others
// are results of Constant nodes and of arithmetic on shapes.
func dataDependent(g *onnxgraph.Graph) map[*onnxgraph.Value]bool {
	start := slices.DeleteFunc(slices.Concat(g.Inputs(), g.Initializers()), isShapeConstant)
	isFixed := func(n *onnxgraph.Node) bool { return n.Is("Shape") || n.Is("Size") || n.Is("Constant") }
	for _, n := range g.Nodes() {
		if n.HasBody() || len(n.Inputs()) == 0 && !isFixed(n) || slices.Contains(drawing, n.OpType()) {
			start = append(start, n.Outputs()...)
		}
	}
	return g.Dependents(start, func(n *onnxgraph.Node) bool { return !isFixed(n) })
}

// isShapeConstant reports whether a value is an initializer that cannot be a weight.
func isShapeConstant(v *onnxgraph.Value) bool { return v.Constant() != nil && !v.DType().IsFloat() }
