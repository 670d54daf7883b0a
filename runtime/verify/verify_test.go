package verify_test

import (
	"context"
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/ort/orttest"
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

// TestLatency times models in turn.
func TestLatency(t *testing.T) {
	orttest.Init(t)
	timings, err := verify.Latency(context.Background(), []*onnxgraph.Model{affine(t, 1, 0), affine(t, 2, 0)}, verify.Options{Batch: 4}, 3, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(timings) != 2 || timings[0].Min <= 0 || timings[1].Median < timings[1].Min {
		t.Errorf("got %+v", timings)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := verify.Latency(ctx, []*onnxgraph.Model{affine(t, 1, 0)}, verify.Options{Batch: 4}, 3, ort.Options{}); err == nil {
		t.Error("a stopped measurement returns figures")
	}
}
