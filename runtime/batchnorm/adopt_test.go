package batchnorm

import (
	"context"
	"math"
	"testing"
)

// TestAdopt starts one of two normalizations by data: it gets the statistics of what it reads in inference, with the
// other as it was, and then changes nothing.
func TestAdopt(t *testing.T) {
	t.Parallel()
	set, o := newOptions(t)
	o.Means = []string{"4.running_mean"}
	m := newModel(t)
	before := m.Clone()
	images := batches(t, set, o)
	want := naive(t, m, images, o, true)
	report, err := Adopt(context.Background(), m, set, o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Images != 48 || len(report.Changes) != 1 || report.Changes[0].Node != "4" {
		t.Errorf("report %+v, want one of 48 images and node 4", report)
	}
	mean, variance := want["4.running_mean"], want["4.running_var"]
	near(t, "mean", constantOf(t, m, "4.running_mean"), mean)
	near(t, "variance", constantOf(t, m, "4.running_var"), variance)
	near(t, "shift", constantOf(t, m, "4.bias"), mean)
	for c, scale := range constantOf(t, m, "4.weight") {
		for _, x := range []float64{-3, 0, 5} {
			y := (x-mean[c])/math.Sqrt(variance[c]+1e-5)*scale + mean[c]
			if math.Abs(y-x) > 1e-5 {
				t.Errorf("channel %d passes %v on as %v", c, x, y)
			}
		}
	}
	for _, v := range before.Graph.Initializers() {
		if node := v.Name()[:1]; node != "4" {
			near(t, v.Name(), constantOf(t, m, v.Name()), constantOf(t, before, v.Name()))
		}
	}
	if _, err := Adopt(context.Background(), m, set, Options{BatchSize: 8, Means: []string{"nowhere"}}); err == nil {
		t.Error("no error for a normalization that is not there")
	}
}
