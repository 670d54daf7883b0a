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

// Run describes a training run. Do starts it. Model, Recipe, Train, Test and Folder are required.
// The goroutine that runs Do calls those of the functions that are not nil.
type Run struct {
	Model  *onnxgraph.Model // the source: any classifier, fitted or not; it is not changed
	Recipe Recipe           // with Trained (see Recipe.Select)
	Train  *dataset.Dataset // the training images
	// Test has the images that are measured before the first step and after every epoch. With KeepBest they decide which weights
	// Do returns, so they should be validation images (dataset.Val): on the images that chose the weights, a model looks better than
	// it is.
	Test      *dataset.Dataset
	Augment   []dataset.Augmentation // augmentations of training images; also set Recipe.Augment to their texts
	Normalize dataset.Normalization  // of training and test images
	Workers   int                    // goroutines that make batches; 0 means one per usable core; never changes the result
	Session   ort.Options            // options of the step's session
	Folder    Folder                 // folder for checkpoints and metrics
	Resume    bool                   // continue from the folder's last checkpoint, if it has one
	Keep      Keep                   // which weights Do returns; "" is KeepLast
	// SaveEvery is the longest time between two checkpoints: a run that is killed loses at most that much work, and one step. A
	// checkpoint is always saved after every epoch; 0 means that there are no others (in rcfreeze.TrainOptions, that is a negative
	// time, and 0 is DefaultSaveEvery).
	SaveEvery time.Duration
	// Warned, if not nil, is called with a line about something unexpected, such as a damaged checkpoint.
	Warned        func(string)
	Outlined      func(Outline)         // before the step allocates memory
	Begun         func(evaluate.Result) // with the results on Test before the first step; not if the run continues
	Progress      func(Progress)        // after every step
	Measuring     func(done, total int) // during a measurement on Test, with numbers of images
	Measured      func(Row)             // after every epoch
	Recalibrating func(done, total int) // after training with BatchNormRecalibrate, with numbers of training images
}

// ErrDiverged says that a loss or a parameter became NaN or infinite.
var ErrDiverged = errors.New("training diverged")

// DefaultSaveEvery is the usual Run.SaveEvery.
const DefaultSaveEvery = 5 * time.Minute

// Keep says which weights a run returns.
type Keep string

// The weights that a run can return.
const (
	KeepLast Keep = "last" // those after the last epoch
	KeepBest Keep = "best" // those with the best top-1 accuracy on Run.Test, which may be those before the first epoch
)

// Progress says which step of an epoch was done last.
type Progress struct {
	Epoch, Epochs int     // Epoch from 1
	Step, Steps   int     // Step of the epoch, from 1
	Loss          float64 // of the step, in nats, with label smoothing
	LearningRate  float64 // of the step
}

// Result is a finished run.
type Result struct {
	Model   *onnxgraph.Model // the source with the trained parameters
	Start   evaluate.Result  // result on Run.Test before the first step
	History []Row            // one row per epoch, measured on Run.Test
	// Unreached names parameters that should have trained, but stayed as they were because the loss does not depend on them.
	Unreached []string
}

// Do trains the model. When ctx is done, Do finishes the step, saves a checkpoint, and returns ctx's error. If the loss becomes
// NaN or infinite, the error is an ErrDiverged (errors.Is) that names the step, and the last checkpoint is from before that step.
// Do fails if another process uses the folder, or if the folder holds another run and Resume is false. Call ort.Init first.
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
