package onnxgraph

import "fmt"

// DType is the element type of a tensor, numbered as in ONNX's TensorProto.DataType.
type DType int32

// The element types of ONNX that the Go code refers to by name.
const (
	Undefined DType = 0
	Float32   DType = 1
	Uint8     DType = 2
	Int8      DType = 3
	Uint16    DType = 4
	Int16     DType = 5
	Int32     DType = 6
	Int64     DType = 7
	String    DType = 8
	Bool      DType = 9
	Float16   DType = 10
	Float64   DType = 11
	Uint32    DType = 12
	Uint64    DType = 13
	BFloat16  DType = 16
)

// dtypes has one row per element type: its name and its size in bits (0: no fixed size).
var dtypes = map[DType]struct {
	name string
	bits int
}{
	Undefined: {"undefined", 0},
	Float32:   {"float32", 32}, Uint8: {"uint8", 8}, Int8: {"int8", 8}, Uint16: {"uint16", 16},
	Int16: {"int16", 16}, Int32: {"int32", 32}, Int64: {"int64", 64}, String: {"string", 0},
	Bool: {"bool", 8}, Float16: {"float16", 16}, Float64: {"float64", 64}, Uint32: {"uint32", 32},
	Uint64: {"uint64", 64}, 14: {"complex64", 64}, 15: {"complex128", 128}, BFloat16: {"bfloat16", 16},
	17: {"float8e4m3fn", 8}, 18: {"float8e4m3fnuz", 8}, 19: {"float8e5m2", 8}, 20: {"float8e5m2fnuz", 8},
	21: {"uint4", 4}, 22: {"int4", 4}, 23: {"float4e2m1", 4}, 24: {"float8e8m0", 8},
	25: {"uint2", 2}, 26: {"int2", 2},
}

// String returns the type's name, such as "float32".
func (d DType) String() string {
	if row, ok := dtypes[d]; ok {
		return row.name
	}
	return fmt.Sprintf("dtype(%d)", int32(d))
}

// Bits returns the size of one element in bits, 0 for types without a fixed size.
func (d DType) Bits() int { return dtypes[d].bits }

// IsFloat reports whether elements are IEEE or brain floating-point numbers of 16 bits or more.
func (d DType) IsFloat() bool {
	return d == Float32 || d == Float64 || d == Float16 || d == BFloat16
}

// IsNumber reports whether elements are real numbers that Float64s can return: floating-point numbers, integers or booleans that
// take whole bytes.
func (d DType) IsNumber() bool {
	return d.IsFloat() || d == Bool || Uint8 <= d && d <= Int64 || d == Uint32 || d == Uint64
}

// byteSize returns the number of bytes that n elements take in raw form; sub-byte types are packed.
func (d DType) byteSize(n int64) int64 { return (n*int64(d.Bits()) + 7) / 8 }
