package rcfreeze

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// withTrainFrom adds advice to an error about nodes without a gradient: the node after which the model can train.
func withTrainFrom(err error, m *Model, variant parameter.Variant) error {
	var unsupported *gradient.UnsupportedError
	if !errors.As(err, &unsupported) {
		return err
	}
	last := unsupported.Faults[len(unsupported.Faults)-1].Node // faults are in topological order, so this is the last node
	name := last.Name()
	if name == "" {
		name = last.Output(0).Name()
	}
	recipe := train.Recipe{TrainFrom: name}
	if recipe.Select(m, variant) != nil {
		return errors.Join(err, fmt.Errorf("nothing that trains comes after %s, the last of these nodes, so --train-from does not help", last))
	}
	return errors.Join(err, fmt.Errorf("--train-from %q trains only what comes after the last of these nodes", name))
}
