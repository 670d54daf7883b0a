package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Timing is how long a model takes for one batch.
type Timing struct {
	Median time.Duration `json:"median_ns"`
	Min    time.Duration `json:"min_ns"`
}

// Latency times each model on random inputs, runs times after warm-ups. The models run in turn, A B A B,
// so that a change of the machine's speed meets all of them alike.
func Latency(ctx context.Context, models []*onnxgraph.Model, batch int64, runs int, o ort.Options) ([]Timing, error) {
	sessions := make([]*ort.Session, len(models))
	inputs := make([]map[string]*onnxgraph.Tensor, len(models))
	for i, m := range models {
		s, err := ort.OpenModel(m, o)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		sessions[i] = s
		if inputs[i], _, err = runOnNoise(m, s, batch, 0); err != nil {
			return nil, err
		}
	}
	taken := make([][]time.Duration, len(models))
	for run := range runs + 1 {
		for i, s := range sessions {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			start := time.Now()
			if _, err := s.Run(inputs[i]); err != nil {
				return nil, fmt.Errorf("running %s: %w", models[i].Path(), err)
			}
			if run > 0 { // the first is the warm-up
				taken[i] = append(taken[i], time.Since(start))
			}
		}
	}
	timings := make([]Timing, len(models))
	for i, t := range taken {
		slices.Sort(t)
		timings[i] = Timing{Median: t[len(t)/2], Min: t[0]}
	}
	return timings, nil
}
