package rcfreeze

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Errors that programs may want to distinguish with errors.Is and errors.As. Their texts say what to do.
var (
	// ErrNoLibrary says that no usable ONNX Runtime was found. The text lists the places that were searched.
	ErrNoLibrary = ort.ErrNoLibrary
	// ErrOutOfMemory says that ONNX Runtime could not allocate the memory for a model. Smaller batches need less.
	ErrOutOfMemory = ort.ErrOutOfMemory
	// ErrDiverged is an error of Train: the loss or a parameter became NaN or infinite. The last checkpoint is from before that.
	ErrDiverged = train.ErrDiverged
	// ErrNotConverted is an error of Convert: the model has no convolution that it can convert. The text gives the reasons.
	ErrNotConverted = errors.New("no frozen block was made")
	// ErrNotEqual is an error of Export: the exported model does not compute the same as the original model.
	ErrNotEqual = errors.New("outputs differ")
)

// NoGradientError lists the nodes without a gradient that prevent a model from training. Train and Compare return a pointer to
// it: find it by errors.As with a *NoGradientError.
type NoGradientError = gradient.UnsupportedError

// OptionsError lists what is wrong with the options themselves, independent of model and data. No work was done. Functions return
// a pointer to it: find it by errors.As with an *OptionsError.
type OptionsError struct{ err error }

// Error lists the faults, one per line.
func (e *OptionsError) Error() string { return e.err.Error() }

// Unwrap returns all faults as one joined error.
func (e *OptionsError) Unwrap() error { return e.err }

// notNegative returns an error if the number for a flag, for which 0 has a meaning of its own, is below 0.
func notNegative[T int | int64 | float64](flag string, n T) error {
	if n >= 0 {
		return nil
	}
	return fmt.Errorf("%s %v: needs a number above 0, or 0 for the default", flag, n) // also for NaN
}

// options joins faults into an OptionsError, or returns nil if there are none.
func options(faults ...error) error {
	if err := errors.Join(faults...); err != nil {
		return &OptionsError{err}
	}
	return nil
}
