package damage

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

func (e *editor) changeDims() {
	t := e.tensor()
	switch i := e.anywhere(len(t.Dims)); {
	case len(t.Dims) == 0 || e.IntN(4) == 0:
		t.Dims = append(t.Dims, e.number())
	case e.IntN(4) == 0:
		t.Dims = slices.Delete(t.Dims, i, i+1)
	default:
		t.Dims[i] = e.number()
	}
}

// claimDims gives a tensor dims that fit together but not its data.
func (e *editor) claimDims() {
	e.tensor().Dims = pick(e, [][]int64{{1e9, 3, 3, 3}, {1 << 31, 1 << 31, 1 << 31}, {1 << 62, 4}, {1 << 32, 1 << 32}, {0, 1 << 62},
		{1e9, 0, 3, 3}, {1, 1, 1 << 30, 3}, {}, {-1, -1}, {3037000500, 3037000500}})
}

func (e *editor) changeType() { e.tensor().DataType = proto.Int32(int32(e.IntN(32)) - 1) }

// changeData cuts the raw data, makes it longer, or changes bytes of it.
func (e *editor) changeData() {
	t := e.tensor()
	switch raw := t.RawData; {
	case len(raw) == 0 || e.IntN(4) == 0:
		t.RawData = append(slices.Clone(raw), make([]byte, e.IntN(16))...)
	case e.IntN(2) == 0:
		t.RawData = raw[:e.IntN(len(raw))]
	default:
		t.RawData[e.IntN(len(raw))] = byte(e.Uint32())
	}
}

// moveOutside says that the data is in another file.
func (e *editor) moveOutside() {
	t := e.tensor()
	t.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	for _, key := range []string{"location", "offset", "length"}[:e.IntN(4)] {
		value := pick(e, []string{"", ".", "..", "../x", "/etc/passwd", "/dev/zero", "model", "0", "-1", "9223372036854775807", "a\x00b"})
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(value)})
	}
}

// makeTyped moves raw data to one of the typed fields.
func (e *editor) makeTyped() {
	t := e.tensor()
	count := len(t.RawData) / 4
	t.RawData = nil
	switch e.IntN(4) {
	case 0:
		t.FloatData = make([]float32, count)
	case 1:
		t.Int32Data = make([]int32, count)
	case 2:
		t.Int64Data = make([]int64, count)
	case 3:
		t.StringData = make([][]byte, count)
	}
}

// makeSparse makes an initializer a sparse one, of claimed dims.
func (e *editor) makeSparse() {
	g := e.graph()
	if len(g.Initializer) == 0 {
		return
	}
	i := e.IntN(len(g.Initializer))
	t := g.Initializer[i]
	g.Initializer = slices.Delete(g.Initializer, i, i+1)
	values := &onnxpb.TensorProto{Name: t.Name, DataType: proto.Int32(1), Dims: []int64{2}, FloatData: []float32{1, 2}}
	indices := &onnxpb.TensorProto{DataType: proto.Int32(7), Dims: []int64{2}, Int64Data: []int64{0, e.number()}}
	dims := t.Dims
	if e.IntN(2) == 0 {
		dims = e.numbers()
	}
	g.SparseInitializer = append(g.SparseInitializer, &onnxpb.SparseTensorProto{Values: values, Indices: indices, Dims: dims})
}

// makeNode makes an initializer what a Constant node puts out.
func (e *editor) makeNode() {
	g := e.graph()
	if len(g.Initializer) == 0 {
		return
	}
	i := e.IntN(len(g.Initializer))
	t := g.Initializer[i]
	g.Initializer = slices.Delete(g.Initializer, i, i+1)
	g.Node = append([]*onnxpb.NodeProto{{OpType: proto.String("Constant"), Output: []string{t.GetName()},
		Attribute: []*onnxpb.AttributeProto{{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t}}}}, g.Node...)
}

// fillWeight makes what a node reads the output of operators that make much of little.
func (e *editor) fillWeight() {
	g, n := e.graph(), e.node()
	if len(n.Input) < 2 {
		return
	}
	dims := pick(e, [][]int64{{4, 3, 3, 3}, {1e9, 3, 3, 3}, {1 << 14, 1 << 13, 1, 3}, {2, 1 << 40, 3, 3}, {-1, 3, 3, 3}, {1 << 32, 1 << 32, 3, 3}, {64, 64, 64, 64}})
	shape := &onnxpb.TensorProto{Name: proto.String("filled.shape"), DataType: proto.Int32(7), Dims: []int64{int64(len(dims))}, Int64Data: dims}
	g.Initializer = append(g.Initializer, shape)
	g.Node = append([]*onnxpb.NodeProto{{OpType: proto.String(pick(e, []string{"ConstantOfShape", "Expand", "Tile"})),
		Input: []string{"filled.shape"}, Output: []string{"filled"}}}, g.Node...)
	n.Input[1] = "filled"
}

func (e *editor) deleteTensor() {
	g := e.graph()
	if i := e.anywhere(len(g.Initializer)); i < len(g.Initializer) {
		g.Initializer = slices.Delete(g.Initializer, i, i+1)
	}
}

func (e *editor) repeatTensor() {
	g := e.graph()
	t := proto.CloneOf(e.tensor())
	if e.IntN(2) == 0 {
		t.Name = proto.String(e.newName())
	}
	g.Initializer = append(g.Initializer, t)
}
