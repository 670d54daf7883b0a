package ort

import (
	"fmt"
	"unsafe"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// native holds the wrapper's functions for an element type that is also a Go type. Other types use its CustomDataTensor, which
// only knows bytes and dims.
type native struct {
	// newScalar returns a tensor without dims that holds a copy of the first element of raw.
	newScalar func(raw []byte) (capi.Value, error)
	// bytes returns the elements of a tensor of this type, nil if v is not one.
	bytes func(v capi.Value) []byte
}

// natives has a row for each element type that is a Go type.
var natives = map[onnxgraph.DType]native{
	onnxgraph.Float32: nativeOf[float32](),
	onnxgraph.Float64: nativeOf[float64](),
	onnxgraph.Int8:    nativeOf[int8](),
	onnxgraph.Int16:   nativeOf[int16](),
	onnxgraph.Int32:   nativeOf[int32](),
	onnxgraph.Int64:   nativeOf[int64](),
	onnxgraph.Uint8:   nativeOf[uint8](),
	onnxgraph.Uint16:  nativeOf[uint16](),
	onnxgraph.Uint32:  nativeOf[uint32](),
	onnxgraph.Uint64:  nativeOf[uint64](),
	onnxgraph.Bool:    nativeOf[bool](),
}

func nativeOf[T onnxgraph.Element]() native {
	return native{
		newScalar: func(raw []byte) (capi.Value, error) {
			return capi.NewScalar(elementsOf[T](raw)[0])
		},
		bytes: func(v capi.Value) []byte {
			switch v := v.(type) {
			case *capi.Tensor[T]:
				return bytesOf(v.GetData())
			case *capi.Scalar[T]:
				return bytesOf([]T{v.GetData()})
			}
			return nil
		},
	}
}

// newValue returns an ONNX Runtime tensor that uses the memory of raw. The memory must be aligned for its elements, must not be
// empty even if there are no elements, and the caller must keep it alive as long as the value. A tensor without dims cannot use
// given memory, so it has a copy.
func newValue(dtype onnxgraph.DType, dims []int64, raw []byte) (capi.Value, error) {
	if len(dims) > 0 {
		return capi.NewCustomDataTensor(capi.NewShape(dims...), raw, capi.TensorElementDataType(dtype))
	}
	row, ok := natives[dtype]
	if !ok {
		return nil, fmt.Errorf("a %v tensor without dims cannot be passed to ONNX Runtime from Go: give it dims [1]", dtype)
	}
	return row.newScalar(raw)
}

// valueBytes returns the elements of a tensor that newValue or ONNX Runtime made. If the tensor has no dims, it returns a copy.
func valueBytes(dtype onnxgraph.DType, v capi.Value) ([]byte, error) {
	if custom, ok := v.(*capi.CustomDataTensor); ok {
		return custom.GetData(), nil
	}
	row, ok := natives[dtype]
	if !ok {
		return nil, fmt.Errorf("%v elements cannot be read from ONNX Runtime", dtype)
	}
	if raw := row.bytes(v); raw != nil {
		return raw, nil
	}
	return nil, fmt.Errorf("ONNX Runtime returned %T where the model declares %v", v, dtype)
}

// tensorOf returns the tensor in a value. It shares the value's memory, which stays valid after the value is destroyed.
func tensorOf(dtype onnxgraph.DType, v capi.Value) (*onnxgraph.Tensor, error) {
	raw, err := valueBytes(dtype, v)
	if err != nil {
		return nil, err
	}
	dims := v.GetShape()
	return onnxgraph.NewRawTensor(dtype, dims, raw[:byteCount(dtype, dims)]), nil
}

// byteCount returns the size of a tensor's elements in bytes. Types smaller than a byte are packed.
func byteCount(dtype onnxgraph.DType, dims []int64) int64 {
	return (int64(dtype.Bits())*onnxgraph.ElementCount(dims) + 7) / 8
}

// newBuffer returns zeroed memory for a tensor, aligned for every element type and never empty.
func newBuffer(dtype onnxgraph.DType, dims []int64) []byte {
	words := make([]uint64, byteCount(dtype, dims)/8+1)
	return bytesOf(words)[:max(1, byteCount(dtype, dims))]
}

// forRuntime returns raw in the form that newValue needs: raw itself, or a copy if it is empty or not aligned.
func forRuntime(dtype onnxgraph.DType, dims []int64, raw []byte) []byte {
	if len(raw) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(raw)))%8 == 0 {
		return raw
	}
	buffer := newBuffer(dtype, dims)
	copy(buffer, raw)
	return buffer
}

// bytesOf returns the memory of data.
func bytesOf[T any](data []T) []byte {
	var zero T
	if data == nil {
		data = []T{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(zero)))
}

// elementsOf returns aligned memory as elements of type T.
func elementsOf[T any](raw []byte) []T {
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(raw))), len(raw)/int(unsafe.Sizeof(zero)))
}
