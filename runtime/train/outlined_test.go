package train_test

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestOutline computes by hand what the smallest model takes.
func TestOutline(t *testing.T) {
	r := newRun(t, linear(t), parameter.Baseline)
	r.Recipe.Epochs = 1
	var got train.Memory
	r.Outlined = func(o train.Outline) { got = o.Memory }
	do(t, r)
	const parameters = 4 * (side*side + 1) * classes // bytes
	for what, pair := range map[string][2]int64{
		"images in a step": {int64(got.Images), 16},
		"parameters":       {got.Parameters, parameters},
		"parameters and momentum, as they are and will be": {got.State, 2 * 2 * parameters},
		"batches": {got.Batches, 4 * 16 * side * side * (1 + dataset.BatchesHeld)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d, want %d", what, pair[0], pair[1])
		}
	}
	if got.Values < 4*16*classes || got.Values > 100*parameters {
		t.Errorf("%d bytes of activations and gradients", got.Values)
	}
	if ort.FreeMemory() > 0 && got.Free <= 0 {
		t.Error("it is not told how much memory is free")
	}
}
