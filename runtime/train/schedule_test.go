package train

import (
	"math"
	"slices"
	"testing"
)

func TestSchedules(t *testing.T) {
	const perEpoch, lr = 5, 0.4
	base := Recipe{Epochs: 6, LearningRate: lr, StepEpochs: 2, StepFactor: 0.1}
	cases := []struct {
		schedule string
		warmup   float64 // epochs
		want     func(step float64) float64
	}{
		{"constant", 0, func(float64) float64 { return lr }},
		{"linear", 0, func(s float64) float64 { return lr * (1 - s/30) }},
		{"cosine", 0, func(s float64) float64 { return lr / 2 * (1 + math.Cos(math.Pi*s/30)) }},
		{"step", 0, func(s float64) float64 { return lr * []float64{1, 0.1, 0.01}[int(s)/10] }},
		{"cosine", 2, func(s float64) float64 {
			if s < 10 {
				return lr * (s + 1) / 11
			}
			return lr / 2 * (1 + math.Cos(math.Pi*(s-10)/20))
		}},
		{"linear", 0.5, func(s float64) float64 { // two and a half steps of warm-up
			if s < 2.5 {
				return lr * (s + 1) / 3
			}
			return lr * (1 - (s-2.5)/27.5)
		}},
		{"constant", 100, func(s float64) float64 { return lr * (s + 1) / 31 }}, // nothing but warm-up
	}
	tested := map[string]bool{}
	for _, c := range cases {
		r := base
		r.Schedule, r.WarmupEpochs = c.schedule, c.warmup
		tested[c.schedule] = true
		for s := range 30 {
			got, want := r.rate(s, perEpoch), c.want(float64(s))
			if math.Abs(got-want) > 1e-12 || !(got > 0) || got > lr+1e-12 {
				t.Errorf("%s, warm-up %g: step %d has rate %g, want %g", c.schedule, c.warmup, s, got, want)
			}
		}
	}
	for _, name := range Schedules() {
		if !tested[name] {
			t.Errorf("schedule %s is not tested", name)
		}
	}
	if !slices.IsSorted(Schedules()) {
		t.Error("the names are not sorted")
	}
}
