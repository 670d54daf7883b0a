package rcfreeze

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// mostMeasuring limits how long a model runs to find its shapes.
const mostMeasuring = time.Minute

var errOpenSize = errors.New("the model does not fix the size of what it takes")

// inferShapes declares the sizes of convolutions' outputs for one example, if the model does not state them. It asks ONNX
// Runtime, which must be available. If ONNX Runtime cannot infer them, inferShapes calls running and then runs the model once; if
// running is nil, it does not run the model.
func inferShapes(ctx context.Context, m *onnxgraph.Model, library string, running func()) error {
	input, err := batch.Input(m)
	if err != nil {
		return err
	}
	declared, ok := input.Shape()
	shape := []int64{1}
	for axis, d := range declared {
		ok = ok && (axis == 0 || d.Size > 0)
		if axis > 0 {
			shape = append(shape, d.Size)
		}
	}
	if !ok {
		return errOpenSize
	}
	if _, err := ort.Init(library); err != nil {
		return err
	}
	inferred := specialize.Infer(m, shape)
	open := openOutputs(m)
	if len(open) == 0 {
		return nil
	}
	if running == nil {
		return inferred
	}
	if inferred != nil {
		return inferred
	}
	running()
	limited, stop := context.WithTimeout(ctx, mostMeasuring)
	defer stop()
	err = specialize.Measure(limited, m, shape, open)
	if limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("running it takes longer than %v", mostMeasuring)
	}
	return err
}

// openOutputs returns the outputs of the main graph's convolutions whose sizes the model does not state.
func openOutputs(m *onnxgraph.Model) (list []*onnxgraph.Value) {
	for _, n := range m.Graph.Nodes() {
		if isOpen(n) {
			list = append(list, n.Output(0))
		}
	}
	return list
}

// isOpen reports whether n is a convolution whose output has a size that the model does not state.
func isOpen(n *onnxgraph.Node) bool {
	if !n.Is("Conv") || n.Output(0) == nil {
		return false
	}
	_, known := n.Output(0).StaticShape()
	return !known
}
