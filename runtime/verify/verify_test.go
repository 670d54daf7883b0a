package verify_test

import (
	"math"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
)

// affine returns the model y = scale·x + shift over [batch, 2].
func affine(t *testing.T, scale, shift float32) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("affine", 8, 18)
	shape := []onnxgraph.Dim{{Size: -1, Param: "batch"}, {Size: 2}}
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	number := func(v float32) *onnxgraph.Value {
		return m.Graph.AddConstant("c", onnxgraph.NewTensor([]int64{1}, []float32{v}))
	}
	product := m.Graph.AddNode("Mul", []*onnxgraph.Value{x, number(scale)}).Output(0)
	y := m.Graph.AddNode("Add", []*onnxgraph.Value{product, number(shift)}).Output(0)
	m.Graph.Rename(y, "y")
	m.Graph.AddOutput(y, onnxgraph.Float32, shape)
	return m
}

// TestOutputs compares models whose difference is known.
func TestOutputs(t *testing.T) {
	orttest.Init(t)
	source := affine(t, 2, 0)
	for name, c := range map[string]struct {
		other *onnxgraph.Model
		abs   float64
	}{
		"equal":      {affine(t, 2, 0), 0},
		"shifted":    {affine(t, 2, 0.5), 0.5},
		"not finite": {affine(t, 2, float32(math.NaN())), math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := verify.Outputs(t.Context(), source, c.other, verify.Options{Batch: 3, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			d := report.Differences
			if len(d) != 1 || d[0].Output != "y" || !(math.Abs(d[0].MaxAbs-c.abs) < 1e-6 || d[0].MaxAbs == c.abs) {
				t.Errorf("got %+v, want an absolute difference of %g", d, c.abs)
			}
			if (d[0].MaxRel == 0) != (c.abs == 0) {
				t.Errorf("the relative difference is %g", d[0].MaxRel)
			}
		})
	}
	renamed := affine(t, 2, 0)
	renamed.Graph.Rename(renamed.Graph.Value("y"), "z")
	if _, err := verify.Outputs(t.Context(), source, renamed, verify.Options{Batch: 3}); err == nil {
		t.Error("a model without the output compares as equal")
	}
}

// several returns a model with an output for each name, which is the input times a factor, in the given shape.
func several(t *testing.T, names string, factors []float32, dims ...int64) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("several", 8, 18)
	g := m.Graph
	x, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 6))
	if err != nil {
		t.Fatal(err)
	}
	shape := g.AddConstant("shape", onnxgraph.NewTensor([]int64{int64(len(dims))}, dims))
	for i, name := range strings.Fields(names) {
		factor := g.AddConstant("factor", onnxgraph.NewTensor([]int64{1}, factors[i:i+1]))
		y := g.AddNode("Reshape", []*onnxgraph.Value{g.AddNode("Mul", []*onnxgraph.Value{x, factor}).Output(0), shape}).Output(0)
		g.Rename(y, name)
		g.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(dims...))
	}
	return m
}

// TestSeveralOutputs compares models of which only one output differs, whichever it is, and wherever the other model has it.
func TestSeveralOutputs(t *testing.T) {
	orttest.Init(t)
	ones := []float32{1, 1, 1}
	for _, c := range []struct {
		names   string
		factors []float32
		differs string // the output that does
	}{
		{"a b c", ones, ""},
		{"a b c", []float32{1.5, 1, 1}, "a"},
		{"a b c", []float32{1, 1.5, 1}, "b"},
		{"a b c", []float32{1, 1, 1.5}, "c"},
		{"c b a", []float32{1.5, 1, 1}, "c"},
		{"b c more a", []float32{1, 1, 9, 1.5}, "a"},
	} {
		report, err := verify.Outputs(t.Context(), several(t, "a b c", ones, 3, 4), several(t, c.names, c.factors, 3, 4), verify.Options{})
		if err != nil || len(report.Differences) != 3 {
			t.Errorf("%s times %v: %+v, %v", c.names, c.factors, report, err)
			continue
		}
		for i, d := range report.Differences {
			want := 0.0
			if d.Output == c.differs {
				want = 0.5
			}
			if d.Output != string("abc"[i]) || math.Abs(d.MaxRel-want) > 1e-6 || (d.MaxAbs > 0) != (want > 0) || d.Compared != 12 {
				t.Errorf("%s times %v: %+v, want a relative difference of %g", c.names, c.factors, d, want)
			}
		}
	}
	for missing, names := range map[string]string{"a": "b c", "b": "a c", "c": "a b"} {
		_, err := verify.Outputs(t.Context(), several(t, "a b c", ones, 3, 4), several(t, names, ones, 3, 4), verify.Options{})
		if err == nil || !strings.Contains(err.Error(), `no output "`+missing+`"`) {
			t.Errorf("a model with only %s: error %v", names, err)
		}
	}
}

// TestShapesDiffer compares models that put out the same numbers in other shapes, which is not the same.
func TestShapesDiffer(t *testing.T) {
	orttest.Init(t)
	for _, dims := range [][]int64{{4, 3}, {12}, {1, 3, 4}, {3, 4, 1}, {3, 2, 2}} {
		_, err := verify.Outputs(t.Context(), several(t, "y", []float32{1}, 3, 4), several(t, "y", []float32{1}, dims...), verify.Options{})
		if err == nil || !strings.Contains(err.Error(), `output "y": shapes [3 4] and `) {
			t.Errorf("shapes [3 4] and %v: error %v", dims, err)
		}
	}
}

// TestSmallOutputs compares outputs that are all small: relative to the largest, but for those of a sigmoid, which ONNX
// Runtime rounds to 1e-7 whatever they are.
func TestSmallOutputs(t *testing.T) {
	orttest.Init(t)
	for _, c := range []struct {
		name      string
		operators []string
		want      float64 // relative difference for inputs that differ by a hundredth
	}{
		{"small numbers", nil, 0.01},
		{"passed on", []string{"Identity"}, 0.01},
		{"a sigmoid", []string{"Sigmoid"}, 4.5e-5},
		{"a sigmoid, passed on", []string{"Sigmoid", "Transpose", "Identity"}, 4.5e-5},
	} {
		build := func(shift float32) *onnxgraph.Model {
			m := affine(t, 0, shift)
			g := m.Graph
			y := g.Value("y")
			g.Rename(y, "before")
			g.RemoveOutputs()
			for _, operator := range c.operators {
				y = g.AddNode(operator, []*onnxgraph.Value{y}).Output(0)
			}
			if c.operators == nil {
				y = g.AddNode("Neg", []*onnxgraph.Value{y}).Output(0)
			}
			g.Rename(y, "y")
			g.AddOutput(y, onnxgraph.Undefined, nil)
			return m
		}
		from, to := float32(1e-6), float32(1.01e-6)
		if c.want < 0.01 {
			from, to = -10, -10+0.00995 // sigmoid(-10) is 4.5e-5
		}
		report, err := verify.Outputs(t.Context(), build(from), build(to), verify.Options{Batch: 3})
		if err != nil || !(math.Abs(report.Differences[0].MaxRel-c.want) < 0.2*c.want) {
			t.Errorf("%s: %+v, %v, want %g", c.name, report, err, c.want)
		}
	}
}

// TestFailingModels compares and times models that run on nothing: the error says which, and why.
func TestFailingModels(t *testing.T) {
	orttest.Init(t)
	ones := []float32{1}
	good := func() *onnxgraph.Model { return several(t, "a", ones, 3, 4) }
	bad := func() *onnxgraph.Model { return several(t, "a", ones, 5, 5) } // 12 numbers are no 5×5 ones
	_, reference := verify.Outputs(t.Context(), bad(), good(), verify.Options{})
	_, other := verify.Outputs(t.Context(), good(), bad(), verify.Options{})
	_, timed := verify.Latency(t.Context(), []*onnxgraph.Model{good(), bad()}, verify.Options{}, 1, ort.Options{})
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"the reference", reference, "with x [2, 6]"},
		{"the other model", other, "on x [2, 6]"},
		{"a model that is timed", timed, "with x [2, 6]"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !strings.Contains(c.err.Error(), "Reshape") {
			t.Errorf("%s: got error %v, want one with %q", c.name, c.err, c.want)
		}
	}
}

// TestOutputsOfTwoKinds has an output that is read in another form, and one beside it, which is compared as it is.
func TestOutputsOfTwoKinds(t *testing.T) {
	orttest.Init(t)
	build := func(count int64, half bool, dims ...int64) *onnxgraph.Model {
		m := onnxgraph.New("two kinds", 8, 18)
		g := m.Graph
		x, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 6))
		if err != nil {
			t.Fatal(err)
		}
		first := g.AddNode("Identity", []*onnxgraph.Value{x}).Output(0)
		if half {
			first = g.AddNode("Cast", []*onnxgraph.Value{x}, onnxgraph.Int("to", int64(onnxgraph.Float16))).Output(0)
		}
		number := g.AddNode("Identity", []*onnxgraph.Value{g.AddConstant("c", onnxgraph.NewScalar(count))}).Output(0)
		shaped := g.AddNode("Reshape", []*onnxgraph.Value{x, g.AddConstant("d", onnxgraph.NewTensor([]int64{int64(len(dims))}, dims))}).Output(0)
		for name, v := range map[string]*onnxgraph.Value{"first": first, "number": number, "shaped": shaped} {
			g.Rename(v, name)
		}
		if half {
			g.AddOutput(first, onnxgraph.Float16, []onnxgraph.Dim{{Size: -1}, {Size: 6}})
		} else {
			g.AddOutput(first, onnxgraph.Float32, nil)
		}
		g.AddOutput(number, onnxgraph.Int64, []onnxgraph.Dim{})
		g.AddOutput(shaped, onnxgraph.Float32, onnxgraph.Static(dims...))
		return m
	}
	for _, half := range []bool{false, true} {
		report, err := verify.Outputs(t.Context(), build(1<<24, half, 3, 4), build(1<<24+1, half, 3, 4), verify.Options{})
		if err != nil || len(report.Differences) != 3 || report.Differences[0].MaxAbs != 0 || report.Differences[1].MaxAbs != 1 || report.Differences[2].MaxAbs != 0 {
			t.Errorf("half %t: whole numbers that differ by 1: %+v, %v", half, report, err)
		}
		if _, err := verify.Outputs(t.Context(), build(1, half, 3, 4), build(1, half, 4, 3), verify.Options{}); err == nil || !strings.Contains(err.Error(), "[4 3]") {
			t.Errorf("half %t: other shapes: error %v", half, err)
		}
	}
}
