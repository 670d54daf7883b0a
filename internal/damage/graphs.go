package damage

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// nest gives a node a copy of a graph of the model as a body.
func (e *editor) nest() {
	body, n := e.graph(), e.node()
	if proto.Size(e.model) > 1<<18 {
		return // copies of copies grow without end
	}
	n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: proto.String(pick(e, []string{"then_branch", "else_branch", "body"})),
		Type: onnxpb.AttributeProto_GRAPH.Enum(), G: proto.CloneOf(body)})
	if e.IntN(2) == 0 {
		n.OpType = proto.String(pick(e, []string{"If", "Loop", "Scan"}))
	}
}

// nestDeep puts the nodes of a graph into bodies of bodies.
func (e *editor) nestDeep() {
	g := e.graph()
	inner := g.Node
	for i := range e.IntN(40) {
		body := &onnxpb.GraphProto{Name: proto.String(fmt.Sprint("body", i)), Node: inner}
		inner = []*onnxpb.NodeProto{{OpType: proto.String("If"), Input: []string{pick(e, e.names)}, Output: []string{fmt.Sprint("nested", i)},
			Attribute: []*onnxpb.AttributeProto{{Name: proto.String("then_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: body}}}}
	}
	g.Node = inner
}

// callItself adds a function that calls itself, and a call of it.
func (e *editor) callItself() {
	call := &onnxpb.NodeProto{OpType: proto.String("f"), Domain: proto.String("local"), Input: []string{pick(e, e.names)}, Output: []string{"called"}}
	nodes := []*onnxpb.NodeProto{proto.CloneOf(e.node()), {OpType: proto.String("f"), Domain: proto.String("local"), Input: []string{"x"}, Output: []string{"y"}}}
	e.model.Functions = append(e.model.Functions, &onnxpb.FunctionProto{Name: proto.String("f"), Domain: proto.String("local"),
		Input: []string{"x"}, Output: []string{"y"}, Node: nodes})
	g := e.graph()
	g.Node = append(g.Node, call)
}

// changePorts deletes, repeats or renames an input or an output of a graph.
func (e *editor) changePorts() {
	g := e.graph()
	list := pick(e, []*[]*onnxpb.ValueInfoProto{&g.Input, &g.Output, &g.ValueInfo})
	i := e.anywhere(len(*list))
	switch e.IntN(4) {
	case 0:
		*list = append(*list, &onnxpb.ValueInfoProto{Name: proto.String(pick(e, e.names))})
	case 1:
		if len(*list) > 0 {
			*list = slices.Delete(*list, i, i+1)
		}
	case 2:
		if len(*list) > 0 {
			*list = append(*list, proto.CloneOf((*list)[i]))
		}
	case 3:
		if len(*list) > 0 {
			(*list)[i].Name = proto.String(e.newName())
		}
	}
}

// changeShape declares another shape, or none, for a value.
func (e *editor) changeShape() {
	g := e.graph()
	info := pick(e, slices.Concat(g.Input, g.Output, g.ValueInfo))
	if info == nil {
		return
	}
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range e.numbers() {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		if e.IntN(4) > 0 {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	if e.IntN(4) == 0 {
		shape = nil
	}
	info.Type = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(e.IntN(20))), Shape: shape}}}
}

func (e *editor) changeVersion() {
	if o := pick(e, e.model.OpsetImport); o != nil && e.IntN(2) == 0 {
		o.Version = proto.Int64(pick(e, []int64{0, 1, 6, 7, 8, 9, 13, 18, 21, 25, 1 << 40, -1}))
		return
	}
	e.model.IrVersion = proto.Int64(pick(e, []int64{0, 1, 3, 4, 8, 10, 1 << 40, -1}))
}

// changeMetadata damages or adds a record of a frozen block, or anything else.
func (e *editor) changeMetadata() {
	if entry := pick(e, e.model.MetadataProps); entry != nil && e.IntN(2) == 0 {
		value := []byte(entry.GetValue())
		if len(value) > 0 {
			value[e.IntN(len(value))] = byte(32 + e.IntN(90))
		}
		entry.Value = proto.String(string(value))
		return
	}
	e.model.MetadataProps = append(e.model.MetadataProps, &onnxpb.StringStringEntryProto{
		Key:   proto.String(pick(e, []string{"rcfreeze.version", "rcfreeze.block.conv", "rcfreeze.block.", "x"})),
		Value: proto.String(pick(e, []string{"", "1", "{}", `{"bank_tensor":"conv.weight","pointwise_tensor":"conv.weight"}`}))})
}
