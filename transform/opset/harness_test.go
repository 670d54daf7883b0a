package opset_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

// tensors are named inputs or outputs of a model.
type tensors map[string]*onnxgraph.Tensor

// run runs a model on ONNX Runtime.
func run(m *onnxgraph.Model, inputs tensors) (tensors, error) {
	data, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	s, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(inputs)
}

// upgraded returns a copy of m that is upgraded to the newest version.
func upgraded(t *testing.T, m *onnxgraph.Model) *onnxgraph.Model {
	t.Helper()
	return upgradedTo(t, m, opset.Newest)
}

func upgradedTo(t *testing.T, m *onnxgraph.Model, target int64) *onnxgraph.Model {
	t.Helper()
	c := m.Clone()
	if err := opset.Upgrade(c, target); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Opset("") != target || c.IRVersion() < opset.IRVersion(target) {
		t.Fatalf("the upgraded model says opset %d, IR version %d", c.Opset(""), c.IRVersion())
	}
	return c
}

// differ says how outputs differ from what is wanted, nil if they do not. Rounding may differ, by parts of
// the output's largest magnitude.
func differ(got, want tensors) error {
	for name, w := range want {
		g := got[name]
		if g == nil {
			return fmt.Errorf("output %q is missing", name)
		}
		if g.DType() != w.DType() || !slices.Equal(g.Dims(), w.Dims()) {
			return fmt.Errorf("output %q is %v%v, want %v%v", name, g.DType(), g.Dims(), w.DType(), w.Dims())
		}
		a, err := g.Float64s()
		if err != nil {
			return err
		}
		b, err := w.Float64s()
		if err != nil {
			return err
		}
		tolerance := 1e-4
		if w.DType() == onnxgraph.Float16 {
			tolerance = 2e-3
		}
		if i := mismatch(a, b, tolerance); i >= 0 {
			return fmt.Errorf("output %q, element %d: got %v, want %v", name, i, a[i], b[i])
		}
	}
	return nil
}

// mismatch returns the first element at which a and b differ, -1 if there is none.
func mismatch(a, b []float64, tolerance float64) int {
	largest := 0.0
	for _, x := range b {
		if !math.IsInf(x, 0) {
			largest = max(largest, math.Abs(x)) // max passes NaN on, which then equals nothing
		}
	}
	for i := range a {
		if a[i] != b[i] && !(math.Abs(a[i]-b[i]) <= tolerance*largest) && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return i
		}
	}
	return -1
}

// waves returns numbers of both signs without ties, the same at each call.
func waves(dims ...int64) *onnxgraph.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(2 * math.Sin(1.7*float64(i)+0.3))
	}
	return onnxgraph.NewTensor(dims, data)
}

func floats(dims []int64, v ...float32) *onnxgraph.Tensor { return onnxgraph.NewTensor(dims, v) }
func ints(v ...int64) *onnxgraph.Tensor                   { return onnxgraph.NewTensor([]int64{int64(len(v))}, v) }
func dims(d ...int64) []int64                             { return d }

// calling returns a model whose one node reads the given inputs, all of them graph inputs named x0, x1, …
// (nil for an absent one), and whose outputs, named by port, are the node's.
func calling(t *testing.T, version int64, op string, inputs []*onnxgraph.Tensor, outputs []port, attrs ...onnxgraph.Attribute) (*onnxgraph.Model, tensors) {
	t.Helper()
	m := onnxgraph.New(op, 3, version)
	feed := tensors{}
	var values []*onnxgraph.Value
	for i, x := range inputs {
		var v *onnxgraph.Value
		if x != nil {
			var err error
			if v, err = m.Graph.AddInput(fmt.Sprint("x", i), x.DType(), onnxgraph.Static(x.Dims()...)); err != nil {
				t.Fatal(err)
			}
			feed[v.Name()] = x
		}
		values = append(values, v)
	}
	n := m.Graph.AddNodeOf("", op, values, len(outputs), attrs...)
	for i, o := range outputs {
		if o.dtype != onnxgraph.Undefined {
			m.Graph.Rename(n.Output(i), fmt.Sprint("y", i))
			m.Graph.AddOutput(n.Output(i), o.dtype, onnxgraph.Static(o.dims...))
		}
	}
	return m, feed
}

// port is the type of a node's output; the zero port is an output that nothing reads.
type port struct {
	dtype onnxgraph.DType
	dims  []int64
}

func float32s(dims ...int64) []port { return []port{{onnxgraph.Float32, dims}} }
