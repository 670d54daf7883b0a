package verify

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// rectifier returns a model of one Relu on images of a batch, -1 if it is open.
func rectifier(t *testing.T, batch int64) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("rectifier", 8, 18)
	shape := []onnxgraph.Dim{{Size: batch}, {Size: 2}}
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.AddOutput(m.Graph.AddNode("Relu", []*onnxgraph.Value{x}).Output(0), onnxgraph.Float32, shape)
	return m
}

// TestLatency times two models by a clock that says how long each run takes: the models run in turn, and the first run of each
// does not count.
func TestLatency(t *testing.T) {
	orttest.Init(t)
	for _, c := range []struct {
		runs         int
		took         []int // in turn, in seconds
		medians, min [2]int
	}{
		{1, []int{900, 1, 7, 8}, [2]int{7, 8}, [2]int{7, 8}},
		{3, []int{900, 1, 5, 50, 3, 70, 4, 60}, [2]int{4, 60}, [2]int{3, 50}},
		{5, []int{1, 900, 9, 20, 8, 10, 2, 40, 5, 30, 6, 50}, [2]int{6, 30}, [2]int{2, 10}},
	} {
		time0, calls := time.Unix(0, 0), 0
		clock := func() time.Time {
			if calls%2 == 1 {
				time0 = time0.Add(time.Duration(c.took[calls/2]) * time.Second)
			}
			calls++
			return time0
		}
		got, err := latency(t.Context(), []*onnxgraph.Model{rectifier(t, -1), rectifier(t, -1)}, Options{Batch: 4}, c.runs, ort.Options{}, clock)
		if err != nil || len(got) != 2 || calls != 4*(c.runs+1) {
			t.Fatalf("%d runs: %v, %v, the clock was read %d times", c.runs, got, err, calls)
		}
		for i, timing := range got {
			want := Timing{Images: 4, Median: time.Duration(c.medians[i]) * time.Second, Min: time.Duration(c.min[i]) * time.Second}
			if timing != want {
				t.Errorf("%d runs, model %d: %+v, want %+v", c.runs, i, timing, want)
			}
			if perSecond := 4 / float64(c.medians[i]); timing.PerSecond() != perSecond {
				t.Errorf("%d runs, model %d: %g images a second, want %g", c.runs, i, timing.PerSecond(), perSecond)
			}
		}
	}
}

// TestLatencyBatches times models that fix their batch, or do not: all run on the same.
func TestLatencyBatches(t *testing.T) {
	orttest.Init(t)
	for _, c := range []struct {
		sizes []int64 // of the models' batches
		asked int64
		want  int64
	}{
		{[]int64{-1, -1}, 0, 8},
		{[]int64{-1, -1}, 3, 3},
		{[]int64{5, -1}, 3, 5},
		{[]int64{-1, 5}, 3, 5},
		{[]int64{5, 5}, 0, 5},
		{[]int64{5, 2}, 0, 5},
		{[]int64{-1, 2, 5}, 0, 2},
	} {
		var models []*onnxgraph.Model
		for _, size := range c.sizes {
			models = append(models, rectifier(t, size))
		}
		got, err := Latency(t.Context(), models, Options{Batch: c.asked}, 1, ort.Options{})
		if err != nil || len(got) != len(models) {
			t.Errorf("%v, asked for %d: %v, %v", c.sizes, c.asked, got, err)
			continue
		}
		for i, timing := range got {
			if timing.Images != c.want || timing.Min <= 0 {
				t.Errorf("%v, asked for %d: model %d: %+v, want batches of %d", c.sizes, c.asked, i, timing, c.want)
			}
			shape, _ := models[i].Graph.Inputs()[0].Shape()
			if shape[0].Size != c.sizes[i] {
				t.Errorf("%v: model %d was changed", c.sizes, i)
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if got, err := Latency(ctx, []*onnxgraph.Model{rectifier(t, -1)}, Options{Batch: 4}, 3, ort.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a stopped measurement returns %v, %v", got, err)
	}
	other := onnxgraph.New("other", 8, 18) // a batch that cannot be changed, as there are two inputs
	for i := range 2 {
		if _, err := other.Graph.AddInput(fmt.Sprint("x", i), onnxgraph.Float32, onnxgraph.Static(3, 2)); err != nil {
			t.Fatal(err)
		}
	}
	sum := other.Graph.AddNode("Add", other.Graph.Inputs()).Output(0)
	other.Graph.AddOutput(sum, onnxgraph.Float32, onnxgraph.Static(3, 2))
	if got, err := Latency(t.Context(), []*onnxgraph.Model{rectifier(t, -1), other}, Options{Batch: 4}, 1, ort.Options{}); err == nil {
		t.Errorf("models of batches of 4 and 3 are compared: %v", got)
	}
}
