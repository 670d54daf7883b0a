package rcfreeze

import (
	"errors"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Errors that programs may want to tell apart, by errors.Is and errors.As. Their texts say what to do.
var (
	// ErrNoLibrary says that no usable ONNX Runtime was found. The text lists where.
	ErrNoLibrary = ort.ErrNoLibrary
	// ErrOutOfMemory says that ONNX Runtime could not get the memory for a model.
	ErrOutOfMemory = ort.ErrOutOfMemory
	// ErrDiverged says that a loss or a parameter became NaN or infinite in training. The last checkpoint is from before it.
	ErrDiverged = train.ErrDiverged
	// ErrNotConverted says that Convert found no convolution to make a frozen block of. The text says why not, for each kind.
	ErrNotConverted = errors.New("no frozen block was made")
	// ErrNotEqual says that an exported model does not compute what the model did that it was made of.
	ErrNotEqual = errors.New("outputs differ")
)

// NoGradientError says which nodes stand against training a model, since they have no gradient.
type NoGradientError = gradient.UnsupportedError

// OptionsError says what is wrong with options, whatever the model and the data. No work was done.
type OptionsError struct{ err error }

func (e *OptionsError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong; all of it, joined.
func (e *OptionsError) Unwrap() error { return e.err }

// options joins what is wrong with options into an OptionsError, nil if nothing is.
func options(faults ...error) error {
	if err := errors.Join(faults...); err != nil {
		return &OptionsError{err}
	}
	return nil
}
