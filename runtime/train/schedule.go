package train

import "math"

// schedules has one row per schedule. The function returns the factor for the learning rate after the given share of the run
// (from 0 to 1), and after the given number of epochs.
var schedules = map[string]func(r Recipe, share, epochs float64) float64{
	"constant": func(Recipe, float64, float64) float64 { return 1 },
	"linear":   func(_ Recipe, share, _ float64) float64 { return 1 - share },
	// half a cosine from 1 to 0 (Loshchilov & Hutter 2017, without restarts)
	"cosine": func(_ Recipe, share, _ float64) float64 { return (1 + math.Cos(math.Pi*share)) / 2 },
	"step": func(r Recipe, _, epochs float64) float64 {
		return math.Pow(r.StepFactor, math.Floor(epochs/float64(r.StepEpochs)))
	},
}

// Schedules returns the names of the learning rate schedules.
func Schedules() []string { return names(schedules) }

// rate returns the learning rate of an update. Updates are counted from 0 over the whole run, and an epoch has perEpoch updates.
// Warm-up comes first; the schedule covers the rest of the run.
func (r Recipe) rate(update, perEpoch int) float64 {
	total := float64(r.Epochs * perEpoch)
	warmup := math.Min(r.WarmupEpochs*float64(perEpoch), total)
	s := float64(update)
	if s < warmup {
		return r.LearningRate * (s + 1) / (math.Floor(warmup) + 1)
	}
	s -= warmup
	return r.LearningRate * schedules[r.Schedule](r, s/(total-warmup), s/float64(perEpoch))
}
