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
	Images     int   // images in a batch
	Values     int64 // the most that values of the model, and of an attack's gradient, take at once
	Batches    int64 // the images of a batch, and of batches prepared ahead
	Parameters int64 // the model's parameters, once for each session that has a copy
	Free       int64 // free memory, 0 if unknown
}

// Needed returns the total.
func (m Memory) Needed() int64 { return m.Values + m.Batches + m.Parameters }

// Fitting estimates how many images per batch fit into the given number of bytes. It is at least 1.
func (m Memory) Fitting(bytes int64) int {
	perImage := (m.Values + m.Batches) / int64(m.Images)
	return int(max(1, max(0, bytes-m.Parameters)/max(1, perImage)))
}

// attackFactor is the ratio of the memory for the gradient of images to the estimate of specialize.Peak, as measured on
// convolutional networks. ONNX Runtime computes some values for the gradient earlier than Peak assumes.
const attackFactor = 2

// PlanMemory estimates how much memory Measure takes; fitted, image and o are as for Measure. Call ort.Init first.
func PlanMemory(fitted *onnxgraph.Model, image string, o Options) (Memory, error) {
	merged := fitted.Clone()
	trainstep.MergeBlocks(merged, nil)
	m := Memory{Images: o.BatchSize}
	shape, _ := fitted.Graph.Value(image).StaticShape()
	m.Batches = 4 * (1 + dataset.BatchesHeld) * trainstep.Segment{Shape: shape}.Len()
	for _, attacks := range []bool{false, true} {
		if attacks && o.Epsilon == 0 {
			continue
		}
		g, err := lowered(merged, image, o, attacks)
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
		m.Values += values // sessions keep the memory that they once allocated
		for _, v := range g.Graph.Initializers() {
			m.Parameters += v.Constant().Len() * int64(v.DType().Bits()) / 8
		}
	}
	if o.Session.Provider != ort.CUDA {
		m.Free = ort.FreeMemory()
	}
	return m, nil
}
