package train

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/lowering"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Outline says how a run computes its steps, and how much memory they take.
type Outline struct {
	Operators       lowering.Operators
	TwoConv, Merged int // numbers of frozen blocks that run as two convolutions, and as one
	Memory          Memory
}

// Memory estimates how many bytes training takes, besides the program, ONNX Runtime and the data set.
type Memory struct {
	Images     int   // images in a step
	Values     int64 // the most that activations and gradients of a step take at once
	Batches    int64 // the images of the step, and of batches prepared ahead
	Parameters int64 // parameters that train
	State      int64 // the optimizer's state, running statistics, and copies of these and of parameters
	Free       int64 // free memory, 0 if unknown
}

// Needed returns the total.
func (m Memory) Needed() int64 { return m.Values + m.Batches + m.Parameters + m.State }

// Fitting estimates how many images in a step would fit into four fifths of the free memory. The rest is for what the estimate
// leaves out, such as free pieces that are too small to use.
func (m Memory) Fitting() int {
	perImage := (m.Values + m.Batches) / int64(m.Images)
	return int(max(0, m.Free/5*4-m.Parameters-m.State) / max(1, perImage))
}

// planMemory estimates the memory for a step with the given number of images on a provider. The step must be lowered.
func planMemory(step *trainstep.Step, images int, provider ort.Provider) (Memory, error) {
	m := Memory{Images: images}
	var err error
	if m.Values, err = specialize.Peak(step.Model); err != nil {
		return m, err
	}
	shape, _ := step.Model.Graph.Value(step.Image).StaticShape()
	m.Batches = 4 * (1 + dataset.BatchesHeld) * trainstep.Segment{Shape: shape}.Len()
	for _, s := range step.State {
		bytes := 4 * s.Initial.Len()
		m.State += 2 * bytes // steps read one copy and write another
	}
	for _, s := range step.Parameters {
		m.Parameters += 4 * s.Len() // the evaluation has a copy of these
	}
	if provider != ort.CUDA {
		m.Free = ort.FreeMemory()
	}
	return m, nil
}

// explain adds the needed memory and advice to an error about memory.
func (t *trainer) explain(err error) error {
	if !errors.Is(err, ort.ErrOutOfMemory) {
		return err
	}
	needed := ""
	if m := t.outline.Memory; m.Values > 0 {
		needed = fmt.Sprintf("steps of %d images need about %d MB, %d MB of them for activations and gradients: ", m.Images, m.Needed()/1e6, m.Values/1e6)
	}
	return fmt.Errorf("%w; %suse a smaller --batch-size, and --grad-accum-steps for as many images per update", err, needed)
}
