package rcfreeze

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// TestDefaults checks the settings that depend on others, and what is said of images that batches leave out.
func TestDefaults(t *testing.T) {
	for i, c := range []struct {
		change              func(*train.Recipe)
		scratch, newHead    bool
		images              int
		epochs, batch       int
		rate, decay, smooth float64
		said                string
	}{
		{nil, false, false, 1280, 10, 128, 0.001, 1e-4, 0, ""},
		{nil, true, false, 2560, 75, 256, 0.01, 0.01, 0.1, ""},
		{func(r *train.Recipe) { r.Epochs = 3; r.BatchSize = 4 }, true, false, 40, 3, 4, 0.01, 0.01, 0.1, ""},
		{func(r *train.Recipe) { r.LearningRate = 0.5; r.WeightDecay = 0; r.LabelSmoothing = 0.3 }, true, false, 256, 75, 256, 0.5, 0, 0.3, ""},
		{func(r *train.Recipe) { r.Optimizer = "adamw" }, false, false, 1280, 10, 128, 0.0001, 1e-4, 0, ""},
		{func(r *train.Recipe) { r.Optimizer = "adamw" }, true, false, 2560, 75, 256, 0.001, 0.01, 0.1, ""},
		{func(r *train.Recipe) { r.Optimizer = "adamw"; r.LearningRate = 0.01 }, false, false, 1280, 10, 128, 0.01, 1e-4, 0, ""},
		{nil, false, false, 200, 10, 128, 0.001, 1e-4, 0, "leaves out 72 of 200 images, different ones each time, since all batches have 128: --batch-size 100 leaves out none\n"},
		{nil, false, false, 1283, 10, 128, 0.001, 1e-4, 0, "leaves out 3 of 1,283 images, different ones each time, since all batches have 128\n"},
		{func(r *train.Recipe) { r.BatchSize = 3 }, false, false, 7, 10, 3, 0.001, 1e-4, 0, "leaves out 1 of 7 images, different ones each time, since all batches have 3\n"},
		{nil, false, false, 100, 10, 100, 0.001, 1e-4, 0, "the batch size is 100 instead of 128"},
		{nil, true, false, 100, 75, 100, 0.01, 0.01, 0.1, "the batch size is 100 instead of 256"},
		{nil, false, true, 1280, 10, 128, 0.01, 1e-4, 0, ""},
		{nil, false, true, 200, 10, 20, 0.01, 1e-4, 0, "the batch size is 20 instead of 128: so the new last layer gets about 100 updates from 200 images\n"},
		{nil, false, true, 50, 10, 8, 0.01, 1e-4, 0, "the batch size is 8 instead of 128: so the new last layer gets about 60 updates from 50 images; each epoch leaves out 2 of 50 images, different ones each time, since all batches have 8\n"},
		{nil, false, true, 18, 10, 8, 0.01, 1e-4, 0, "the batch size is 8 instead of 128: so the new last layer gets about 20 updates from 18 images; each epoch leaves out 2 of 18 images, different ones each time, since all batches have 8\n"},
		{func(r *train.Recipe) { r.BatchSize = 100 }, false, true, 200, 10, 100, 0.01, 1e-4, 0, ""},
		{func(r *train.Recipe) { r.Augment = []string{"flip=1"} }, false, false, 1280, 10, 128, 0.001, 1e-4, 0, ""},
		{nil, true, true, 2560, 75, 256, 0.01, 0.01, 0.1, ""},
		{func(r *train.Recipe) { r.Optimizer = "adamw" }, false, true, 1280, 10, 128, 0.001, 1e-4, 0, ""},
		{func(r *train.Recipe) { r.LearningRate = 0.3 }, false, true, 1280, 10, 128, 0.3, 1e-4, 0, ""},
	} {
		var said bytes.Buffer
		r, augment, err := Settings{Recipe: c.change}.settle(reporterTo(&said, false), "cifar10", c.images, c.scratch, c.newHead)
		if err != nil || r.Epochs != c.epochs || r.BatchSize != c.batch || len(augment) != 2 || !slices.Equal(r.Augment, []string{"pad-crop=4", "flip=0.5"}) {
			t.Errorf("row %d, from scratch %v: %d epochs, batch size %d, augmentation %v (%v)", i, c.scratch, r.Epochs, r.BatchSize, augment, err)
		}
		if r.LearningRate != c.rate || r.WeightDecay != c.decay || r.LabelSmoothing != c.smooth {
			t.Errorf("row %d, from scratch %v: lr %v, weight decay %v, label smoothing %v", i, c.scratch, r.LearningRate, r.WeightDecay, r.LabelSmoothing)
		}
		if !strings.Contains(said.String(), c.said) || (said.Len() == 0) != (c.said == "") {
			t.Errorf("%v, %d images: said %q, want %q", i, c.images, said.String(), c.said)
		}
	}
}
