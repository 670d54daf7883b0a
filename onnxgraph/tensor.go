package onnxgraph

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Tensor is a dense constant: an element type, dims, and elements in row-major order. It is immutable: edits create a new Tensor,
// so several values and models can share one.
//
// Elements stay in their file, and in the form in which they were read, until a method needs numbers.
type Tensor struct {
	proto  *onnxpb.TensorProto
	source source // provides the elements if they are not in proto, otherwise nil

	hashing sync.Once
	sum     [sha256.Size]byte
	sumErr  error
}

// Element is a Go type that holds one tensor element.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool
}

// NewTensor returns a tensor of the given dims with the elements data. It keeps data, so the caller must not change it
// afterwards. It panics if the number of elements does not match dims, because that is always a mistake in the calling code.
func NewTensor[T Element](dims []int64, data []T) *Tensor {
	if want := ElementCount(dims); want != int64(len(data)) {
		panic(fmt.Sprintf("onnxgraph: new tensor: dims %v hold %d elements, got %d", dims, want, len(data)))
	}
	return NewRawTensor(dtypeOf[T](), dims, bytesOf(data))
}

// NewRawTensor returns a tensor whose elements are the little-endian bytes raw. It keeps raw, so the caller must not change it
// afterwards. It panics if the number of bytes does not match dims, because that is always a mistake in the calling code.
func NewRawTensor(dtype DType, dims []int64, raw []byte) *Tensor {
	if want := dtype.byteSize(ElementCount(dims)); want != int64(len(raw)) {
		panic(fmt.Sprintf("onnxgraph: new %v tensor: dims %v take %d bytes, got %d", dtype, dims, want, len(raw)))
	}
	return &Tensor{proto: &onnxpb.TensorProto{
		Dims: slices.Clone(dims), DataType: proto.Int32(int32(dtype)), RawData: raw,
	}}
}

// NewScalar returns a tensor without dims that holds v.
func NewScalar[T Element](v T) *Tensor { return NewTensor(nil, []T{v}) }

// FromFloat64s returns a tensor of the given element type, each element rounded once from data. It fails if the type is not a
// floating-point type.
func FromFloat64s(dtype DType, dims []int64, data []float64) (*Tensor, error) {
	if want := ElementCount(dims); want != int64(len(data)) {
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
func (t *Tensor) Len() int64 { return ElementCount(t.Dims()) }

// IsExternal reports whether the elements are in a file beside the model.
func (t *Tensor) IsExternal() bool {
	_, external := t.source.(*externalData)
	return external
}

// rawBytes returns how many bytes the elements take in raw form, -1 if that is not known.
func (t *Tensor) rawBytes() int64 {
	if n := t.Len(); n >= 0 && t.DType().Bits() > 0 {
		return t.DType().byteSize(n)
	}
	return -1
}

// Reshaped returns a tensor with the same elements under other dims.
func (t *Tensor) Reshaped(dims []int64) (*Tensor, error) {
	if ElementCount(dims) != t.Len() {
		return nil, fmt.Errorf("reshaping a tensor of dims %v to %v: %d and %d elements", t.Dims(), dims, t.Len(), ElementCount(dims))
	}
	if t.source != nil {
		return &Tensor{source: t.source, proto: &onnxpb.TensorProto{Dims: slices.Clone(dims), DataType: t.proto.DataType}}, nil
	}
	raw, err := t.Raw()
	if err != nil {
		return nil, err
	}
	return NewRawTensor(t.DType(), dims, raw), nil
}

// DescribedAs returns a tensor with the elements of t, and with the doc string and metadata of the tensor that it replaces. If
// the other tensor is nil or has neither, it returns t itself.
func (t *Tensor) DescribedAs(other *Tensor) *Tensor {
	if other == nil || other == t || other.proto.DocString == nil && other.proto.MetadataProps == nil {
		return t
	}
	described := &Tensor{proto: t.copied(), source: t.source}
	described.proto.DocString, described.proto.MetadataProps = other.proto.DocString, other.proto.MetadataProps
	return described
}

// SHA256 returns the SHA-256 of the elements as little-endian bytes. It is computed once.
func (t *Tensor) SHA256() ([sha256.Size]byte, error) {
	t.hashing.Do(func() {
		if t.sumErr = t.checkHasRaw(); t.sumErr != nil {
			return
		}
		h := sha256.New()
		t.sumErr = t.writeRaw(h, t.DType().byteSize(t.Len()))
		h.Sum(t.sum[:0])
	})
	return t.sum, t.sumErr
}

// Raw returns the elements as little-endian bytes, and reads or computes them if necessary. The caller must not change them.
// String tensors have no raw form.
func (t *Tensor) Raw() ([]byte, error) {
	if err := t.checkHasRaw(); err != nil {
		return nil, err
	}
	raw, err := t.raw()
	if err != nil {
		return nil, err
	}
	if want := t.DType().byteSize(t.Len()); int64(len(raw)) != want {
		return nil, fmt.Errorf("reading a %v tensor of dims %v: needs %d bytes, has %d", t.DType(), t.Dims(), want, len(raw))
	}
	return raw, nil
}

func (t *Tensor) checkHasRaw() error {
	if t.DType().Bits() == 0 {
		return fmt.Errorf("reading a tensor: %v elements have no raw form", t.DType())
	}
	return nil
}

func (t *Tensor) raw() ([]byte, error) {
	if t.source != nil {
		return t.source.read()
	}
	return t.held(), nil
}

// held returns the elements of a tensor that are in memory.
func (t *Tensor) held() []byte {
	if t.proto.RawData != nil {
		return t.proto.RawData
	}
	return rawFromTypedField(t.proto)
}

// rawFromTypedField encodes the elements of a tensor that are in a typed protobuf field. Small types share int32_data, and
// complex numbers are pairs.
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

// ElementCount returns the number of elements of a tensor with these dims. It is 1 without dims, and -1 if a dim is negative or
// the number is too large for any tensor.
func ElementCount(dims []int64) int64 {
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
