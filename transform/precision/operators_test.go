package precision_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

func floats(dims []int64, v ...float32) *onnxgraph.Tensor { return onnxgraph.NewTensor(dims, v) }
func bytes(dims []int64, v ...uint8) *onnxgraph.Tensor    { return onnxgraph.NewTensor(dims, v) }
func scalar(v float32) *onnxgraph.Tensor                  { return onnxgraph.NewScalar(v) }
func whole(v ...int64) *onnxgraph.Tensor                  { return onnxgraph.NewTensor([]int64{int64(len(v))}, v) }
func dims(d ...int64) []int64                             { return d }

// TestOperators converts a node of every operator that takes or gives float32 alone, or makes numbers of a type that it must be
// told, to float16 and back. ONNX Runtime refuses what is of a wrong type. Inputs come from the caller or, all but the first,
// from constants. In newer versions most of them take float16 as it is.
func TestOperators(t *testing.T) {
	orttest.Init(t)
	x := floats(dims(2, 3), -1.5, 2, 0.25, 3, -0.5, 1)
	for _, c := range []struct {
		op      string
		opset   int64
		inputs  []*onnxgraph.Tensor // nil for an absent one
		outputs int                 // 1 if zero
		attrs   []onnxgraph.Attribute
		asIs    bool // it takes and gives float16
		lacks   bool // ONNX Runtime has no kernel for it in float16
	}{
		{op: "Celu", opset: 18, inputs: []*onnxgraph.Tensor{x}},
		{op: "IsInf", opset: 19, inputs: []*onnxgraph.Tensor{floats(dims(3), 1, float32(math.Inf(1)), 2)}},
		{op: "IsInf", opset: 20, inputs: []*onnxgraph.Tensor{floats(dims(3), 1, float32(math.Inf(1)), 2)}, asIs: true},
		{op: "Range", opset: 18, inputs: []*onnxgraph.Tensor{scalar(1), scalar(4), scalar(0.5)}},
		{op: "Range", opset: 18, inputs: []*onnxgraph.Tensor{onnxgraph.NewScalar[int64](1), onnxgraph.NewScalar[int64](4), onnxgraph.NewScalar[int64](2)}, asIs: true},
		{op: "Upsample", opset: 9, inputs: []*onnxgraph.Tensor{floats(dims(1, 1, 1, 2), 1, 2), floats(dims(4), 1, 1, 2, 1)}},
		{op: "Resize", opset: 10, inputs: []*onnxgraph.Tensor{floats(dims(1, 1, 1, 2), 1, 2), floats(dims(4), 1, 1, 2, 1)}},
		{op: "Resize", opset: 11, inputs: []*onnxgraph.Tensor{floats(dims(1, 1, 1, 2), 1, 2), floats(dims(0)), floats(dims(4), 1, 1, 2, 1)}},
		{op: "Resize", opset: 13, inputs: []*onnxgraph.Tensor{floats(dims(1, 1, 1, 2), 1, 2), nil, nil, whole(1, 1, 2, 2)}, asIs: true},
		{op: "NonMaxSuppression", opset: 11, inputs: []*onnxgraph.Tensor{floats(dims(1, 2, 4), 0, 0, 1, 1, 0, 0, 1, 0.5), floats(dims(1, 1, 2), 0.5, 0.75),
			whole(2), floats(dims(1), 0.75), floats(dims(1), 0.25)}},
		{op: "DynamicQuantizeLinear", opset: 11, inputs: []*onnxgraph.Tensor{x}, outputs: 3},
		{op: "QuantizeLinear", opset: 18, inputs: []*onnxgraph.Tensor{x, scalar(0.25), onnxgraph.NewScalar[uint8](9)}},
		{op: "QuantizeLinear", opset: 19, inputs: []*onnxgraph.Tensor{x, scalar(0.25), onnxgraph.NewScalar[uint8](9)}, asIs: true},
		{op: "DequantizeLinear", opset: 18, inputs: []*onnxgraph.Tensor{bytes(dims(2), 3, 200), scalar(0.25), onnxgraph.NewScalar[uint8](9)}},
		{op: "DequantizeLinear", opset: 19, inputs: []*onnxgraph.Tensor{bytes(dims(2), 3, 200), scalar(0.25), onnxgraph.NewScalar[uint8](9)}, asIs: true},
		{op: "QLinearConv", opset: 10, inputs: []*onnxgraph.Tensor{bytes(dims(1, 1, 2, 2), 3, 9, 200, 7), scalar(0.25), onnxgraph.NewScalar[uint8](9),
			bytes(dims(1, 1, 2, 2), 1, 2, 3, 4), scalar(0.5), onnxgraph.NewScalar[uint8](1), scalar(2), onnxgraph.NewScalar[uint8](5)}},
		{op: "QLinearMatMul", opset: 20, inputs: []*onnxgraph.Tensor{bytes(dims(1, 2), 3, 200), scalar(0.25), onnxgraph.NewScalar[uint8](9),
			bytes(dims(2, 1), 1, 20), scalar(0.5), onnxgraph.NewScalar[uint8](1), scalar(2), onnxgraph.NewScalar[uint8](5)}},
		{op: "LayerNormalization", opset: 17, inputs: []*onnxgraph.Tensor{x, floats(dims(3), 1, 2, 0.5)}, outputs: 3},
		{op: "TfIdfVectorizer", opset: 9, inputs: []*onnxgraph.Tensor{whole(1, 2, 1)}, attrs: []onnxgraph.Attribute{
			onnxgraph.Str("mode", "TF"), onnxgraph.Int("min_gram_length", 1), onnxgraph.Int("max_gram_length", 1), onnxgraph.Int("max_skip_count", 0),
			onnxgraph.Ints("ngram_counts", 0), onnxgraph.Ints("ngram_indexes", 0, 1), onnxgraph.Ints("pool_int64s", 1, 2)}},
		{op: "ConstantOfShape", opset: 18, inputs: []*onnxgraph.Tensor{whole(2, 2)}, asIs: true},
		{op: "HannWindow", opset: 17, inputs: []*onnxgraph.Tensor{onnxgraph.NewScalar[int64](6)}, asIs: true},
		{op: "HammingWindow", opset: 17, inputs: []*onnxgraph.Tensor{onnxgraph.NewScalar[int64](6)}, asIs: true},
		{op: "BlackmanWindow", opset: 17, inputs: []*onnxgraph.Tensor{onnxgraph.NewScalar[int64](6)}, asIs: true},
		{op: "RandomNormal", opset: 18, attrs: []onnxgraph.Attribute{onnxgraph.Ints("shape", 2), onnxgraph.Float("scale", 1e-6), onnxgraph.Float("mean", 0.5)}, asIs: true, lacks: true},
		{op: "RandomUniform", opset: 18, attrs: []onnxgraph.Attribute{onnxgraph.Ints("shape", 2), onnxgraph.Float("low", 0.5), onnxgraph.Float("high", 0.5)}, asIs: true, lacks: true},
	} {
		for _, fromConstants := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s of opset %d, %v", c.op, c.opset, fromConstants), func(t *testing.T) {
				m := onnxgraph.New("operator", 8, c.opset)
				feeds, halves := map[string]*onnxgraph.Tensor{}, map[string]*onnxgraph.Tensor{}
				var inputs []*onnxgraph.Value
				for i, x := range c.inputs {
					if x == nil {
						inputs = append(inputs, nil)
						continue
					}
					if fromConstants && i > 0 {
						inputs = append(inputs, m.Graph.AddConstant("c", x))
						continue
					}
					isNumber := x.DType() == single && x.Rank() == 0
					if isNumber { // which cannot be passed in float16
						x = floats(dims(1), numbersOf(t, x)...)
					}
					v, err := m.Graph.AddInput(fmt.Sprint("x", i), x.DType(), onnxgraph.Static(x.Dims()...))
					if err != nil {
						t.Fatal(err)
					}
					inputs = append(inputs, v)
					if isNumber {
						shape := m.Graph.AddConstant("number", onnxgraph.NewTensor([]int64{0}, []int64{}))
						inputs[i] = m.Graph.AddNode("Reshape", []*onnxgraph.Value{v, shape}).Output(0)
					}
					feeds[v.Name()], halves[v.Name()] = x, x
					if x.DType() == single {
						halves[v.Name()] = in(t, half, x)
					}
				}
				n := m.Graph.AddNodeOf("", c.op, inputs, max(c.outputs, 1), c.attrs...)
				for i, y := range n.Outputs() {
					if !fromConstants {
						y = m.Graph.AddNode("Identity", []*onnxgraph.Value{y}).Output(0) // for which the type must be right, too
					}
					m.Graph.Rename(y, fmt.Sprint("y", i))
					m.Graph.AddOutput(y, onnxgraph.Undefined, nil)
				}
				want := runOn(t, m, feeds)
				if _, err := precision.Convert(m, half); err != nil {
					t.Fatal(err)
				}
				casts := 0
				for _, n := range m.Graph.Nodes() {
					if n.Is("Cast") {
						casts++
					}
				}
				if c.asIs && casts > 0 {
					t.Errorf("there are %d Casts, which it does not need", casts)
				}
				for _, v := range m.Graph.Initializers() {
					if !v.IsUsed() {
						t.Errorf("nothing reads %q", v.Name())
					}
				}
				for _, a := range n.Attributes() {
					if strings.HasSuffix(a.Name(), "type") && onnxgraph.DType(n.Int(a.Name(), 0)) != half {
						t.Errorf("attribute %q says %v", a.Name(), onnxgraph.DType(n.Int(a.Name(), 0)))
					}
				}
				if c.lacks {
					if dtype := onnxgraph.DType(n.Int("dtype", 0)); dtype != half {
						t.Errorf("the numbers are drawn as %v", dtype)
					}
				} else {
					for name, got := range runOn(t, m, halves) {
						near(t, name, got, want[name], 2e-3)
					}
					for _, y := range outputsOf(t, m) {
						if y.DType == single {
							t.Errorf("output %q still is float32", y.Name)
						}
					}
				}
				if _, err := precision.Convert(m, single); err != nil {
					t.Fatal(err)
				}
				for _, n := range m.Graph.Nodes() {
					if n.Is("Cast") {
						casts--
					}
				}
				if casts < 0 {
					t.Errorf("there are %d Casts more in float32", -casts)
				}
				for name, got := range runOn(t, m, feeds) {
					near(t, name, got, want[name], 2e-3)
				}
			})
		}
	}
}

// outputsOf returns what ONNX Runtime takes the outputs of a model to be.
func outputsOf(t *testing.T, m *onnxgraph.Model) []ort.Port {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Outputs()
}

func numbersOf(t *testing.T, x *onnxgraph.Tensor) []float32 {
	t.Helper()
	v, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestIsAll looks for numbers of other types at every place where a model may have some.
func TestIsAll(t *testing.T) {
	tensor := func(dtype onnxgraph.DType) *onnxgraph.Tensor { return convcases.Draw(dtype, 1, 2) }
	for name, add := range map[string]func(g *onnxgraph.Graph, dtype onnxgraph.DType){
		"an input": func(g *onnxgraph.Graph, dtype onnxgraph.DType) {
			if _, err := g.AddInput("another", dtype, onnxgraph.Static(2)); err != nil {
				t.Fatal(err)
			}
		},
		"an output": func(g *onnxgraph.Graph, dtype onnxgraph.DType) {
			g.AddOutput(g.AddNode("Anything", nil).Output(0), dtype, onnxgraph.Static(2))
		},
		"a constant": func(g *onnxgraph.Graph, dtype onnxgraph.DType) { g.AddConstant("c", tensor(dtype)) },
		"a node's": func(g *onnxgraph.Graph, dtype onnxgraph.DType) {
			g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", tensor(dtype)))
		},
		"a Cast's": func(g *onnxgraph.Graph, dtype onnxgraph.DType) {
			g.AddNode("Cast", nil, onnxgraph.Int("to", int64(dtype)))
		},
		"a dtype": func(g *onnxgraph.Graph, dtype onnxgraph.DType) {
			g.AddNode("EyeLike", nil, onnxgraph.Int("dtype", int64(dtype)))
		},
		"a datatype": func(g *onnxgraph.Graph, dtype onnxgraph.DType) {
			g.AddNode("HannWindow", nil, onnxgraph.Int("output_datatype", int64(dtype)))
		},
		"an output's": func(g *onnxgraph.Graph, dtype onnxgraph.DType) {
			g.AddNode("QuantizeLinear", nil, onnxgraph.Int("output_dtype", int64(dtype)))
		},
	} {
		for _, dtype := range []onnxgraph.DType{single, half, double, onnxgraph.BFloat16} {
			m := onnxgraph.New("net", 8, 18)
			if _, err := m.Graph.AddInput("x", onnxgraph.Int64, onnxgraph.Static(2)); err != nil {
				t.Fatal(err)
			}
			m.Graph.AddNodeOf("custom", "Cast", nil, 1, onnxgraph.Int("to", int64(double))) // whatever that means there
			m.Graph.AddConstant("whole", whole(1))
			add(m.Graph, dtype)
			for _, of := range []onnxgraph.DType{single, half} {
				if got := precision.IsAll(m, of); got != (dtype == of) {
					t.Errorf("%s of %v: all is %v: %v", name, dtype, of, got)
				}
			}
		}
	}
}

// TestChanged tells a report of something from one of nothing.
func TestChanged(t *testing.T) {
	for _, c := range []struct {
		report precision.Report
		want   bool
	}{
		{precision.Report{}, false},
		{precision.Report{Constants: 1}, true},
		{precision.Report{Casts: 1}, true},
		{precision.Report{Inputs: []string{"x"}}, true},
		{precision.Report{Outputs: []string{"y"}}, true},
	} {
		if got := c.report.Changed(); got != c.want {
			t.Errorf("%+v: changed is %v", c.report, got)
		}
	}
}

// TestOldCast refuses files whose Casts name types in words, and what holds nothing.
func TestOldCast(t *testing.T) {
	for version, refused := range map[int64]bool{5: true, 6: false} {
		m := onnxgraph.New("old", 3, version)
		x, err := m.Graph.AddInput("x", single, onnxgraph.Static(2))
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.AddNode("Cast", []*onnxgraph.Value{x}, onnxgraph.Int("to", int64(double)))
		m.Graph.AddNodeOf("", "Constant", nil, 0, onnxgraph.TensorAttr("value", floats(dims(1), 1))) // of no output
		if _, err := precision.Convert(m, half); (err != nil) != refused || err != nil && !strings.Contains(err.Error(), "operator set 5 names types in words") {
			t.Errorf("opset %d: got error %v", version, err)
		}
	}
}

// TestLargeNumbers converts numbers that float32 holds and float16 does not.
func TestLargeNumbers(t *testing.T) {
	m := onnxgraph.New("net", 8, 18)
	c := m.Graph.AddConstant("c", onnxgraph.NewTensor(dims(2), []float64{1e30, -7e4}))
	m.Graph.AddOutput(m.Graph.AddNode("Identity", []*onnxgraph.Value{c}).Output(0), double, onnxgraph.Static(2))
	if _, err := precision.Convert(m, single); err != nil {
		t.Fatal(err)
	}
	if got := numbersOf(t, m.Graph.Value("c").Constant()); got[0] != 1e30 || got[1] != -7e4 {
		t.Errorf("got %v", got)
	}
}
