package onnxgraph

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// standardTypes has the element types by their numbers in onnx.proto's TensorProto.DataType: the names there, and their bits.
var standardTypes = []struct {
	name string
	bits int
}{
	{"UNDEFINED", 0}, {"FLOAT", 32}, {"UINT8", 8}, {"INT8", 8}, {"UINT16", 16}, {"INT16", 16}, {"INT32", 32}, {"INT64", 64}, {"STRING", 0},
	{"BOOL", 8}, {"FLOAT16", 16}, {"DOUBLE", 64}, {"UINT32", 32}, {"UINT64", 64}, {"COMPLEX64", 64}, {"COMPLEX128", 128}, {"BFLOAT16", 16},
	{"FLOAT8E4M3FN", 8}, {"FLOAT8E4M3FNUZ", 8}, {"FLOAT8E5M2", 8}, {"FLOAT8E5M2FNUZ", 8}, {"UINT4", 4}, {"INT4", 4}, {"FLOAT4E2M1", 4},
	{"FLOAT8E8M0", 8}, {"UINT2", 2}, {"INT2", 2},
}

// TestElementTypes checks every type of the standard: its name, and that as many bytes as its elements take are loaded, saved
// and hashed, and one more or less is refused. Types of less than a byte are packed, several to a byte.
func TestElementTypes(t *testing.T) {
	for number, row := range standardTypes {
		dtype, name, bits := DType(number), row.name, row.bits
		want := strings.ToLower(name)
		if other, differs := map[string]string{"FLOAT": "float32", "DOUBLE": "float64"}[name]; differs {
			want = other
		}
		if dtype.String() != want || dtype.Bits() != bits {
			t.Errorf("type %d is called %v and has %d bits, want %s of %d", number, dtype, dtype.Bits(), want, bits)
		}
		if bits == 0 {
			continue
		}
		for n := range int64(10) {
			whole := pattern((int(n)*bits+7)/8, 5)
			for _, raw := range [][]byte{whole, append(slices.Clone(whole), 0), whole[:max(0, len(whole)-1)]} {
				m := &onnxpb.ModelProto{}
				if err := prototext.Unmarshal([]byte("ir_version: 10 graph {initializer {name: \"w\"}}"), m); err != nil {
					t.Fatal(err)
				}
				w := m.Graph.Initializer[0]
				w.Dims, w.DataType, w.RawData = []int64{n}, proto.Int32(int32(number)), raw
				loaded, err := Parse(marshal(t, m), "")
				if fits := len(raw) == len(whole); (err == nil) != fits {
					t.Errorf("%d of %v in %d bytes: %v", n, dtype, len(raw), err)
				} else if !fits {
					continue
				}
				v := loaded.Graph.Value("w").Constant()
				hash, err := v.SHA256()
				if err != nil || hash != sha256.Sum256(whole) {
					t.Errorf("%d of %v: another hash, %v", n, dtype, err)
				}
				if got, err := v.Raw(); err != nil || !bytes.Equal(got, raw) {
					t.Errorf("%d of %v: got % x, %v", n, dtype, got, err)
				}
			}
		}
	}
	if s := DType(99).String(); s != "dtype(99)" {
		t.Errorf("an unknown type is called %q", s)
	}
}

// TestReadNumbers reads numbers of every type, from raw data (aligned and not) and from the typed fields of files, as
// float64, float32 and integers.
func TestReadNumbers(t *testing.T) {
	for _, c := range []struct {
		dtype DType
		typed string // the elements in the typed field
		raw   any    // the same, as encoding/binary writes them
		want  []float64
	}{
		{Float32, "float_data: [1.5, -2]", []float32{1.5, -2}, []float64{1.5, -2}},
		{Float64, "double_data: [1.5, -2]", []float64{1.5, -2}, []float64{1.5, -2}},
		{Float16, "int32_data: [0x3e00, 0xc000]", []uint16{0x3e00, 0xc000}, []float64{1.5, -2}},
		{BFloat16, "int32_data: [0x3fc0, 0xc000]", []uint16{0x3fc0, 0xc000}, []float64{1.5, -2}},
		{Int8, "int32_data: [-128, 127]", []int8{-128, 127}, []float64{-128, 127}},
		{Int16, "int32_data: [-32768, 300]", []int16{-32768, 300}, []float64{-32768, 300}},
		{Int32, "int32_data: [-2147483648, 3]", []int32{math.MinInt32, 3}, []float64{math.MinInt32, 3}},
		{Int64, "int64_data: [-4294967296, 3]", []int64{-1 << 32, 3}, []float64{-1 << 32, 3}},
		{Uint8, "int32_data: [255, 3]", []uint8{255, 3}, []float64{255, 3}},
		{Bool, "int32_data: [1, 0]", []uint8{1, 0}, []float64{1, 0}},
		{Uint16, "int32_data: [65535, 3]", []uint16{65535, 3}, []float64{65535, 3}},
		{Uint32, "uint64_data: [4294967295, 3]", []uint32{math.MaxUint32, 3}, []float64{math.MaxUint32, 3}},
		{Uint64, "uint64_data: [4294967296, 3]", []uint64{1 << 32, 3}, []float64{1 << 32, 3}},
	} {
		raw, err := binary.Append(nil, binary.LittleEndian, c.raw)
		if err != nil {
			t.Fatal(err)
		}
		typed := &onnxpb.TensorProto{}
		if err := prototext.Unmarshal(fmt.Appendf(nil, "data_type: %d dims: 2 %s", c.dtype, c.typed), typed); err != nil {
			t.Fatal(err)
		}
		shifted := append(make([]byte, 1), raw...)[1:]
		read, err := ParseTensor(marshal(t, typed))
		if err != nil {
			t.Fatal(err)
		}
		for form, tensor := range map[string]*Tensor{
			"raw": NewRawTensor(c.dtype, []int64{2}, raw), "unaligned": NewRawTensor(c.dtype, []int64{2}, shifted), "typed": read,
		} {
			if got, err := tensor.Raw(); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%v, %s: the bytes are % x (%v), want % x", c.dtype, form, got, err, raw)
			}
			if got, err := tensor.Float64s(); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v, %s: got float64 %v (%v), want %v", c.dtype, form, got, err, c.want)
			}
			if got, err := tensor.Float32s(); err != nil || !slices.Equal(got, convert[float32](c.want)) {
				t.Errorf("%v, %s: got float32 %v (%v), want %v", c.dtype, form, got, err, c.want)
			}
			got, err := tensor.Int64s()
			if c.dtype.IsFloat() {
				if err == nil || !strings.Contains(err.Error(), "not an integer type") {
					t.Errorf("%v, %s: got integers %v (%v)", c.dtype, form, got, err)
				}
			} else if err != nil || !slices.Equal(got, convert[int64](c.want)) {
				t.Errorf("%v, %s: got integers %v (%v), want %v", c.dtype, form, got, err, c.want)
			}
			if !tensor.DType().IsNumber() {
				t.Errorf("%v: is no number", c.dtype)
			}
		}
	}
	for _, dtype := range []DType{14, 15, 17, 22, 99, String, Undefined} { // complex, small, unknown, text
		tensor := &Tensor{proto: &onnxpb.TensorProto{DataType: proto.Int32(int32(dtype)), Dims: []int64{1}, RawData: make([]byte, max(1, dtype.Bits()/8))}}
		_, double := tensor.Float64s()
		_, single := tensor.Float32s()
		_, whole := tensor.Int64s()
		if double == nil || single == nil || whole == nil || dtype.IsNumber() || dtype.IsFloat() {
			t.Errorf("%v is read as a number: %v, %v, %v", dtype, double, single, whole)
		}
	}
}

// TestLargeUnsigned reads numbers of 64 bits that int64 cannot hold: as floating-point numbers they keep their sign and size, and
// as integers they are refused.
func TestLargeUnsigned(t *testing.T) {
	const most = 1<<63 - 1
	for _, c := range []struct {
		data []uint64
		fits bool
	}{
		{nil, true}, {[]uint64{0, most}, true}, {[]uint64{most + 1}, false}, {[]uint64{3, math.MaxUint64, 4}, false},
	} {
		tensor := NewTensor([]int64{int64(len(c.data))}, c.data)
		double, err := tensor.Float64s()
		if err != nil || len(double) != len(c.data) {
			t.Errorf("%d: got float64 %v (%v)", c.data, double, err)
		}
		single, err := tensor.Float32s()
		if err != nil || len(single) != len(c.data) {
			t.Errorf("%d: got float32 %v (%v)", c.data, single, err)
		}
		for i, v := range c.data {
			if double[i] != float64(v) || single[i] != float32(float64(v)) {
				t.Errorf("%d: got %v and %v", v, double[i], single[i])
			}
		}
		whole, err := tensor.Int64s()
		switch {
		case !c.fits && (err == nil || !strings.Contains(err.Error(), "larger than the largest int64")):
			t.Errorf("%d: got integers %d (%v), want an error", c.data, whole, err)
		case c.fits && (err != nil || !slices.Equal(whole, convert[int64](c.data))):
			t.Errorf("%d: got integers %d (%v)", c.data, whole, err)
		}
	}
}

// failing is a file that cannot be written.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no room") }

// TestTensorErrors asks for what a tensor cannot give, and writes tensors from everywhere to a file that cannot be written: an
// error says so, and asking again has the same answer.
func TestTensorErrors(t *testing.T) {
	text := &Tensor{proto: &onnxpb.TensorProto{DataType: proto.Int32(int32(String)), Dims: []int64{2}, StringData: [][]byte{{'a'}, {'b'}}}}
	broken := NewLazyTensor(Float32, []int64{5000}, func() (*Tensor, error) { return nil, errors.New("no luck") })
	for name, c := range map[string]struct {
		ask  func() error
		want string
	}{
		"bytes of text":       {func() error { _, err := text.Raw(); return err }, "string elements have no raw form"},
		"hash of text":        {func() error { _, err := text.SHA256(); return err }, "string elements have no raw form"},
		"text in other dims":  {func() error { _, err := text.Reshaped([]int64{1, 2}); return err }, "string elements have no raw form"},
		"bytes of a failure":  {func() error { _, err := broken.Raw(); return err }, "no luck"},
		"hash of a failure":   {func() error { _, err := broken.SHA256(); return err }, "no luck"},
		"numbers of failures": {func() error { _, err := broken.Float32s(); return err }, "no luck"},
		"too few texts": {func() error {
			_, err := ParseTensor(marshal(t, &onnxpb.TensorProto{DataType: proto.Int32(int32(String)), Dims: []int64{3}, StringData: text.proto.StringData}))
			return err
		}, "string of dims [3] needs 3 strings, has 2"},
	} {
		for range 2 {
			if err := c.ask(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got error %v, want one with %q", name, err, c.want)
			}
		}
	}

	place := t.TempDir() + "/data"
	if err := os.WriteFile(place, make([]byte, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(place)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	beyond := &Tensor{proto: &onnxpb.TensorProto{DataType: proto.Int32(1), Dims: []int64{25}}, source: &section{f, info, 4, 100}} // as if the disk had an error
	if _, err := beyond.Raw(); err == nil || !strings.Contains(err.Error(), "reading 100 bytes at 4 of "+place) {
		t.Errorf("what is not there was read: %v", err)
	}
	if _, err := beyond.SHA256(); err == nil || !strings.Contains(err.Error(), "copying 100 bytes at 4 of "+place) {
		t.Errorf("what is not there was hashed: %v", err)
	}
	f.Close()
	if _, err := beyond.Raw(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("what cannot be looked at was read: %v", err)
	}
	if err := beyond.writeRaw(io.Discard, 100); !errors.Is(err, os.ErrClosed) {
		t.Errorf("what cannot be looked at was written: %v", err)
	}

	tensors := map[string]*Tensor{"in memory": small(t, 5000).Graph.Value("w").Constant()}
	for name, mode := range map[string]ExternalMode{"in a model file": ExternalNone, "in a data file": ExternalAll} {
		path := t.TempDir() + "/m.onnx"
		if err := small(t, 5000).Save(path, mode); err != nil {
			t.Fatal(err)
		}
		m, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		tensors[name] = m.Graph.Value("w").Constant()
	}
	tensors["lazy"] = NewLazyTensor(Float32, []int64{5000}, func() (*Tensor, error) { return tensors["in memory"], nil })
	made := NewLazyTensor(Float32, []int64{5000}, func() (*Tensor, error) { return tensors["in memory"], nil })
	raw, err := made.Raw()
	if err != nil {
		t.Fatal(err)
	}
	tensors["lazy, made before"] = made
	for name, tensor := range tensors {
		if err := tensor.writeRaw(failing{}, 20000); err == nil || !strings.Contains(err.Error(), "no room") {
			t.Errorf("%s: got error %v", name, err)
		}
		var written bytes.Buffer
		if err := tensor.writeRaw(&written, 20000); err != nil || !bytes.Equal(written.Bytes(), raw) {
			t.Errorf("%s: wrote %d bytes, %v", name, written.Len(), err)
		}
	}
}

// TestReadersOwnWhatTheyGet changes what was read of a tensor: the tensor, which others share, stays as it is.
func TestReadersOwnWhatTheyGet(t *testing.T) {
	single, double, whole := NewScalar(float32(1)), NewScalar(1.0), NewScalar(int64(1))
	a, _ := single.Float32s()
	b, _ := double.Float64s()
	c, _ := whole.Int64s()
	a[0], b[0], c[0] = 2, 2, 2
	for _, tensor := range []*Tensor{single, double, whole} {
		if got, err := tensor.Float64s(); err != nil || got[0] != 1 {
			t.Errorf("a %v tensor became %v, %v", tensor.DType(), got, err)
		}
	}
	dims := []int64{1}
	kept := NewTensor(dims, []float32{1})
	if dims[0] = 5; kept.Dims()[0] != 1 {
		t.Error("a tensor shares the dims that it was made with")
	}
}
