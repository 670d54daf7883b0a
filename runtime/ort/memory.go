package ort

import (
	"errors"
	"fmt"
	"strings"
)

// ErrOutOfMemory says that a session ran out of host or device memory. A smaller batch or a smaller model may fit.
var ErrOutOfMemory = errors.New("out of memory")

// memoryMessages lists texts with which ONNX Runtime and its libraries report that memory ran out. There is no error code for it.
var memoryMessages = []string{
	"failed to allocate memory",
	"bad allocation",
	"bad_alloc",
	"out of memory",
	"alloc_failed", // CUBLAS_STATUS_ALLOC_FAILED, CUDNN_STATUS_ALLOC_FAILED
	"is smaller than requested bytes",
}

// markOutOfMemory wraps an error of ONNX Runtime in ErrOutOfMemory if its text says so.
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
