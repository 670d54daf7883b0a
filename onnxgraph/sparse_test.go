package onnxgraph

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// TestDensified spreads sparse constants, both as initializers and in Constant nodes, and refuses indices that are none.
func TestDensified(t *testing.T) {
	values := NewTensor([]int64{3}, []float32{1, 2, 3})
	for _, c := range []struct {
		name    string
		indices *Tensor
		dims    []int64
		want    []float64 // nil for an error
	}{
		{"positions", NewTensor([]int64{3}, []int64{0, 4, 5}), []int64{2, 3}, []float64{1, 0, 0, 0, 2, 3}},
		{"one index for each axis", NewTensor([]int64{3, 2}, []int64{0, 1, 1, 0, 1, 2}), []int64{2, 3}, []float64{0, 1, 0, 2, 0, 3}},
		{"outside", NewTensor([]int64{3}, []int64{0, 4, 6}), []int64{2, 3}, nil},
		{"negative", NewTensor([]int64{3}, []int64{0, -1, 5}), []int64{2, 3}, nil},
		{"too few", NewTensor([]int64{2}, []int64{0, 1}), []int64{2, 3}, nil},
		{"of too few axes", NewTensor([]int64{3, 1}, []int64{0, 1, 2}), []int64{2, 3}, nil},
		{"without axes", NewTensor(nil, []int64{0}), []int64{2, 3}, nil},
		{"negative dims", NewTensor([]int64{3}, []int64{0, 4, 5}), []int64{-2, 3}, nil},
		{"no elements", NewTensor([]int64{3}, []int64{0, 4, 5}), []int64{0, 3}, nil},
		{"fewer indices than values, one of which has two", NewTensor([]int64{1, 3}, []int64{0, 1, 2}), []int64{2, 2, 2}, nil},
		{"another number of indices, of as many numbers", NewTensor([]int64{2, 3}, []int64{0, 0, 0, 1, 1, 1}), []int64{3, 3}, nil},
		{"of three axes", NewTensor([]int64{3, 1, 1}, []int64{0, 1, 2}), []int64{6}, nil},
		{"numbers that are no integers", NewTensor([]int64{3}, []float32{0, 1, 2}), []int64{6}, nil},
		{"just too large", NewTensor([]int64{3}, []int64{0, 4, 5}), []int64{1<<23 + 1}, nil},
		{"far too large, by axes", NewTensor([]int64{3, 2}, []int64{0, 1, 1, 0, 1, 2}), []int64{1 << 32, 1 << 32}, nil},
		{"far too large", NewTensor([]int64{3}, []int64{0, 4, 5}), []int64{1 << 30, 1 << 30}, nil},
	} {
		sparse := &onnxpb.SparseTensorProto{Values: proto.CloneOf(values.proto), Indices: c.indices.proto, Dims: c.dims}
		sparse.Values.Name = proto.String("initializer")
		m := link(&onnxpb.ModelProto{Graph: &onnxpb.GraphProto{
			SparseInitializer: []*onnxpb.SparseTensorProto{sparse},
			Node: []*onnxpb.NodeProto{{OpType: proto.String("Constant"), Output: []string{"node"}, Attribute: []*onnxpb.AttributeProto{{
				Name: proto.String("sparse_value"), Type: onnxpb.AttributeProto_SPARSE_TENSOR.Enum(), SparseTensor: sparse,
			}}}},
		}}, nil).model
		for _, name := range []string{"initializer", "node"} {
			dense, err := m.Graph.Value(name).Densified()
			if c.want == nil {
				if err == nil {
					t.Errorf("%s, %s: got %v", name, c.name, dense.Dims())
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if data, err := dense.Float64s(); err != nil || !slices.Equal(data, c.want) || !slices.Equal(dense.Dims(), c.dims) {
				t.Errorf("%s, %s: got %v, %v", name, c.name, data, err)
			}
		}
	}
	for _, values := range []*Tensor{NewTensor([]int64{2}, []float64{1, 2}), NewTensor([]int64{2}, []int64{1, 2}), NewTensor([]int64{2}, []int8{1, 2}), NewTensor([]int64{2}, []int16{1, 2})} {
		dense, err := densify(&onnxpb.SparseTensorProto{Values: values.proto, Indices: NewTensor([]int64{2}, []int64{3, 1}).proto, Dims: []int64{4}})
		if err != nil {
			t.Fatal(err)
		}
		if data, err := dense.Float64s(); err != nil || !slices.Equal(data, []float64{0, 2, 0, 1}) || dense.DType() != values.DType() {
			t.Errorf("%v: got %v of type %v, %v", values.DType(), data, dense.DType(), err)
		}
	}
	text := &Tensor{proto: &onnxpb.TensorProto{DataType: proto.Int32(int32(String)), Dims: []int64{2}, StringData: [][]byte{{'a'}, {'b'}}}}
	short := &Tensor{proto: &onnxpb.TensorProto{DataType: proto.Int32(1), Dims: []int64{2}, RawData: make([]byte, 4)}}
	for _, values := range []*Tensor{text, short} {
		if _, err := densify(&onnxpb.SparseTensorProto{Values: values.proto, Indices: NewTensor([]int64{2}, []int64{3, 1}).proto, Dims: []int64{4}}); err == nil {
			t.Errorf("values of %v in %d bytes were spread", values.DType(), len(values.proto.RawData))
		}
	}
	packed := &onnxpb.SparseTensorProto{Values: NewRawTensor(22, []int64{2}, []byte{0x21}).proto, Indices: NewTensor([]int64{2}, []int64{3, 1}).proto, Dims: []int64{4}}
	if dense, err := densify(packed); err == nil {
		t.Errorf("elements of less than a byte were spread to %v", dense.Dims())
	}
	if dense, err := densify(&onnxpb.SparseTensorProto{Values: NewTensor([]int64{1}, []float32{1}).proto, Indices: NewTensor([]int64{1}, []int64{8}).proto, Dims: []int64{1 << 23}}); err != nil || dense.Len() != 1<<23 {
		t.Errorf("the largest that is spread: %v", err)
	}
	if dense, err := New("g", 8, 18).Graph.AddConstant("dense", values).Densified(); dense != nil || err != nil {
		t.Errorf("a dense constant: %v, %v", dense, err)
	}
}

// TestFaultsBesideSparse has a dense initializer with too little data behind a sparse one: the fault is found.
func TestFaultsBesideSparse(t *testing.T) {
	sparse := &onnxpb.SparseTensorProto{Values: proto.CloneOf(vector([]float32{1}).proto), Indices: vector([]int64{0}).proto, Dims: []int64{4}}
	sparse.Values.Name = proto.String("sparse")
	short := proto.CloneOf(vector([]float32{1, 2}).proto)
	short.Name, short.Dims = proto.String("short"), []int64{3}
	for _, list := range [][]*onnxpb.SparseTensorProto{nil, {sparse}} {
		m := &onnxpb.ModelProto{IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(18)}},
			Graph: &onnxpb.GraphProto{SparseInitializer: list, Initializer: []*onnxpb.TensorProto{short}}}
		if _, err := Parse(marshal(t, m), ""); err == nil || !strings.Contains(err.Error(), `"short"`) {
			t.Errorf("%d sparse initializers: got error %v, want one that names the tensor", len(list), err)
		}
	}
	m := fromText(t, tangled) // in which constants that are added come behind a sparse one
	m.Graph.AddConstant("added", &Tensor{proto: short})
	if err := m.Validate(); err == nil || !strings.Contains(err.Error(), `"added"`) {
		t.Errorf("behind a sparse initializer: got error %v, want one that names the tensor", err)
	}
}
