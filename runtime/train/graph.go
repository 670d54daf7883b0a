package train

import (
	"context"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/batchnorm"
	"github.com/rcfreeze/rcfreeze/runtime/lowering"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Step returns the training step of a model for images of the given shape, [N, C, H, W]. It does not change m, which may be any
// classifier. Call ort.Init first.
func Step(m *onnxgraph.Model, shape []int64, o trainstep.Options) (*trainstep.Step, error) {
	fitted, image, err := specialize.Fit(m, shape)
	if err != nil {
		return nil, err
	}
	return trainstep.Build(fitted, image, o)
}

// OpenStep opens a session for a training step with its initial states. It first lowers the step's model (lowering.Lower).
// Closing the stepper closes the session. Call ort.Init first.
func OpenStep(step *trainstep.Step, o ort.Options) (*ort.Stepper, error) {
	if _, err := lowering.Lower(step.Model, step.Convolutions, o); err != nil {
		return nil, err
	}
	return openLowered(step, o)
}

// openLowered is like OpenStep, for a step that is already lowered.
func openLowered(step *trainstep.Step, o ort.Options) (*ort.Stepper, error) {
	var pairs []ort.Pair
	initial := map[string]*onnxgraph.Tensor{}
	for _, slot := range step.State {
		pairs = append(pairs, ort.Pair{Input: slot.Input, Output: slot.Output})
		initial[slot.Input] = slot.Initial
	}
	stepper, err := ort.OpenStepper(step.Model, pairs, initial, o)
	if err != nil {
		return nil, fmt.Errorf("opening the training step: %w", err)
	}
	return stepper, nil
}

// build makes the step of the run's model.
func (t *trainer) build(image string) error {
	o := t.Recipe.StepOptions()
	if t.Recipe.TrainFrom != "" {
		n, err := parameter.FindNode(t.Model, t.Recipe.TrainFrom)
		if err != nil {
			return err
		}
		for _, v := range n.Outputs() {
			if v != nil {
				o.After = append(o.After, v.Name())
			}
		}
	}
	o.Trained = nil
	for _, name := range t.Recipe.Trained {
		if t.Model.Graph.Value(name) != nil && t.fitted.Graph.Value(name) == nil {
			t.unreached = append(t.unreached, name) // no output depends on it
		} else {
			o.Trained = append(o.Trained, name)
		}
	}
	var err error
	if t.step, err = trainstep.Build(t.fitted.Clone(), image, o); err != nil {
		return err
	}
	t.unreached = append(t.unreached, t.step.Unreached...)
	if data := len(t.Train.Classes); data > t.step.Classes {
		return fmt.Errorf("%s has %d classes, and the model %s has %d: give the model a new last layer (rcfreeze train --num-classes %[2]d)",
			t.Train.Path, data, t.Model.Path(), t.step.Classes)
	}
	return nil
}

// openStep opens the session of the run's step. It calls Outlined before it allocates memory.
func (t *trainer) openStep() error {
	t.outline = Outline{TwoConv: t.step.TwoConv, Merged: t.step.Merged}
	var err error
	if t.outline.Operators, err = lowering.Lower(t.step.Model, t.step.Convolutions, t.Session); err != nil {
		return err
	}
	if t.outline.Memory, err = planMemory(t.step, t.Recipe.BatchSize, t.Session.Provider); err != nil {
		return err
	}
	if t.Outlined != nil {
		t.Outlined(t.outline)
	}
	t.stepper, err = openLowered(t.step, t.Session)
	return err
}

// recalibrate sets the running statistics of a trained model to those of the training images, if the recipe says so.
func (t *trainer) recalibrate(ctx context.Context, trained *onnxgraph.Model) error {
	if t.Recipe.BatchNorm != BatchNormRecalibrate || len(t.step.Statistics) == 0 {
		return nil
	}
	var means []string
	for _, s := range t.step.Statistics {
		means = append(means, s.Name) // also variances, which match no node's mean
	}
	_, err := batchnorm.Recalibrate(ctx, trained, t.Train, batchnorm.Options{
		BatchSize: t.Recipe.BatchSize, Means: means, Normalize: t.Normalize, Workers: t.Workers, Seed: t.Recipe.Seed,
		Session: t.Session, Progress: t.Recalibrating,
	})
	return err
}
