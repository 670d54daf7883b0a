package ort

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// buffer is memory for one input or output, and an ONNX Runtime value that uses it. Bindings do not keep Go memory alive: code
// that binds a buffer must keep a reference to it.
type buffer struct {
	port  Port
	dims  []int64
	raw   []byte
	value capi.Value
}

// maxElements limits the sizes that a model may declare, so that a damaged model gives an error instead of a crash.
const maxElements = 1 << 40

// newPortBuffer returns a zeroed buffer for a port. Its shape must be static.
func newPortBuffer(p Port) (*buffer, error) {
	if n := onnxgraph.ElementCount(p.Shape); n < 0 || n > maxElements {
		return nil, fmt.Errorf("making room for %q: cannot hold %s", p.Name, describe(p.DType, p.Shape))
	}
	return bufferOver(p, p.Shape, newBuffer(p.DType, p.Shape))
}

// newTensorBuffer returns a buffer for a port that holds a copy of t.
func newTensorBuffer(p Port, t *onnxgraph.Tensor) (*buffer, error) {
	content, err := t.Raw()
	if err != nil {
		return nil, err
	}
	raw := newBuffer(p.DType, t.Dims())
	copy(raw, content)
	return bufferOver(p, t.Dims(), raw)
}

func bufferOver(p Port, dims []int64, raw []byte) (*buffer, error) {
	v, err := newValue(p.DType, dims, raw)
	if err != nil {
		return nil, fmt.Errorf("making room for %q: %w", p.Name, err)
	}
	return &buffer{p, dims, raw, v}, nil
}

// content returns the buffer's memory. For a scalar it returns a copy, because the wrapper owns the memory.
func (b *buffer) content() ([]byte, error) {
	raw, err := valueBytes(b.port.DType, b.value)
	if err != nil {
		return nil, err
	}
	return raw[:byteCount(b.port.DType, b.dims)], nil
}
