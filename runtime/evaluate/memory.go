package evaluate

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Memory estimates how many bytes a measurement takes, besides the program, ONNX Runtime and the data set.
type Memory struct {
	Images     int   // at a time
	Values     int64 // what the model computes, and with an attack the gradient, at most at once
	Batches    int64 // the images, and those that are made ahead
	Parameters int64 // the model's, as often as sessions hold them
	Free       int64 // what the system can give, 0 if it does not tell
}

// Needed returns the sum.
func (m Memory) Needed() int64 { return m.Values + m.Batches + m.Parameters }

// Fitting returns about how many images at a time take no more than so many bytes, at least 1.
func (m Memory) Fitting(bytes int64) int {
	perImage := (m.Values + m.Batches) / int64(m.Images)
	return int(max(1, max(0, bytes-m.Parameters)/max(1, perImage)))
}

// attackFactor is how often the gradient of images takes what specialize.Peak plans for it, as measured on convolutional
// networks: ONNX Runtime computes some of what the gradient reads earlier than the plan has it.
const attackFactor = 2

// PlanMemory returns how much memory Measure will take for fitted, a model as Measure gets it.
func PlanMemory(fitted *onnxgraph.Model, image string, o Options) (Memory, error) {
	folded := fitted.Clone()
	trainstep.FoldBlocks(folded, nil)
	m := Memory{Images: o.BatchSize}
	shape, _ := fitted.Graph.Value(image).StaticShape()
	m.Batches = 4 * (1 + dataset.BatchesHeld) * trainstep.Segment{Shape: shape}.Len()
	for _, attacks := range []bool{false, true} {
		if attacks && o.Epsilon == 0 {
			continue
		}
		g, err := lowered(folded, image, o, attacks)
		if err != nil {
			return m, err
		}
		values, err := specialize.Peak(g)
		if err != nil {
			return m, err
		}
		if attacks {
			values *= attackFactor
		}
		m.Values += values // sessions keep what they once took
		for _, v := range g.Graph.Initializers() {
			m.Parameters += v.Constant().Len() * int64(v.DType().Bits()) / 8
		}
	}
	if o.Session.Provider != ort.CUDA {
		m.Free = ort.FreeMemory()
	}
	return m, nil
}
