package train

import (
	"context"
	"fmt"
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// states returns the current state vectors, in the memory of the stepper. It fails if a number is not finite, because a step can
// make numbers infinite although its own loss was finite.
func (t *trainer) states() (map[string]*onnxgraph.Tensor, error) {
	states := map[string]*onnxgraph.Tensor{}
	for _, slot := range t.step.State {
		data, err := ort.StateData[float32](t.stepper, slot.Input)
		if err != nil {
			return nil, err
		}
		for _, v := range data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				if !t.resumed && t.at.Position == (position{}) {
					return nil, fmt.Errorf("the model %s has the parameter %v: training cannot start from weights that are not finite", t.Model.Path(), v)
				}
				return nil, t.diverged(t.at.Position.Step, fmt.Sprintf("%s has the element %v after it", slot.Input, v))
			}
		}
		states[slot.Input] = onnxgraph.NewTensor([]int64{int64(len(data))}, data)
	}
	return states, nil
}

// diverged returns an error which says what is not finite in a step of the epoch; steps are counted from 1.
func (t *trainer) diverged(step int, what string) error {
	epoch := t.at.Position.Epoch
	bound := "bound the gradient with --clip-grad"
	if t.Recipe.ClipNorm > 0 {
		bound = fmt.Sprintf("--clip-grad (now %g)", t.Recipe.ClipNorm)
	}
	return fmt.Errorf("epoch %d, step %d: %s: %w; the last good checkpoint is %s: lower the learning rate (now %.4g) or %s",
		epoch+1, step, what, ErrDiverged, t.Folder.last(), t.rate(epoch, step-1), bound)
}

// measure evaluates the current weights on the test images.
func (t *trainer) measure(ctx context.Context) (evaluate.Result, error) {
	states, err := t.states()
	if err != nil {
		return evaluate.Result{}, err
	}
	now := t.fitted.Clone()
	if err := store(now, t.step, states); err != nil {
		return evaluate.Result{}, err
	}
	o := evaluate.Options{BatchSize: t.Recipe.BatchSize, Normalize: t.Normalize, Workers: t.Workers, Session: t.Session, Progress: t.Measuring}
	result, err := evaluate.Measure(ctx, now, t.step.Image, t.Test, o)
	if err != nil {
		return result, fmt.Errorf("measuring in epoch %d after step %d: %w", t.at.Position.Epoch+1, t.at.Position.Step, err)
	}
	return result, nil
}
