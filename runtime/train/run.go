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

// Run is a training run before it starts. It starts with Do.
type Run struct {
	Model     *onnxgraph.Model // the source; it is not changed
	Recipe    Recipe
	Train     *dataset.Dataset
	Test      *dataset.Dataset       // measured after every epoch; KeepBest uses it
	Augment   []dataset.Augmentation // as Recipe.Augment names them
	Normalize dataset.Normalization
	Workers   int         // goroutines that make batches, 0 for one per core; never changes the result
	Session   ort.Options // how the step runs
	Folder    Folder      // for checkpoints and metrics
	Resume    bool        // go on from the folder's last checkpoint, if there is one
	Keep      Keep
	// SaveEvery is the longest time between two checkpoints: a run that is killed loses no more work than that, and one step.
	// There is always a checkpoint after every epoch; 0 makes no others.
	SaveEvery time.Duration
	// Warned, if not nil, gets a line about what the user does not expect, such as a damaged checkpoint.
	Warned func(string)
	// Outlined, if not nil, is called before the step takes memory; Begun with what the model measures before its first step.
	// Progress, if not nil, is called after every step; Measured after every epoch; Measuring while test
	// images are run; Recalibrating while training images are, for BatchNormRecalibrate. They are called from the
	// goroutine that runs Do.
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

// Keep says whose weights a run returns.
type Keep string

// The choices: after the last epoch, or where test accuracy was best, which may be before the first.
const (
	KeepLast Keep = "last"
	KeepBest Keep = "best"
)

// Progress says how far an epoch is.
type Progress struct {
	Epoch, Epochs int // Epoch from 1
	Step, Steps   int // of the epoch, Step from 1
	Loss          float64
	LearningRate  float64
}

// Result is a finished run.
type Result struct {
	Model   *onnxgraph.Model // the source with what was trained
	Start   evaluate.Result  // of the model before the first step
	History []Row            // one row per epoch
	// Unreached names what was to train, but stayed as it was since the loss does not depend on it.
	Unreached []string
}

// Do trains. When ctx is done it finishes the step, saves a checkpoint, and returns ctx's error. If the loss is NaN or
// infinite, the error names the step; the last checkpoint is then from before it. A folder in which another process is at work
// is an error.
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

// warn tells a line, if there is one.
func (r *Run) warn(line string) {
	if r.Warned != nil && line != "" {
		r.Warned(line)
	}
}
