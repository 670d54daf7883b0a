package compare_test

import (
	"context"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// TestSoak trains 200 runs in one comparison: what the process holds must not grow by a session, a model or a data set each.
func TestSoak(t *testing.T) {
	orttest.Soak(t)
	p := newPlan(t)
	p.Expansions, p.Seeds = []int{1, 2, 3, 4}, nil
	for seed := range uint64(20) {
		p.Seeds = append(p.Seeds, seed)
	}
	var samples []orttest.Held
	p.Describe = func(*onnxgraph.Model) error {
		samples = append(samples, orttest.Hold(t))
		if len(samples)%20 == 0 {
			t.Logf("%d runs: %v", len(samples), samples[len(samples)-1])
		}
		return nil
	}
	rows, err := p.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 200 {
		t.Errorf("%d runs, want 200", len(rows))
	}
	orttest.Flat(t, samples, 50e3, 20e3)
}
