package verify

import (
	"context"
	"errors"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/secondopinion"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// SecondOpinion runs a model with one input and one output in ONNX Runtime, on the CPU, and in a second engine, on the given
// inputs or standard normal ones, and returns how much the results differ. In the model for the second engine, shape computations
// are folded into constants. If the second engine cannot run the model, the error is a *secondopinion.Unavailable (errors.As). If
// its program is missing, it is the error of secondopinion.Find. Call ort.Init first.
func SecondOpinion(ctx context.Context, m *onnxgraph.Model, o Options) (secondopinion.Difference, error) {
	var d secondopinion.Difference
	input, err := batch.Input(m)
	if err != nil {
		return d, err
	}
	session, err := ort.OpenModel(m, ort.Options{})
	if err != nil {
		return d, err
	}
	defer session.Close()
	trials, err := findTrials(ctx, m, session, o, fillings[0])
	if err != nil {
		return d, err
	}
	got, err := runSecond(ctx, m, trials[0].inputs[input.Name()])
	if err != nil {
		return d, err
	}
	return secondopinion.Compare(got, trials[0].outputs[session.Outputs()[0].Name])
}

// runSecond runs a model in the second engine.
func runSecond(ctx context.Context, m *onnxgraph.Model, image *onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	fitted, err := specialize.Model(m, image.Dims())
	if err != nil {
		return nil, err
	}
	file, err := fitted.StageTemporarily(onnxgraph.ExternalNone)
	if err != nil {
		return nil, err
	}
	output, err := secondopinion.Run(ctx, file.Path(), image)
	return output, errors.Join(err, file.Abandon())
}
