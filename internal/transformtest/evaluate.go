// Package transformtest makes small models for tests of the packages under transform, runs them by a plain reference or by
// ONNX Runtime, and compares what they give.
package transformtest

import (
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Evaluate returns the model's first output for x.
func Evaluate(t *testing.T, m *onnxgraph.Model, x *onnxgraph.Tensor) convcases.Array {
	t.Helper()
	return EvaluateOutput(t, m, x, 0)
}

// EvaluateOutput runs a model of the operators that blocks are made of, in float64, and returns one of its outputs.
func EvaluateOutput(t *testing.T, m *onnxgraph.Model, x *onnxgraph.Tensor, output int) convcases.Array {
	t.Helper()
	known := map[*onnxgraph.Value]convcases.Array{m.Graph.Value(convcases.X): convcases.ArrayOf(x)}
	input := func(n *onnxgraph.Node, i int) convcases.Array {
		v := n.Input(i)
		if v == nil {
			return convcases.Array{}
		}
		if c := v.Constant(); c != nil {
			return convcases.ArrayOf(c)
		}
		return known[v]
	}
	for _, n := range m.Graph.Sorted() {
		x, y := input(n, 0), convcases.Array{}
		switch n.OpType() {
		case "Constant":
			continue
		case "Identity":
			y = x
		case "Conv":
			y = convcases.Convolve(n, x, input(n, 1), input(n, 2))
		case "Relu":
			y = eachElement(x, func(_ int64, v float64) float64 { return math.Max(v, 0) })
		case "BatchNormalization":
			gamma, beta, mean, variance := input(n, 1).Data, input(n, 2).Data, input(n, 3).Data, input(n, 4).Data
			y = eachElement(x, func(c int64, v float64) float64 {
				return gamma[c]*(v-mean[c])/math.Sqrt(variance[c]+float64(n.Float("epsilon", 1e-5))) + beta[c]
			})
		default:
			t.Fatalf("no reference for %s", n)
		}
		known[n.Output(0)] = y
	}
	return known[m.Graph.Outputs()[output]]
}

// eachElement applies f to each element and its channel.
func eachElement(x convcases.Array, f func(channel int64, v float64) float64) convcases.Array {
	y := convcases.Array{Dims: x.Dims, Data: make([]float64, len(x.Data))}
	perChannel := int64(1)
	for _, d := range x.Dims[2:] {
		perChannel *= d
	}
	for i, v := range x.Data {
		y.Data[i] = f(int64(i)/perChannel%x.Dims[1], v)
	}
	return y
}

// Difference returns the largest difference of two arrays relative to the largest number of want.
func Difference(t *testing.T, got, want convcases.Array) float64 {
	t.Helper()
	if len(got.Data) != len(want.Data) || len(want.Data) == 0 {
		t.Fatalf("got %d numbers of dims %v, want %d of dims %v", len(got.Data), got.Dims, len(want.Data), want.Dims)
	}
	var most, largest float64
	for i, v := range want.Data {
		most, largest = math.Max(most, math.Abs(got.Data[i]-v)), math.Max(largest, math.Abs(v))
	}
	return most / largest
}

// Reloaded returns the model as it is after saving and loading, and checks that no pass has left a constant or a
// node that nothing uses.
func Reloaded(t *testing.T, m *onnxgraph.Model) *onnxgraph.Model {
	t.Helper()
	loaded := Parsed(t, m)
	for _, g := range loaded.Graphs() {
		for _, v := range g.Initializers() {
			if !v.IsUsed() {
				t.Errorf("nothing uses the initializer %q of %q", v.Name(), g.Name())
			}
		}
		for _, n := range g.Nodes() {
			if !slices.ContainsFunc(n.Outputs(), func(v *onnxgraph.Value) bool { return v != nil && v.IsUsed() }) {
				t.Errorf("nothing uses what %s of %q computes", n, g.Name())
			}
		}
	}
	return loaded
}

// Parsed returns the model as it is after saving and loading.
func Parsed(t *testing.T, m *onnxgraph.Model) *onnxgraph.Model {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := onnxgraph.Parse(data, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// Census counts nodes by operator, but for Constant, and the numbers in constants, and lists the names of initializers.
func Census(m *onnxgraph.Model) (operators map[string]int, parameters int64, names map[string]bool) {
	operators, names = map[string]int{}, map[string]bool{}
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if n.Is("Constant") {
				parameters += n.Output(0).Constant().Len()
			} else {
				operators[n.OpType()]++
			}
		}
		for _, v := range g.Initializers() {
			if v.Constant() != nil {
				parameters += v.Constant().Len()
			}
			names[v.Name()] = true
		}
	}
	return operators, parameters, names
}
