package train

import "math"

// schedules has one row per schedule: the factor on the learning rate after a share of the run from 0 up
// to 1, and after so many epochs.
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

// rate returns the learning rate of an update, counted from 0 over the whole run, of which an epoch has
// perEpoch. Warm-up comes first, and the schedule runs over what is left.
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
