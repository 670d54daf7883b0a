package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Run describes a training run. Do starts it.
type Run struct {
	Model     *onnxgraph.Model // the source; it is not changed
	Recipe    Recipe
	Train     *dataset.Dataset
	Test      *dataset.Dataset       // measured after every epoch; KeepBest uses it
	Augment   []dataset.Augmentation // the augmentations that Recipe.Augment names
	Normalize dataset.Normalization
	Workers   int         // goroutines that make batches; 0 means one per core; never changes the result
	Session   ort.Options // options of the step's session
	Folder    Folder      // folder for checkpoints and metrics
	Resume    bool        // continue from the folder's last checkpoint, if it has one
	Keep      Keep
	// SaveEvery is the longest time between two checkpoints: a run that is killed loses at most that much work, and one step. A
	// checkpoint is always saved after every epoch; 0 means that there are no others.
	SaveEvery time.Duration
	// Warned, if not nil, is called with a line about something unexpected, such as a damaged checkpoint.
	Warned func(string)
	// These functions are called if they are not nil, by the goroutine that runs Do: Outlined before the step allocates memory;
	// Begun with the results of the model before its first step; Progress after every step; Measured after every epoch; Measuring
	// during a measurement on test images; Recalibrating during the recalibration on training images, with BatchNormRecalibrate.
	Outlined      func(Outline)
	Begun         func(evaluate.Result)
	Progress      func(Progress)
	Measuring     func(done, total int)
	Measured      func(Row)
	Recalibrating func(done, total int)
}

// ErrDiverged says that a loss or a parameter became NaN or infinite.
var ErrDiverged = errors.New("training diverged")

// DefaultSaveEvery is the usual Run.SaveEvery.
const DefaultSaveEvery = 5 * time.Minute

// Keep says which weights a run returns.
type Keep string

// The weights after the last epoch, or those with the best test accuracy, which may be the weights before the first epoch.
const (
	KeepLast Keep = "last"
	KeepBest Keep = "best"
)

// Progress says which step of an epoch was done last.
type Progress struct {
	Epoch, Epochs int // Epoch from 1
	Step, Steps   int // Step of the epoch, from 1
	Loss          float64
	LearningRate  float64
}

// Result is a finished run.
type Result struct {
	Model   *onnxgraph.Model // the source with the trained parameters
	Start   evaluate.Result  // result before the first step
	History []Row            // one row per epoch
	// Unreached names parameters that should have trained, but stayed as they were because the loss does not depend on them.
	Unreached []string
}

// Do trains the model. When ctx is done, Do finishes the step, saves a checkpoint, and returns ctx's error. If the loss becomes
// NaN or infinite, the error names the step, and the last checkpoint is from before that step. Do fails if another process uses
// the folder.
func (r *Run) Do(ctx context.Context) (result *Result, err error) {
	if err := r.Recipe.Validate(); err != nil {
		return nil, fmt.Errorf("checking the training settings: %w", err)
	}
	held, err := r.Folder.take(r.Resume)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	r.warn(held.Warning)
	t, err := newTrainer(r, r.Resume && r.Folder.HasRun())
	if err != nil {
		return nil, err
	}
	result, err = t.run(ctx)
	return result, errors.Join(err, t.close())
}

// warn passes a line to Warned, unless the line is empty or Warned is nil.
func (r *Run) warn(line string) {
	if r.Warned != nil && line != "" {
		r.Warned(line)
	}
}
