package rcfreeze

import (
	"errors"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Errors that programs may want to distinguish with errors.Is and errors.As. Their texts say what to do.
var (
	// ErrNoLibrary says that no usable ONNX Runtime was found. The text lists where it was searched for.
	ErrNoLibrary = ort.ErrNoLibrary
	// ErrOutOfMemory says that ONNX Runtime could not get the memory for a model.
	ErrOutOfMemory = ort.ErrOutOfMemory
	// ErrDiverged says that the loss or a parameter became NaN or infinite in training. The last checkpoint is from before that.
	ErrDiverged = train.ErrDiverged
	// ErrNotConverted says that Convert found no convolution that it can convert. The text gives the reasons.
	ErrNotConverted = errors.New("no frozen block was made")
	// ErrNotEqual says that an exported model does not compute the same as the model that it was made from.
	ErrNotEqual = errors.New("outputs differ")
)

// NoGradientError lists the nodes because of which a model cannot be trained: they have no gradient.
type NoGradientError = gradient.UnsupportedError

// OptionsError lists what is wrong with the options themselves, for any model and data. No work was done.
type OptionsError struct{ err error }

func (e *OptionsError) Error() string { return e.err.Error() }

// Unwrap returns all that is wrong, as one joined error.
func (e *OptionsError) Unwrap() error { return e.err }

// options joins what is wrong with options into an OptionsError, nil if nothing is.
func options(faults ...error) error {
	if err := errors.Join(faults...); err != nil {
		return &OptionsError{err}
	}
	return nil
}
