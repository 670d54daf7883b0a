package onnxgraph

import (
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// Float64s returns the elements as float64, in a slice of the caller's own. The conversion is exact, except for 64-bit integers
// beyond 2^53, which are rounded. It fails if the elements are no numbers (see DType.IsNumber), or cannot be read or computed.
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
	case Uint64:
		return convert[float64](view[uint64](raw)), nil
	}
	ints, err := t.Int64s()
	if err != nil {
		return nil, fmt.Errorf("reading %v elements as numbers: not a real type", t.DType())
	}
	return convert[float64](ints), nil
}

// Float32s returns the elements as float32, in a slice of the caller's own. Elements of wider types are rounded. It fails as
// Float64s does.
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

// Int64s returns the elements of an integer or boolean tensor, in a slice of the caller's own. It fails if the type is another
// one, if an unsigned element is too large for int64, or if the elements cannot be read or computed.
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
		data := view[uint64](raw)
		if most := slices.Max(append([]uint64{0}, data...)); most > math.MaxInt64 {
			return nil, fmt.Errorf("reading %v elements as integers: %d is larger than the largest int64, %d", t.DType(), most, math.MaxInt64)
		}
		return convert[int64](data), nil
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
