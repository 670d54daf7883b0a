package train

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// feed fills the step's inputs.
func (t *trainer) feed(batch *dataset.Batch, rate float64) error {
	p := t.at.Position
	faults := []error{
		fill(t.stepper, t.step.Image, batch.Images),
		fill(t.stepper, trainstep.LabelsInput, batch.Labels),
		fill(t.stepper, trainstep.LearningRateInput, []float32{float32(rate)}),
	}
	if t.step.HasDropout {
		s := filterbank.NewStream(t.Recipe.Seed, fmt.Sprintf("dropout/%d", p.Epoch*t.loader.Steps()+p.Step))
		faults = append(faults, fill(t.stepper, trainstep.DropoutStreamInput, []int64{int64(s.Add), int64(s.Xor)}))
	}
	if t.Recipe.GradAccumSteps > 1 {
		faults = append(faults, fill(t.stepper, trainstep.UpdateInput, []float32{t.Recipe.share(p.Step, t.loader.Steps())}))
	}
	return errors.Join(faults...)
}

func fill[T onnxgraph.Element](s *ort.Stepper, name string, data []T) error {
	memory, err := ort.InputData[T](s, name)
	if err == nil {
		copy(memory, data)
	}
	return err
}

func (t *trainer) output(name string) (float64, error) {
	data, err := ort.OutputData[float32](t.stepper, name)
	if err != nil {
		return 0, err
	}
	return float64(data[0]), nil
}
