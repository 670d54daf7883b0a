package ort

import (
	"errors"
	"fmt"
	"strings"
)

// ErrOutOfMemory is wrapped by errors of sessions that ran out of host or device memory: a smaller batch
// or a smaller model may fit.
var ErrOutOfMemory = errors.New("out of memory")

// memoryMessages are the pieces of text by which ONNX Runtime and the libraries under it report that
// memory ran out; there is no error code for it.
var memoryMessages = []string{
	"failed to allocate memory",
	"bad allocation",
	"bad_alloc",
	"out of memory",
	"alloc_failed", // CUBLAS_STATUS_ALLOC_FAILED, CUDNN_STATUS_ALLOC_FAILED
	"is smaller than requested bytes",
}

// markOutOfMemory wraps ErrOutOfMemory around an error of ONNX Runtime that says so.
func markOutOfMemory(err error) error {
	if err == nil {
		return nil
	}
	message := strings.ToLower(err.Error())
	for _, piece := range memoryMessages {
		if strings.Contains(message, piece) {
			return fmt.Errorf("%w: %w", ErrOutOfMemory, err)
		}
	}
	return err
}
