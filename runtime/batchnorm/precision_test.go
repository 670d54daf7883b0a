package batchnorm

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// newHalfModel returns newModel in float16. It takes float32 images, if asked to, and casts them.
func newHalfModel(t *testing.T, castsInput bool) *onnxgraph.Model {
	t.Helper()
	m := newModel(t)
	if _, err := precision.Convert(m, onnxgraph.Float16); err != nil {
		t.Fatal(err)
	}
	if castsInput {
		x := m.Graph.Inputs()[0]
		shape, _ := x.Shape()
		x.SetType(onnxgraph.Float32, shape)
		first := m.Graph.Nodes()[0]
		cast := m.Graph.AddNode("Cast", []*onnxgraph.Value{x}, onnxgraph.Int("to", int64(onnxgraph.Float16)))
		m.Graph.Insert(first, cast)
		first.SetInput(0, cast.Output(0))
	}
	return m
}

// TestHalf measures models that compute in float16, and stores the statistics in their type.
func TestHalf(t *testing.T) {
	t.Parallel()
	set, o := newOptions(t)
	for name, castsInput := range map[string]bool{"half images": false, "half inside": true} {
		m := newHalfModel(t, castsInput)
		images := batches(t, set, o)
		for _, adopts := range []bool{false, true} {
			m, o := m.Clone(), o
			what := Recalibrate
			if adopts {
				o.Means = []string{"4.running_mean"}
				what = Adopt
			}
			want := naive(t, m, images, o, adopts)
			if _, err := what(context.Background(), m, set, o); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for statistic, numbers := range want {
				if dtype := m.Graph.Value(statistic).DType(); dtype != onnxgraph.Float16 {
					t.Errorf("%s: %s is %v now", name, statistic, dtype)
				}
				for c, v := range constantOf(t, m, statistic) {
					if math.Abs(v-numbers[c]) > 2e-3*math.Max(1, math.Abs(numbers[c])) {
						t.Errorf("%s: %s is %v in channel %d, want %v", name, statistic, v, c, numbers[c])
					}
				}
			}
		}
	}
}

// TestHalfRange refuses statistics that float16 cannot hold.
func TestHalfRange(t *testing.T) {
	set, o := newOptions(t)
	m := newHalfModel(t, false)
	v := m.Graph.Value("0.weight")
	large, err := onnxgraph.FromFloat64s(onnxgraph.Float16, v.Constant().Dims(), slices.Repeat([]float64{6e4}, int(v.Constant().Len())))
	if err != nil {
		t.Fatal(err)
	}
	v.SetConstant(large)
	_, err = Recalibrate(context.Background(), m, set, o)
	if err == nil || !strings.Contains(err.Error(), "1.running_") || !strings.Contains(err.Error(), "--precision fp32") {
		t.Errorf("error %v, want it to name the statistic and what to do", err)
	}
}

// TestUnmeasured names normalizations that have no part in what the model puts out.
func TestUnmeasured(t *testing.T) {
	set, o := newOptions(t)
	m := newModel(t)
	loose := m.Graph.AddNode("BatchNormalization", []*onnxgraph.Value{m.Graph.Nodes()[0].Output(0), m.Graph.Value("1.weight"), m.Graph.Value("1.bias"),
		m.Graph.AddConstant("loose.mean", m.Graph.Value("1.running_mean").Constant()), m.Graph.AddConstant("loose.var", m.Graph.Value("1.running_var").Constant())})
	loose.Rename("loose")
	r, err := Recalibrate(context.Background(), m, set, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Changes) != 2 || !slices.Equal(r.Unmeasured, []string{"loose"}) {
		t.Errorf("changed %v, did not measure %q", r.Changes, r.Unmeasured)
	}
}
