package train_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestAccumulatedBatches trains with the gradients of several batches, and with batches as large as these together: all
// rates are the same, and the weights but for rounding. 64 of the 70 images of an epoch are in whole batches in either case.
func TestAccumulatedBatches(t *testing.T) {
	t.Parallel()
	m := leNet(t)
	var results []*train.Result
	var rates [2][]float64
	for i, steps := range []int{1, 4} {
		r := newRun(t, m, parameter.Baseline)
		r.Recipe.BatchSize, r.Recipe.GradAccumSteps, r.Recipe.WarmupEpochs = 32/steps, steps, 1
		r.Progress = func(p train.Progress) {
			if p.Step%steps == 0 {
				rates[i] = append(rates[i], p.LearningRate)
			}
		}
		results = append(results, do(t, r))
	}
	if !slices.Equal(rates[0], rates[1]) || len(rates[0]) != 8 {
		t.Errorf("the rates are %v with accumulation, %v without", rates[1], rates[0])
	}
	for _, name := range []string{"conv1.weight", "conv2.bias", "fc3.weight"} {
		want := constant(t, results[0].Model, name)
		for i, v := range constant(t, results[1].Model, name) {
			if math.Abs(float64(v-want[i])) > 1e-4 {
				t.Errorf("%s[%d] is %v with accumulation, %v without", name, i, v, want[i])
				break
			}
		}
	}
	for i, row := range results[1].History {
		want := results[0].History[i]
		if math.Abs(row.TrainLoss-want.TrainLoss) > 1e-4 || row.TrainTop1 != want.TrainTop1 || row.LearningRate != want.LearningRate {
			t.Errorf("epoch %+v with accumulation, %+v without", row, want)
		}
	}
}

// TestLastUpdateOfAnEpoch counts the updates of epochs of 4 steps, by 3 at a time: two, and nothing is left for the next
// epoch.
func TestLastUpdateOfAnEpoch(t *testing.T) {
	t.Parallel()
	r := newRun(t, leNet(t), parameter.Baseline)
	r.Recipe.Optimizer, r.Recipe.GradAccumSteps = "adamw", 3
	do(t, r)
	last := states(t, lastCheckpoint(r))
	if got := math.Float32frombits(binary.LittleEndian.Uint32(last["step.count.f32"])); got != 8 {
		t.Errorf("%v updates in 4 epochs, want 8", got)
	}
	if sum := last["step.gradient_sum.f32"]; len(sum) == 0 || slices.ContainsFunc(sum, func(b byte) bool { return b != 0 }) {
		t.Errorf("a sum of gradients is left, of %d bytes", len(sum))
	}
}
