package train

import (
	"math"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestRanges sets each number of a recipe to values at the ends of what it may be, and beyond: all that is wrong is told by its flag.
func TestRanges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		flag      string
		set       func(r *Recipe, v float64)
		good, bad []float64
	}{
		{"--epochs", func(r *Recipe, v float64) { r.Epochs = int(v) }, []float64{1}, []float64{0, -1}},
		{"--batch-size", func(r *Recipe, v float64) { r.BatchSize = int(v) }, []float64{1}, []float64{0, -1}},
		{"--grad-accum-steps", func(r *Recipe, v float64) { r.GradAccumSteps = int(v) }, []float64{1}, []float64{0, -1}},
		{"--lr", func(r *Recipe, v float64) { r.LearningRate = v }, []float64{1e-300, 1, math.MaxFloat64}, []float64{0, -1, inf, nan}},
		{"--warmup-epochs", func(r *Recipe, v float64) { r.WarmupEpochs = v }, []float64{0, 0.5}, []float64{-0.5, inf, nan}},
		{"--step-epochs", func(r *Recipe, v float64) { r.Schedule, r.StepEpochs = "step", int(v) }, []float64{1}, []float64{0, -1}},
		{"--step-epochs", func(r *Recipe, v float64) { r.Schedule, r.StepEpochs = "cosine", int(v) }, []float64{0}, nil},
		{"--step-factor", func(r *Recipe, v float64) { r.StepFactor = v }, []float64{0, 1}, []float64{-1, inf, nan}},
		{"--momentum", func(r *Recipe, v float64) { r.Momentum = v }, []float64{1e-9, 0.99}, []float64{-0.1, 0, 1, inf, nan}},
		{"--momentum", func(r *Recipe, v float64) { r.Nesterov, r.Momentum = false, v }, []float64{0, 0.99}, []float64{-0.1, 1, inf, nan}},
		{"--weight-decay", func(r *Recipe, v float64) { r.WeightDecay = v }, []float64{0, 1}, []float64{-1, inf, nan}},
		{"--label-smoothing", func(r *Recipe, v float64) { r.LabelSmoothing = v }, []float64{0, 0.99}, []float64{-0.1, 1, inf, nan}},
		{"--clip-grad", func(r *Recipe, v float64) { r.ClipNorm = v }, []float64{0, 1}, []float64{-1, inf, nan}},
	} {
		for _, v := range c.good {
			r := PaperRecipe()
			c.set(&r, v)
			if err := r.Validate(); err != nil {
				t.Errorf("%s %v: got error %v", c.flag, v, err)
			}
		}
		for _, v := range c.bad {
			r := PaperRecipe()
			c.set(&r, v)
			if err := r.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.flag+" ") {
				t.Errorf("%s %v: got error %v", c.flag, v, err)
			}
		}
	}
	for _, b := range BatchNorms() {
		r := PaperRecipe()
		r.BatchNorm = b
		if err := r.Validate(); err != nil {
			t.Errorf("%s: got error %v", b, err)
		}
	}
	r := PaperRecipe()
	r.BatchNorm = "never"
	if err := r.Validate(); err == nil || !strings.HasPrefix(err.Error(), "--batchnorm never: needs train, eval or recalibrate") {
		t.Errorf("got error %v", err)
	}
}

// TestTuneRecipe changes a trained model less than the paper's recipe: in fewer, smaller steps, with less decay, and as it was trained
// otherwise.
func TestTuneRecipe(t *testing.T) {
	tune, paper := TuneRecipe(), PaperRecipe()
	if err := tune.Validate(); err != nil {
		t.Error(err)
	}
	if tune.Epochs != 10 || tune.BatchSize != 128 || tune.LearningRate != 1e-3 || tune.WeightDecay != 1e-4 || tune.LabelSmoothing != 0 {
		t.Errorf("%+v", tune)
	}
	tune.Epochs, tune.BatchSize, tune.LearningRate, tune.WeightDecay, tune.LabelSmoothing = paper.Epochs, paper.BatchSize, paper.LearningRate, paper.WeightDecay, paper.LabelSmoothing
	if faults := Differences(paper, tune); faults != nil {
		t.Errorf("it differs in more: %v", faults)
	}
}

// TestPaperRecipe has the settings of section 3 of arXiv 2301.11360: 75 epochs of batches of 256, SGD with Nesterov momentum 0.9, a
// learning rate from 1e-2 by half a cosine to zero, weight decay 1e-2, label smoothing 0.1.
func TestPaperRecipe(t *testing.T) {
	r := PaperRecipe()
	if r.Epochs != 75 || r.BatchSize != 256 || r.GradAccumSteps != 1 || r.Optimizer != "sgd" || !r.Nesterov || r.Momentum != 0.9 {
		t.Errorf("%+v", r)
	}
	if r.LearningRate != 1e-2 || r.Schedule != "cosine" || r.WarmupEpochs != 0 || r.WeightDecay != 1e-2 || r.LabelSmoothing != 0.1 || r.ClipNorm != 0 || r.BatchNorm != BatchNormTrain {
		t.Errorf("%+v", r)
	}
	if r.StepEpochs != 30 || r.StepFactor != 0.1 { // torchvision's, for the schedule that drops the rate
		t.Errorf("%+v", r)
	}
}

// TestAdamWDefaults has the settings that PyTorch's AdamW has by default, beside those of the recipe.
func TestAdamWDefaults(t *testing.T) {
	want := trainstep.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.25}
	if got := optimizers["adamw"](Recipe{WeightDecay: 0.25}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
