package onnxgraph

import (
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// TestFiniteness counts in numbers that are written in pieces of every size, against the numbers themselves.
func TestFiniteness(t *testing.T) {
	values := []float64{0, math.NaN(), 1, math.Inf(1), -1, math.Inf(-1), math.NaN(), math.NaN(), 6e4, -6e4, math.Copysign(0, -1)}
	for _, dtype := range []DType{Float32, Float64, Float16, BFloat16} {
		x, err := FromFloat64s(dtype, []int64{int64(len(values))}, values)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := x.Raw()
		if err != nil {
			t.Fatal(err)
		}
		for piece := 1; piece <= len(raw); piece++ {
			f := finiteness{Writer: io.Discard, dtype: dtype}
			for part := range slices.Chunk(raw, piece) {
				if n, err := f.Write(part); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if f.nan != 3 || f.infinite != 2 {
				t.Errorf("%v in pieces of %d bytes: %d NaN and %d infinite, want 3 and 2", dtype, piece, f.nan, f.infinite)
			}
		}
	}
}

// TestFinitenessAtEveryPlace has one number that is not finite among many that are the largest of their type, or the smallest,
// at every place.
func TestFinitenessAtEveryPlace(t *testing.T) {
	for dtype, largest := range map[DType]uint64{Float32: 0x7f7fffff, Float64: 0x7fefffffffffffff, Float16: 0x7bff, BFloat16: 0x7f7f} {
		size := dtype.Bits() / 8
		sign := uint64(1) << (dtype.Bits() - 1)
		infinity := largest + 1
		put := func(raw []byte, i int, bits uint64) {
			for k := range size {
				raw[i*size+k] = byte(bits >> (8 * k))
			}
		}
		const count = 2101 // more than is looked at together, in every type, and mostly no multiple of 8 bytes
		raw := make([]byte, count*size)
		for i := range count {
			put(raw, i, []uint64{largest, largest | sign, 0, sign, 1, sign | 1}[i%6])
		}
		for i := range count + 1 {
			kept := slices.Clone(raw)
			want := [2]int64{}
			if i < count {
				bits := []uint64{infinity, infinity | sign, infinity + 1, 2*sign - 1}[i%4]
				put(kept, i, bits)
				want[[]int{1, 1, 0, 0}[i%4]] = 1
			}
			f := finiteness{Writer: io.Discard, dtype: dtype}
			if _, err := f.Write(kept); err != nil {
				t.Fatal(err)
			}
			if got := [2]int64{f.nan, f.infinite}; got != want {
				t.Fatalf("%v, at %d: %d NaN and infinite, want %d", dtype, i, got, want)
			}
		}
	}
}

// TestNotFinite finds what is not finite wherever a model can have a tensor, both in the model and when it is saved.
func TestNotFinite(t *testing.T) {
	bad := NewTensor([]int64{3}, []float32{1, float32(math.NaN()), float32(math.Inf(-1))})
	typed := &Tensor{proto: &onnxpb.TensorProto{Dims: []int64{2}, DataType: proto.Int32(1), FloatData: []float32{float32(math.Inf(1)), 2}}}
	large := make([]float64, 3000)
	large[2999] = math.NaN()
	m := New("g", 8, 18)
	g := m.Graph
	var read []*Value
	for name, c := range map[string]*Tensor{
		"raw": bad, "typed": typed, "large": NewTensor([]int64{3000}, large), "whole": NewTensor([]int64{2}, []int32{-1, 0x7fc00000}), "fine": NewScalar(float32(1)),
		"lazy": NewLazyTensor(Float32, []int64{3}, func() (*Tensor, error) { return bad, nil }),
	} {
		read = append(read, g.AddConstant(name, c))
	}
	read = append(read, g.AddNode("Loaded", nil, Float("alpha", float32(math.NaN())), TensorAttr("table", bad)).Output(0))
	read[len(read)-1].producer.Rename("node")
	constant := g.AddNode("Constant", nil, TensorAttr("value", bad)).Output(0)
	g.Rename(constant, "constant")
	for _, v := range append(read, constant) {
		g.AddNode("Identity", []*Value{v})
	}
	want := []string{`Loaded "node" table (1 NaN, 1 infinite)`, "constant (1 NaN, 1 infinite)", "large (1 NaN)", "lazy (1 NaN, 1 infinite)", "raw (1 NaN, 1 infinite)", "typed (1 infinite)"}
	texts := func(list []NotFinite) []string { return slices.Sorted(slices.Values(mapSlice(list, NotFinite.String))) }
	for _, mode := range []ExternalMode{ExternalNone, ExternalAll} {
		if found, err := m.NotFinite(); err != nil || !slices.Equal(texts(found), want) {
			t.Errorf("found %v, %v, want %v", texts(found), err, want)
		}
		path := filepath.Join(t.TempDir(), "model.onnx")
		s, err := m.Stage(path, mode)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Abandon()
		const unnamed = "a constant in a node (1 NaN, 1 infinite)"
		if saved := texts(s.NotFinite()); saved[0] != unnamed || saved[1] != unnamed || !slices.Equal(saved[2:], want[2:]) {
			t.Errorf("saving found %v, want %v", saved, want)
		}
		if err := s.Commit(); err != nil {
			t.Fatal(err)
		}
		if m, err = Load(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNotFiniteFails looks for NaN where constants cannot be read: an error names the first of them. Those that hold integers are not
// looked at.
func TestNotFiniteFails(t *testing.T) {
	failing := func(dtype DType, why string) *Tensor {
		return NewLazyTensor(dtype, []int64{3}, func() (*Tensor, error) { return nil, errors.New(why) })
	}
	m := New("g", 8, 18)
	m.Graph.AddConstant("whole", failing(Int64, "integers"))
	if found, err := m.NotFinite(); err != nil || found != nil {
		t.Errorf("found %v, %v", found, err)
	}
	m.Graph.AddConstant("first", failing(Float32, "no luck"))
	m.Graph.AddConstant("second", failing(Float32, "bad luck"))
	if _, err := m.NotFinite(); err == nil || err.Error() != `looking for NaN in "first": no luck` {
		t.Errorf("got error %v", err)
	}
}
