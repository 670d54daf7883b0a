package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
)

// network is a model under construction.
type network struct {
	t *testing.T
	*onnxgraph.Graph
}

func newNetwork(t *testing.T) network { return network{t, onnxgraph.New("network", 8, 18).Graph} }

func (n network) input(name string, dtype onnxgraph.DType, shape []onnxgraph.Dim) *onnxgraph.Value {
	n.t.Helper()
	v, err := n.AddInput(name, dtype, shape)
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

func (n network) op(operator string, inputs []*onnxgraph.Value, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	return n.AddNode(operator, inputs, attrs...).Output(0)
}

func (n network) floats(dims []int64, data ...float32) *onnxgraph.Value {
	count := int64(1)
	for _, d := range dims {
		count *= d
	}
	for i := len(data); i < int(count); i++ {
		data = append(data, float32(i%7)-3)
	}
	return n.AddConstant("c", onnxgraph.NewTensor(dims, data))
}

func (n network) ints(data ...int64) *onnxgraph.Value {
	if len(data) == 1 {
		return n.AddConstant("c", onnxgraph.NewScalar(data[0]))
	}
	return n.AddConstant("c", onnxgraph.NewTensor([]int64{int64(len(data))}, data))
}

func (n network) output(v *onnxgraph.Value) *onnxgraph.Model {
	n.Rename(v, fmt.Sprintf("y%d", len(n.Outputs())))
	n.AddOutput(v, onnxgraph.Undefined, nil)
	return n.Model()
}

// pick returns the scale times x where the condition holds, and x else.
func (n network) pick(condition, x *onnxgraph.Value, scale float32) *onnxgraph.Value {
	return n.op("Where", []*onnxgraph.Value{condition, n.op("Mul", []*onnxgraph.Value{x, n.floats([]int64{1}, scale)}), x})
}

// unranked returns a model, whose input x is declared a scalar of type float32, with no word of the input's shape: in the file,
// the empty shape (field 2 of the type) becomes a field that nobody knows.
func unranked(t *testing.T, m *onnxgraph.Model) *onnxgraph.Model {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	scalar, unknown := []byte("x\x12\x06\x0a\x04\x08\x01\x12\x00"), []byte("x\x12\x06\x0a\x04\x08\x01\x78\x00")
	if bytes.Count(data, scalar) != 1 {
		t.Fatal("the input is not declared as this test thinks")
	}
	m, err = onnxgraph.Parse(bytes.Replace(data, scalar, unknown, 1), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, known := m.Graph.Value("x").Shape(); known {
		t.Fatal("the input has a shape still")
	}
	return m
}

// TestDecisiveValues compares models that differ only for values of an input that the models compare with a constant: the
// difference must be found, whatever is compared how.
func TestDecisiveValues(t *testing.T) {
	orttest.Init(t)
	rate := func(n network) *onnxgraph.Value { return n.input("rate", onnxgraph.Int64, []onnxgraph.Dim{}) }
	for name, condition := range map[string]func(network) *onnxgraph.Value{
		"equal": func(n network) *onnxgraph.Value {
			return n.op("Equal", []*onnxgraph.Value{rate(n), n.ints(16000)})
		},
		"equal, the constant first": func(n network) *onnxgraph.Value {
			return n.op("Equal", []*onnxgraph.Value{n.ints(16000), rate(n)})
		},
		"less":    func(n network) *onnxgraph.Value { return n.op("Less", []*onnxgraph.Value{rate(n), n.ints(-5)}) },
		"greater": func(n network) *onnxgraph.Value { return n.op("Greater", []*onnxgraph.Value{rate(n), n.ints(7)}) },
		"greater, the constant first": func(n network) *onnxgraph.Value {
			return n.op("Greater", []*onnxgraph.Value{n.ints(-7), rate(n)})
		},
		"at least": func(n network) *onnxgraph.Value {
			return n.op("GreaterOrEqual", []*onnxgraph.Value{rate(n), n.ints(7)})
		},
		"cast": func(n network) *onnxgraph.Value {
			real := n.op("Cast", []*onnxgraph.Value{rate(n)}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
			return n.op("Equal", []*onnxgraph.Value{real, n.floats([]int64{1}, 44100)})
		},
		"of a list": func(n network) *onnxgraph.Value {
			list := n.input("list", onnxgraph.Int32, []onnxgraph.Dim{{Size: 3}})
			first := n.op("Gather", []*onnxgraph.Value{list, n.ints(1)})
			return n.op("Equal", []*onnxgraph.Value{first, n.AddConstant("c", onnxgraph.NewScalar[int32](3))})
		},
		"sum of real numbers": func(n network) *onnxgraph.Value {
			list := n.input("list", onnxgraph.Float32, []onnxgraph.Dim{{Size: 3}})
			sum := n.op("ReduceSum", []*onnxgraph.Value{list}, onnxgraph.Int("keepdims", 0))
			return n.op("Greater", []*onnxgraph.Value{sum, n.floats([]int64{1}, 1000)})
		},
	} {
		build := func(scale float32) *onnxgraph.Model {
			n := newNetwork(t)
			x := n.input("x", onnxgraph.Float32, []onnxgraph.Dim{{Size: 4}})
			return n.output(n.pick(condition(n), x, scale))
		}
		report, err := verify.Outputs(t.Context(), build(1), build(3), verify.Options{})
		if err != nil || !(report.Differences[0].MaxRel > 1) {
			t.Errorf("%s: models that differ where the condition holds: %+v, %v", name, report, err)
		}
	}
}

// TestOnlyOneValueRuns has models that fail on 0, and run on what their If compares with.
func TestOnlyOneValueRuns(t *testing.T) {
	orttest.Init(t)
	n := newNetwork(t)
	rate, x := n.input("rate", onnxgraph.Int64, []onnxgraph.Dim{}), n.input("x", onnxgraph.Float32, []onnxgraph.Dim{{Size: 4}})
	isWanted := n.op("Equal", []*onnxgraph.Value{rate, n.ints(8000)})
	size := n.op("Where", []*onnxgraph.Value{isWanted, n.AddConstant("c", onnxgraph.NewTensor([]int64{1}, []int64{4})), n.AddConstant("c", onnxgraph.NewTensor([]int64{1}, []int64{5}))})
	m := n.output(n.op("Reshape", []*onnxgraph.Value{x, size}))
	report, err := verify.Outputs(t.Context(), m, m, verify.Options{})
	if err != nil || len(report.Inputs) != 1 || !strings.Contains(report.Inputs[0], "rate of 8000") {
		t.Errorf("got %+v, %v", report, err)
	}
}

// TestSizesThatWeightsTell leaves all sizes of an input open that its weights tell, or even their number.
func TestSizesThatWeightsTell(t *testing.T) {
	orttest.Init(t)
	filters := func(n network) *onnxgraph.Value { return n.floats([]int64{2, 5, 3, 3}) }
	for _, c := range []struct {
		name  string
		rank  int // 0 if the model does not say it
		build func(n network, x *onnxgraph.Value) *onnxgraph.Value
		want  string // of the input's shape
	}{
		{"a convolution", 4, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Conv", []*onnxgraph.Value{x, filters(n)})
		}, "x [8, 5, 64, 64]"},
		{"a convolution of gray images", 4, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Conv", []*onnxgraph.Value{x, n.floats([]int64{2, 1, 3, 3})})
		}, "x [8, 1, 64, 64]"},
		{"transposed in its default order", 0, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("MatMul", []*onnxgraph.Value{n.op("Transpose", []*onnxgraph.Value{x}, onnxgraph.Ints("perm", 1, 0)), n.floats([]int64{8, 2})})
		}, "x [8, 64]"},
		{"of unknown rank", 0, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Conv", []*onnxgraph.Value{x, filters(n)})
		}, "x [8, 5, 64, 64]"},
		{"groups", 4, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Conv", []*onnxgraph.Value{x, n.floats([]int64{4, 5, 1, 1})}, onnxgraph.Int("group", 2))
		}, "x [8, 10, 64, 64]"},
		{"normalized before", 0, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			x = n.op("Sub", []*onnxgraph.Value{x, n.floats([]int64{1}, 3)})
			x = n.op("Div", []*onnxgraph.Value{x, n.floats([]int64{1, 5, 1, 1}, 1, 1, 1, 1, 1)})
			return n.op("Conv", []*onnxgraph.Value{n.op("Relu", []*onnxgraph.Value{x}), filters(n)})
		}, "x [8, 5, 64, 64]"},
		{"channels last", 0, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Conv", []*onnxgraph.Value{n.op("Transpose", []*onnxgraph.Value{x}, onnxgraph.Ints("perm", 0, 3, 1, 2)), filters(n)})
		}, "x [8, 64, 64, 5]"},
		{"transposed", 3, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("ConvTranspose", []*onnxgraph.Value{x, n.floats([]int64{3, 2, 4})})
		}, "x [8, 3, 64]"},
		{"Gemm", 0, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Gemm", []*onnxgraph.Value{x, n.floats([]int64{6, 3})}, onnxgraph.Int("transB", 1))
		}, "x [8, 3]"},
		{"MatMul", 3, func(n network, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("MatMul", []*onnxgraph.Value{x, n.floats([]int64{9, 2})})
		}, "x [8, 64, 9]"},
	} {
		n := newNetwork(t)
		m := n.output(c.build(n, n.input("x", onnxgraph.Float32, unknown(c.rank))))
		if c.rank == 0 {
			m = unranked(t, m)
		}
		report, err := verify.Outputs(t.Context(), m, m, verify.Options{Batch: 8})
		if err != nil || len(report.Inputs) != 1 || report.Inputs[0] != c.want {
			t.Errorf("%s: ran on %q, want %s; %v", c.name, report.Inputs, c.want, err)
		}
	}
}

// TestUnknownRank has an input of which nothing tells how many dims it has: fed a scalar, ONNX Runtime would end the process.
func TestUnknownRank(t *testing.T) {
	orttest.Init(t)
	n := newNetwork(t)
	x := n.input("x", onnxgraph.Float32, nil)
	m := unranked(t, n.output(n.op("MatMul", []*onnxgraph.Value{x, x})))
	if _, err := verify.Outputs(t.Context(), m, m, verify.Options{}); err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), "--inputs") {
		t.Errorf("got %v", err)
	}
	square := onnxgraph.NewTensor([]int64{2, 2}, []float64{1, 2, 3, 4})
	report, err := verify.Outputs(t.Context(), m, m, verify.Options{Inputs: map[string]*onnxgraph.Tensor{"x": square}})
	if err != nil || report.Inputs[0] != "x [2, 2]" || report.Differences[0].Compared != 4 {
		t.Errorf("given a matrix: %+v, %v", report, err)
	}
}

// TestGivenInputs gives numbers of another type, and such as do not fit.
func TestGivenInputs(t *testing.T) {
	orttest.Init(t)
	n := newNetwork(t)
	x, k := n.input("x", onnxgraph.Float32, unknown(1)), n.input("k", onnxgraph.Int64, []onnxgraph.Dim{{Size: 1}})
	m := n.output(n.AddNodeOf("", "TopK", []*onnxgraph.Value{x, k}, 2).Output(0))
	list := func(v ...float64) *onnxgraph.Tensor { return onnxgraph.NewTensor([]int64{int64(len(v))}, v) }
	for name, c := range map[string]struct {
		inputs map[string]*onnxgraph.Tensor
		want   string // of the error
	}{
		"good":      {map[string]*onnxgraph.Tensor{"x": list(5, 6, 7), "k": list(2)}, ""},
		"missing":   {map[string]*onnxgraph.Tensor{"x": list(5, 6, 7)}, `input "k" is missing`},
		"unknown":   {map[string]*onnxgraph.Tensor{"x": list(5, 6, 7), "k": list(2), "z": list(2)}, `unknown input "z"`},
		"fractions": {map[string]*onnxgraph.Tensor{"x": list(5, 6, 7), "k": list(1.5)}, "1.5, which is not a valid int64"},
		"shape":     {map[string]*onnxgraph.Tensor{"x": list(5, 6, 7), "k": list(1, 2)}, `input "k" needs int64[1], got int64[2]`},
	} {
		report, err := verify.Outputs(t.Context(), m, m, verify.Options{Inputs: c.inputs})
		if c.want == "" && (err != nil || report.Differences[0].Compared != 2) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %+v, %v, want %q", name, report, err, c.want)
		}
	}
}

// TestNothingToCompare has outputs without a finite number on some inputs.
func TestNothingToCompare(t *testing.T) {
	orttest.Init(t)
	below := func(n network, x *onnxgraph.Value, v float32) *onnxgraph.Value {
		return n.op("Sub", []*onnxgraph.Value{n.op("ReduceMin", []*onnxgraph.Value{x}, onnxgraph.Int("keepdims", 0)), n.floats([]int64{1}, v)})
	}
	for name, c := range map[string]struct {
		build    func(n network, x *onnxgraph.Value) []*onnxgraph.Value
		compared []bool // by output, nil if none is and that is an error
	}{
		"never a number": {func(n network, x *onnxgraph.Value) []*onnxgraph.Value {
			return []*onnxgraph.Value{n.op("Log", []*onnxgraph.Value{below(n, x, 100)})}
		}, nil},
		"infinite": {func(n network, x *onnxgraph.Value) []*onnxgraph.Value {
			return []*onnxgraph.Value{n.op("Add", []*onnxgraph.Value{x, n.floats([]int64{1}, float32(math.Inf(1)))})}
		}, nil},
		"empty": {func(n network, x *onnxgraph.Value) []*onnxgraph.Value {
			return []*onnxgraph.Value{n.op("NonZero", []*onnxgraph.Value{n.op("Floor", []*onnxgraph.Value{n.op("Sigmoid", []*onnxgraph.Value{x})})})}
		}, nil},
		"for positive pixels": {func(n network, x *onnxgraph.Value) []*onnxgraph.Value {
			return []*onnxgraph.Value{n.op("Log", []*onnxgraph.Value{below(n, x, 0)})}
		}, []bool{true}},
		"one of two": {func(n network, x *onnxgraph.Value) []*onnxgraph.Value {
			return []*onnxgraph.Value{n.op("Log", []*onnxgraph.Value{below(n, x, 100)}), n.op("Neg", []*onnxgraph.Value{x})}
		}, []bool{false, true}},
	} {
		n := newNetwork(t)
		x := n.input("x", onnxgraph.Float32, []onnxgraph.Dim{{Size: 100}})
		for _, y := range c.build(n, x) {
			n.output(y)
		}
		report, err := verify.Outputs(t.Context(), n.Model(), n.Model(), verify.Options{})
		if c.compared == nil {
			if !errors.Is(err, verify.ErrNothingCompared) {
				t.Errorf("%s: %+v, %v", name, report, err)
			}
			continue
		}
		var compared []bool
		for _, d := range report.Differences {
			compared = append(compared, d.Compared > 0)
		}
		if err != nil || !slices.Equal(compared, c.compared) {
			t.Errorf("%s: compared %v, want %v; %v", name, compared, c.compared, err)
		}
	}
}

// TestNothingHidesADifference has an output without a number on all inputs, beside one that differs on negative ones only.
func TestNothingHidesADifference(t *testing.T) {
	orttest.Init(t)
	build := func(slope float32) *onnxgraph.Model {
		n := newNetwork(t)
		x := n.input("x", onnxgraph.Float32, []onnxgraph.Dim{{Size: 100}})
		n.output(n.op("Log", []*onnxgraph.Value{n.op("Sub", []*onnxgraph.Value{n.op("Sigmoid", []*onnxgraph.Value{x}), n.floats([]int64{1}, 2)})}))
		return n.output(n.op("LeakyRelu", []*onnxgraph.Value{x}, onnxgraph.Float("alpha", slope)))
	}
	report, err := verify.Outputs(t.Context(), build(0.1), build(0.2), verify.Options{})
	if err != nil || report.Differences[0].Compared != 0 || !(report.Differences[1].MaxRel > 0.01) {
		t.Errorf("got %+v, %v", report, err)
	}
}

// TestBatches runs models that take any batch, or only single examples.
func TestBatches(t *testing.T) {
	orttest.Init(t)
	any := affine(t, 2, 0)
	n := newNetwork(t)
	x := n.input("x", onnxgraph.Float32, []onnxgraph.Dim{{Size: -1, Param: "batch"}, {Size: 4}})
	single := n.output(n.op("Reshape", []*onnxgraph.Value{x, n.ints(1, 4)}))
	for _, c := range []struct {
		name        string
		m           *onnxgraph.Model
		batch, want int64 // 0 if it fails
	}{
		{"any, chosen", any, 0, 8}, {"any, stated", any, 3, 3}, {"single, chosen", single, 0, 1}, {"single, stated", single, 3, 0},
	} {
		report, err := verify.Outputs(t.Context(), c.m, c.m, verify.Options{Batch: c.batch})
		if report.Batch != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s: a batch of %d, %v, want %d", c.name, report.Batch, err, c.want)
		}
	}
}

// TestWithoutInputs compares models that compute from constants alone.
func TestWithoutInputs(t *testing.T) {
	orttest.Init(t)
	build := func(v float32) *onnxgraph.Model {
		n := newNetwork(t)
		y := n.op("Neg", []*onnxgraph.Value{n.floats([]int64{1}, v)})
		n.Rename(y, "y")
		n.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(1))
		return n.Model()
	}
	report, err := verify.Outputs(t.Context(), build(2), build(3), verify.Options{})
	if err != nil || report.Differences[0].MaxAbs != 1 || report.Batch != 0 {
		t.Errorf("got %+v, %v", report, err)
	}
	timings, err := verify.Latency(t.Context(), []*onnxgraph.Model{build(2), build(3)}, verify.Options{}, 1, ort.Options{})
	if err != nil || len(timings) != 2 || timings[0].Images != 1 {
		t.Errorf("timings %+v, %v", timings, err)
	}
}

// TestMemoryIsBounded has images of a size that no machine can hold: that is to be said, not tried.
func TestMemoryIsBounded(t *testing.T) {
	orttest.Init(t)
	if ort.FreeMemory() == 0 {
		t.Skip("the system does not tell how much memory is free")
	}
	n := newNetwork(t)
	x := n.input("x", onnxgraph.Float32, []onnxgraph.Dim{{Size: -1}, {Size: 1}, {Size: 1 << 15}, {Size: 1 << 15}})
	m := n.output(n.op("Relu", []*onnxgraph.Value{n.op("Conv", []*onnxgraph.Value{x, n.floats([]int64{1 << 14, 1, 3, 3})})}))
	if _, err := verify.Outputs(t.Context(), m, m, verify.Options{}); err == nil || !strings.Contains(err.Error(), "MiB of memory") {
		t.Errorf("got %v", err)
	}
}

// TestStops compares models with work stopped before.
func TestStops(t *testing.T) {
	orttest.Init(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := verify.Outputs(ctx, affine(t, 1, 0), affine(t, 1, 0), verify.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
