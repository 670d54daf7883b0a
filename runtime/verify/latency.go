package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// Timing is how long a model takes for one batch.
type Timing struct {
	Images int64         `json:"images"`    // images per batch, the same for all models
	Median time.Duration `json:"median_ns"` // time for one batch
	Min    time.Duration `json:"min_ns"`    // likewise
}

// PerSecond returns images per second, computed from the median.
func (t Timing) PerSecond() float64 { return float64(t.Images) / t.Median.Seconds() }

// Latency measures how long each model takes for batches of the same size. After a first run that does not count, each model runs
// the given number of times, at least once. The models take turns, A B A B, so that a change of the machine's speed affects all
// of them equally. options say where the models run. Call ort.Init first.
//
// If a model fixes its batch size, all models use that size, and models with another size are changed. If several models fix
// different sizes, the first one's size is used.
func Latency(ctx context.Context, models []*onnxgraph.Model, o Options, runs int, options ort.Options) ([]Timing, error) {
	return latency(ctx, models, o, runs, options, time.Now)
}

// latency is Latency with a given clock.
func latency(ctx context.Context, models []*onnxgraph.Model, o Options, runs int, options ort.Options, now func() time.Time) ([]Timing, error) {
	models, err := sameBatch(models, &o)
	if err != nil {
		return nil, err
	}
	sessions := make([]*ort.Session, len(models))
	inputs := make([]map[string]*onnxgraph.Tensor, len(models))
	timings := make([]Timing, len(models))
	for i, m := range models {
		s, err := ort.OpenModel(m, options)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		trials, err := findTrials(ctx, m, s, o, fillings[0])
		if err != nil {
			return nil, err
		}
		sessions[i], inputs[i] = s, trials[0].inputs
		timings[i].Images = max(1, batchOf(s, trials[0]))
		if images := timings[0].Images; timings[i].Images != images {
			return nil, fmt.Errorf("timing %s: it runs on batches of %d, %s on batches of %d, so that they cannot be compared", m.Path(), timings[i].Images, models[0].Path(), images)
		}
	}
	taken := make([][]time.Duration, len(models))
	for run := range runs + 1 {
		for i, s := range sessions {
			start := now()
			if _, err := s.RunContext(ctx, inputs[i]); err != nil {
				return nil, fmt.Errorf("running %s: %w", models[i].Path(), err)
			}
			if took := now().Sub(start); run > 0 {
				taken[i] = append(taken[i], took)
			}
		}
	}
	for i, t := range taken {
		slices.Sort(t)
		timings[i].Median, timings[i].Min = t[len(t)/2], t[0]
	}
	return timings, nil
}

// sameBatch changes all models to one batch size if some of them fix it, and sets it in o.
func sameBatch(models []*onnxgraph.Model, o *Options) ([]*onnxgraph.Model, error) {
	models = slices.Clone(models)
	var size int64
	for i, m := range models {
		own := fixedBatch(m)
		switch {
		case own == 0 || own == size:
		case size == 0:
			size = own
		default:
			models[i] = m.Clone()
			if err := batch.SetSize(models[i], onnxgraph.Dim{Size: size}); err != nil {
				return nil, err
			}
		}
	}
	if size > 0 {
		o.Batch = size
	}
	return models, nil
}

// fixedBatch returns the batch size that a model with one input fixes, 0 if it is open.
func fixedBatch(m *onnxgraph.Model) int64 {
	input, err := batch.Input(m)
	if err != nil {
		return 0
	}
	shape, ok := input.Shape()
	if !ok {
		return 0
	}
	return max(shape[0].Size, 0)
}
