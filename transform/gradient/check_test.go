package gradient_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// input is a tensor that a case differentiates by, or a constant.
type input struct {
	shape    []int64
	constant *onnxgraph.Tensor        // not differentiated
	draw     func(*rand.Rand) float64 // standard normal if nil
	elements []float64                // drawn
	dtype    onnxgraph.DType
}

func x(shape ...int64) *input { return &input{shape: shape} }

func (in *input) from(draw func(*rand.Rand) float64) *input { in.draw = draw; return in }

func ints(v ...int64) *input {
	return &input{constant: onnxgraph.NewTensor([]int64{int64(len(v))}, v)}
}

// constantOf returns a constant of numbers in the type that the model computes in; others, such as axes, stay.
func (in *input) constantOf(dtype onnxgraph.DType) *onnxgraph.Tensor {
	values, err := in.constant.Float64s()
	if err != nil || !in.constant.DType().IsFloat() {
		return in.constant
	}
	return tensor(dtype, in.constant.Dims(), values)
}

// gradientCase is one operator call whose rule is checked.
type gradientCase struct {
	name    string
	op      string
	inputs  []*input // nil for an absent one
	outputs int      // 1 if zero
	attrs   []onnxgraph.Attribute
	opset   int64   // 18 if zero
	step    float64 // of the finite difference, 1e-5 in float64 and 1e-2 in float32 if zero
	alone   string  // the only input to differentiate by, all if empty
}

// TestRules compares the derivative along a random direction with a central finite difference. It runs in
// float64 where ONNX Runtime's CPU provider has the operator in it, otherwise in float32.
func TestRules(t *testing.T) {
	orttest.Init(t)
	checked := map[string]bool{}
	for _, c := range gradientCases() {
		checked[c.op] = true
		t.Run(strings.ReplaceAll(c.op+"/"+c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			err := c.check(onnxgraph.Float64, 1e-5, 1e-7)
			if err != nil && (strings.Contains(err.Error(), "Could not find an implementation") || strings.Contains(err.Error(), "Type Error")) {
				t.Log("no float64 kernel: checked in float32")
				err = c.check(onnxgraph.Float32, 1e-2, 1e-3)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	for op, rule := range gradient.Rules {
		if !rule.Zero && !checked[op] {
			t.Errorf("%s has a rule and no case that checks it", op)
		}
	}
}

// draw draws the elements of the inputs, and returns the inputs and a direction to move them in.
func (c gradientCase) draw(dtype onnxgraph.DType) (feeds map[string]*onnxgraph.Tensor, direction map[string][]float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, in := range c.inputs {
		if in != nil && in.constant == nil {
			in.elements = in.elements[:0]
			for range elements(in.shape) {
				draw := rng.NormFloat64
				if in.draw != nil {
					draw = func() float64 { return in.draw(rng) }
				}
				in.elements = append(in.elements, draw())
			}
			in.dtype = dtype
		}
	}
	feeds, direction = map[string]*onnxgraph.Tensor{}, map[string][]float64{}
	for i, in := range c.inputs {
		if in == nil || in.constant != nil {
			continue
		}
		name := fmt.Sprint("x", i)
		feeds[name] = tensor(dtype, in.shape, in.elements)
		for range in.elements {
			direction[name] = append(direction[name], rng.NormFloat64())
		}
	}
	return feeds, direction
}

func (c gradientCase) check(dtype onnxgraph.DType, step, tolerance float64) error {
	if c.step != 0 {
		step = c.step
	}
	feeds, direction := c.draw(dtype)
	forward, differentiated, err := c.models(ort.CPU, dtype, feeds)
	if err != nil {
		return err
	}
	defer forward.Close()
	defer differentiated.Close()
	results, err := differentiated.Run(feeds)
	if err != nil {
		return err
	}
	analytic := 0.0
	for name, d := range direction {
		g, ok := results["d_"+name]
		if !ok {
			return fmt.Errorf("no gradient of %s", name)
		}
		if fmt.Sprint(g.Dims()) != fmt.Sprint(feeds[name].Dims()) {
			return fmt.Errorf("gradient of %s has shape %v, want %v", name, g.Dims(), feeds[name].Dims())
		}
		values, err := g.Float64s()
		if err != nil {
			return err
		}
		for i, v := range values {
			analytic += v * d[i]
		}
	}
	at := func(s float64) (float64, error) {
		moved := map[string]*onnxgraph.Tensor{}
		for i, in := range c.inputs {
			name := fmt.Sprint("x", i)
			if feeds[name] == nil {
				continue
			}
			e := make([]float64, len(in.elements))
			for k := range e {
				e[k] = in.elements[k] + s*direction[name][k]
			}
			moved[name] = tensor(dtype, in.shape, e)
		}
		out, err := forward.Run(moved)
		if err != nil {
			return 0, err
		}
		sum := 0.0 // the loss, added up in float64 whatever the model computes in
		for name, y := range out {
			values, err := y.Float64s()
			if err != nil {
				return 0, err
			}
			weights := lossWeights(name, len(values))
			for i, v := range values {
				sum += v * weights[i]
			}
		}
		return sum, nil
	}
	up, err := at(step)
	if err != nil {
		return err
	}
	down, err := at(-step)
	if err != nil {
		return err
	}
	numeric := (up - down) / (2 * step)
	if diff := math.Abs(numeric - analytic); !(diff <= tolerance*max(math.Abs(numeric), 1)) {
		return fmt.Errorf("%v: derivative is %.9g, finite difference %.9g", dtype, analytic, numeric)
	}
	if analytic == 0 {
		return fmt.Errorf("the derivative is 0: the case checks nothing")
	}
	return nil
}

// models returns sessions on a provider: one that computes the operator, and one that computes the gradient of the loss.
func (c gradientCase) models(p ort.Provider, dtype onnxgraph.DType, feeds map[string]*onnxgraph.Tensor) (forward, differentiated *ort.Session, err error) {
	forward, m, _, err := c.differentiate(p, dtype, feeds)
	if err != nil {
		return nil, nil, err
	}
	differentiated, err = open(m, p)
	return forward, differentiated, err
}

// differentiate returns a session that computes the operator, and a model that computes the gradient of the loss, the sum of its
// outputs, each times a fixed random number, with the nodes that were there before the gradient.
func (c gradientCase) differentiate(p ort.Provider, dtype onnxgraph.DType, feeds map[string]*onnxgraph.Tensor) (forward *ort.Session, m *onnxgraph.Model, before []*onnxgraph.Node, err error) {
	m = onnxgraph.New("case", 8, max(c.opset, 18))
	var inputs, wanted []*onnxgraph.Value
	for i, in := range c.inputs {
		name := fmt.Sprint("x", i)
		switch {
		case in == nil:
			inputs = append(inputs, nil)
		case in.constant != nil:
			inputs = append(inputs, m.Graph.AddConstant(name, in.constantOf(dtype)))
		default:
			v, err := m.Graph.AddInput(name, dtype, onnxgraph.Static(in.shape...))
			if err != nil {
				return nil, nil, nil, err
			}
			inputs = append(inputs, v)
			if c.alone == "" || c.alone == name {
				wanted = append(wanted, v)
			}
		}
	}
	n := m.Graph.AddNodeOf("", c.op, inputs, max(c.outputs, 1), c.attrs...)
	for _, y := range n.Outputs() {
		m.Graph.AddOutput(y, onnxgraph.Undefined, nil)
	}
	if forward, err = open(m, p); err != nil {
		return nil, nil, nil, err
	}
	results, err := forward.Run(feeds)
	if err != nil {
		return nil, nil, nil, err
	}
	b := onnxgraph.NewBuilder(m.Graph)
	var loss *onnxgraph.Value
	for _, y := range n.Outputs() {
		shape := results[y.Name()].Dims()
		if !results[y.Name()].DType().IsFloat() {
			continue // indices
		}
		y.SetType(dtype, onnxgraph.Static(shape...))
		weights := m.Graph.AddConstant("loss_weights", tensor(dtype, shape, lossWeights(y.Name(), int(elements(shape)))))
		part := typedOp(b, dtype, shape, "Mul", y, weights)
		part = typedOp(b, dtype, nil, "ReduceSum", part)
		part.Producer().SetAttr(onnxgraph.Int("keepdims", 0))
		if loss == nil {
			loss = part
		} else {
			loss = typedOp(b, dtype, nil, "Add", loss, part)
		}
	}
	before = m.Graph.Nodes()
	gradients, err := gradient.Of(b, loss, wanted...)
	if err != nil {
		return nil, nil, nil, err
	}
	m.Graph.RemoveOutputs()
	for v, d := range gradients.Of {
		named := m.Graph.AddNode("Identity", []*onnxgraph.Value{d}).Output(0)
		m.Graph.Rename(named, "d_"+v.Name())
		m.Graph.AddOutput(named, onnxgraph.Undefined, nil)
	}
	m.Graph.Prune()
	return forward, m, before, nil
}

func typedOp(b *onnxgraph.Builder, dtype onnxgraph.DType, shape []int64, op string, inputs ...*onnxgraph.Value) *onnxgraph.Value {
	v := b.Op(op, inputs)
	v.SetType(dtype, onnxgraph.Static(shape...))
	return v
}

func open(m *onnxgraph.Model, p ort.Provider) (*ort.Session, error) {
	data, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	// some of ONNX Runtime's fusions lead to operators that it has in float32 alone
	return ort.OpenBytes(data, ort.Options{Provider: p, IntraOpThreads: 1, DisableOptimization: true})
}

// lossWeights returns the fixed random numbers that make a scalar of an output.
func lossWeights(name string, n int) []float64 {
	rng := rand.New(rand.NewPCG(uint64(len(name)), uint64(n)))
	w := make([]float64, n)
	for i := range w {
		w[i] = rng.NormFloat64()
	}
	return w
}

func tensor(dtype onnxgraph.DType, shape []int64, data []float64) *onnxgraph.Tensor {
	t, err := onnxgraph.FromFloat64s(dtype, shape, data)
	if err != nil {
		panic(err)
	}
	return t
}

func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
