package train

import "testing"

func TestUpdates(t *testing.T) {
	for _, c := range []struct {
		accumulate, steps int
		want              []float32 // by step
	}{
		{1, 3, []float32{1, 1, 1}},
		{2, 4, []float32{0, 0.5, 0, 0.5}},
		{4, 6, []float32{0, 0, 0, 0.25, 0, 0.5}},
		{2, 3, []float32{0, 0.5, 1}},
		{8, 4, []float32{0, 0, 0, 0.25}},
	} {
		r := Recipe{GradAccumSteps: c.accumulate}
		updates := 0
		for step, want := range c.want {
			if got := r.share(step, c.steps); got != want {
				t.Errorf("%d of %d steps at a time: step %d has %v, want %v", c.accumulate, c.steps, step, got, want)
			}
			if want > 0 {
				updates++
			}
		}
		if got := r.updates(c.steps); got != updates {
			t.Errorf("%d of %d steps at a time make %d updates, want %d", c.accumulate, c.steps, got, updates)
		}
	}
}
