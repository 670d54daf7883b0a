package train_test

import (
	"testing"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestSoak trains for 100,000 steps, with an evaluation and checkpoints after every 1,000, and after every second: what the process holds must not
// grow. A leak of 100 bytes per step would be seen.
func TestSoak(t *testing.T) {
	orttest.Soak(t)
	const epochs, steps, batch = 100, 1000, 4
	m := leNet(t)
	if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random}); err != nil {
		t.Fatal(err)
	}
	r := newRun(t, m, parameter.Frozen)
	r.Train, r.Test = datasettest.OpenCorners(t, steps*batch, 100)
	r.Recipe.Epochs, r.Recipe.BatchSize, r.Recipe.LearningRate = epochs, batch, 1e-3
	r.Keep, r.SaveEvery = train.KeepBest, time.Second
	var samples []orttest.Held
	r.Measured = func(row train.Row) {
		samples = append(samples, orttest.Hold(t))
		if len(samples)%10 == 0 {
			t.Logf("%d steps: %v", len(samples)*steps, samples[len(samples)-1])
		}
	}
	do(t, r)
	orttest.Flat(t, samples, 100*steps, 10*steps)
}
