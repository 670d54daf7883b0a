package onnxgraph

import (
	"fmt"
	"slices"
	"unsafe"
)

// Float64s returns the elements as float64; the conversion is exact for every real, integer and boolean type, except for 64-bit
// integers beyond 2^53.
func (t *Tensor) Float64s() ([]float64, error) {
	raw, err := t.Raw()
	if err != nil {
		return nil, err
	}
	switch t.DType() {
	case Float32:
		return convert[float64](view[float32](raw)), nil
	case Float64:
		return slices.Clone(view[float64](raw)), nil
	case Float16:
		return mapSlice(view[uint16](raw), float64FromFloat16), nil
	case BFloat16:
		return mapSlice(view[uint16](raw), float64FromBFloat16), nil
	}
	ints, err := t.Int64s()
	if err != nil {
		return nil, fmt.Errorf("reading %v elements as numbers: not a real type", t.DType())
	}
	return convert[float64](ints), nil
}

// Float32s returns the elements as float32, rounded once if their type is wider.
func (t *Tensor) Float32s() ([]float32, error) {
	if t.DType() == Float32 {
		raw, err := t.Raw()
		if err != nil {
			return nil, err
		}
		return slices.Clone(view[float32](raw)), nil
	}
	data, err := t.Float64s()
	if err != nil {
		return nil, err
	}
	return convert[float32](data), nil
}

// Int64s returns the elements of an integer or boolean tensor.
func (t *Tensor) Int64s() ([]int64, error) {
	raw, err := t.Raw()
	if err != nil {
		return nil, err
	}
	switch t.DType() {
	case Int64:
		return slices.Clone(view[int64](raw)), nil
	case Int32:
		return convert[int64](view[int32](raw)), nil
	case Int16:
		return convert[int64](view[int16](raw)), nil
	case Int8:
		return convert[int64](view[int8](raw)), nil
	case Uint8, Bool:
		return convert[int64](raw), nil
	case Uint16:
		return convert[int64](view[uint16](raw)), nil
	case Uint32:
		return convert[int64](view[uint32](raw)), nil
	case Uint64:
		return convert[int64](view[uint64](raw)), nil
	}
	return nil, fmt.Errorf("reading %v elements as integers: not an integer type", t.DType())
}

type number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func convert[To, From number](data []From) []To {
	out := make([]To, len(data))
	for i, v := range data {
		out[i] = To(v)
	}
	return out
}

func mapSlice[From, To any](data []From, f func(From) To) []To {
	out := make([]To, len(data))
	for i, v := range data {
		out[i] = f(v)
	}
	return out
}

// bytesOf returns the memory of data. ONNX stores elements in little-endian order. All platforms of ONNX Runtime use this order,
// too; init refuses other platforms.
func bytesOf[T any](data []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(zero)))
}

// view returns raw as elements of type T, copying only if raw is not aligned for T.
func view[T any](raw []byte) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	n := len(raw) / size
	if n == 0 {
		return nil
	}
	p := unsafe.Pointer(unsafe.SliceData(raw))
	if uintptr(p)%unsafe.Alignof(zero) != 0 {
		out := make([]T, n)
		copy(bytesOf(out), raw)
		return out
	}
	return unsafe.Slice((*T)(p), n)
}

func init() {
	if x := uint16(1); *(*byte)(unsafe.Pointer(&x)) != 1 {
		panic("onnxgraph: big-endian platforms are not supported")
	}
}
