package onnxgraph

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/rcfreeze/rcfreeze/onnxgraph/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Tensor is a dense constant: an element type, dims, and elements in row-major order. It is immutable;
// an edit makes a new Tensor, so several values and models may share one.
//
// Elements stay in the form in which they were read, possibly in a file beside the model, until a
// method asks for numbers.
type Tensor struct {
	proto    *onnxpb.TensorProto
	external *externalData // where the elements are, when they are not in proto
}

// Element is a Go type that holds one tensor element.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool
}

// NewTensor returns a tensor of the given dims that holds data, which it keeps: the caller must not
// change data afterwards. It panics if the number of elements does not match, since that is always a
// mistake in the calling code.
func NewTensor[T Element](dims []int64, data []T) *Tensor {
	if want := elementCount(dims); want != int64(len(data)) {
		panic(fmt.Sprintf("onnxgraph: new tensor: dims %v hold %d elements, got %d", dims, want, len(data)))
	}
	return NewRawTensor(dtypeOf[T](), dims, bytesOf(data))
}

// NewRawTensor returns a tensor whose elements are the little-endian bytes raw, which it keeps. It
// panics if the number of bytes does not match dims, since that is always a mistake in the calling code.
func NewRawTensor(dtype DType, dims []int64, raw []byte) *Tensor {
	if want := dtype.byteSize(elementCount(dims)); want != int64(len(raw)) {
		panic(fmt.Sprintf("onnxgraph: new %v tensor: dims %v take %d bytes, got %d", dtype, dims, want, len(raw)))
	}
	return &Tensor{proto: &onnxpb.TensorProto{
		Dims: slices.Clone(dims), DataType: proto.Int32(int32(dtype)), RawData: raw,
	}}
}

// NewScalar returns a tensor without dims that holds v.
func NewScalar[T Element](v T) *Tensor { return NewTensor(nil, []T{v}) }

// FromFloat64s returns a tensor of the given element type, each element rounded once from data. It
// serves the floating-point types; for another type it returns an error.
func FromFloat64s(dtype DType, dims []int64, data []float64) (*Tensor, error) {
	if want := elementCount(dims); want != int64(len(data)) {
		return nil, fmt.Errorf("making a tensor: dims %v hold %d elements, got %d", dims, want, len(data))
	}
	switch dtype {
	case Float64:
		return NewTensor(dims, slices.Clone(data)), nil
	case Float32:
		return NewTensor(dims, convert[float32](data)), nil
	case Float16:
		return NewRawTensor(dtype, dims, bytesOf(mapSlice(data, float16FromFloat64))), nil
	case BFloat16:
		return NewRawTensor(dtype, dims, bytesOf(mapSlice(data, bfloat16FromFloat64))), nil
	}
	return nil, fmt.Errorf("making a tensor: cannot store real numbers as %v", dtype)
}

// DType returns the element type.
func (t *Tensor) DType() DType { return DType(t.proto.GetDataType()) }

// Dims returns the dims; the caller must not change them.
func (t *Tensor) Dims() []int64 { return t.proto.GetDims() }

// Rank returns the number of dims.
func (t *Tensor) Rank() int { return len(t.proto.GetDims()) }

// Len returns the number of elements.
func (t *Tensor) Len() int64 { return elementCount(t.Dims()) }

// IsExternal reports whether the elements are in a file beside the model.
func (t *Tensor) IsExternal() bool { return t.external != nil }

// Reshaped returns a tensor with the same elements under other dims.
func (t *Tensor) Reshaped(dims []int64) (*Tensor, error) {
	raw, err := t.Raw()
	if err != nil {
		return nil, err
	}
	if elementCount(dims) != t.Len() {
		return nil, fmt.Errorf("reshaping a tensor of dims %v to %v: %d and %d elements", t.Dims(), dims, t.Len(), elementCount(dims))
	}
	return NewRawTensor(t.DType(), dims, raw), nil
}

// Raw returns the elements as little-endian bytes, reading them from the external file if need be. The
// caller must not change them. String tensors have no raw form.
func (t *Tensor) Raw() ([]byte, error) {
	dtype := t.DType()
	if dtype.Bits() == 0 {
		return nil, fmt.Errorf("reading a tensor: %v elements have no raw form", dtype)
	}
	raw, err := t.raw()
	if err != nil {
		return nil, err
	}
	if want := dtype.byteSize(t.Len()); int64(len(raw)) != want {
		return nil, fmt.Errorf("reading a %v tensor of dims %v: needs %d bytes, has %d", dtype, t.Dims(), want, len(raw))
	}
	return raw, nil
}

func (t *Tensor) raw() ([]byte, error) {
	p := t.proto
	switch {
	case t.external != nil:
		return t.external.read()
	case p.RawData != nil:
		return p.RawData, nil
	}
	return rawFromTypedField(p), nil
}

// rawFromTypedField encodes the elements of a tensor that keeps them in a typed protobuf field, where
// small types share int32_data and complex numbers are pairs.
func rawFromTypedField(p *onnxpb.TensorProto) []byte {
	switch dtype := DType(p.GetDataType()); dtype {
	case Float32, 14:
		return bytesOf(p.FloatData)
	case Float64, 15:
		return bytesOf(p.DoubleData)
	case Int64:
		return bytesOf(p.Int64Data)
	case Int32:
		return bytesOf(p.Int32Data)
	case Uint64:
		return bytesOf(p.Uint64Data)
	case Uint32:
		return bytesOf(convert[uint32](p.Uint64Data))
	default:
		if dtype.Bits() == 16 {
			return bytesOf(convert[uint16](p.Int32Data))
		}
		return bytesOf(convert[uint8](p.Int32Data))
	}
}

// Float64s returns the elements as float64; every real, integer and boolean type converts exactly
// except 64-bit integers beyond 2^53.
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

// Float32s returns the elements as float32, rounded once where the type is wider.
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

// elementCount returns the product of dims, -1 if one is negative or the product does not fit.
func elementCount(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		switch {
		case d < 0:
			return -1
		case d > 0 && n > math.MaxInt64/64/d:
			return -1
		}
		n *= d
	}
	return n
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

// bytesOf returns the memory of data. ONNX stores elements in little-endian order, as do all platforms
// that ONNX Runtime ships for; init refuses others.
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

func dtypeOf[T Element]() DType {
	var zero T
	switch any(zero).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	}
	return Bool
}
