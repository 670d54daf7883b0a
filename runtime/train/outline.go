package train

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Outline says how a run computes its steps, and what memory they take.
type Outline struct {
	Operators       specialize.Operators
	TwoConv, Folded int // frozen blocks that are computed as two convolutions, or folded into one
	Memory          Memory
}

// Memory estimates how many bytes training takes, besides the program, ONNX Runtime and the data set.
type Memory struct {
	Images     int   // in a step
	Values     int64 // activations and gradients: what a step computes, at most at once
	Batches    int64 // the images of the step, and of those that are made ahead
	Parameters int64 // what trains
	State      int64 // what the optimizer keeps, running statistics, and further copies of both and of parameters
	Free       int64 // free memory, 0 if unknown
}

// Needed returns the sum.
func (m Memory) Needed() int64 { return m.Values + m.Batches + m.Parameters + m.State }

// Fitting returns about how many images in a step would fit into four fifths of the memory that is free: the rest is for
// what is not planned, such as pieces that are too small to be used.
func (m Memory) Fitting() int {
	perImage := (m.Values + m.Batches) / int64(m.Images)
	return int(max(0, m.Free/5*4-m.Parameters-m.State) / max(1, perImage))
}

// planMemory returns what a step of so many images, which is lowered already, takes on a provider.
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
		m.Parameters += 4 * s.Len() // of which the evaluation has a copy
	}
	if provider != ort.CUDA {
		m.Free = ort.FreeMemory()
	}
	return m, nil
}

// explain adds to an error about memory what is needed, and what to do.
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
