package onnxgraph

import (
	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// placeTensor returns the message that stores an initializer; name is the name of the value.
type placeTensor func(t *Tensor, name *string) *onnxpb.TensorProto

// assemble returns the model as one protobuf message, turning pointers back into names. The message
// shares memory with the model.
func (m *Model) assemble(place placeTensor) *onnxpb.ModelProto {
	m.proto.Graph = m.Graph.assemble(place)
	m.proto.Functions = nil
	for _, f := range m.Functions {
		f.proto.Node = append(f.Body.constantNodes(place), f.Body.assembleNodes(place)...)
		m.proto.Functions = append(m.proto.Functions, f.proto)
	}
	return m.proto
}

func (g *Graph) assemble(place placeTensor) *onnxpb.GraphProto {
	p := g.proto
	p.Initializer, p.SparseInitializer = nil, nil
	p.Input, p.Output, p.ValueInfo = infos(g.inputs), infos(g.outputs), infos(g.typed)
	for _, v := range g.initializers {
		if v.sparse != nil {
			p.SparseInitializer = append(p.SparseInitializer, v.sparse)
		} else {
			p.Initializer = append(p.Initializer, place(v.constant, proto.String(v.name)))
		}
	}
	p.Node = g.assembleNodes(place)
	return p
}

func infos(list []typed) []*onnxpb.ValueInfoProto {
	var out []*onnxpb.ValueInfoProto
	for _, t := range list {
		if t.value != nil {
			t.info.Name = proto.String(t.value.name)
		}
		out = append(out, t.info)
	}
	return out
}

func (g *Graph) assembleNodes(place placeTensor) []*onnxpb.NodeProto {
	var list []*onnxpb.NodeProto
	for _, n := range g.Sorted() {
		p := n.proto
		p.Input, p.Output, p.Attribute = valueNames(n.inputs), valueNames(n.outputs), nil
		for _, a := range n.attrs {
			a.assemble(place)
			p.Attribute = append(p.Attribute, a.proto)
		}
		list = append(list, p)
	}
	return list
}

// constantNodes returns the initializers of a function as nodes, since a function cannot have initializers.
func (g *Graph) constantNodes(place placeTensor) []*onnxpb.NodeProto {
	var list []*onnxpb.NodeProto
	for _, v := range g.initializers {
		a := TensorAttr("value", v.constant)
		a.assemble(place)
		n := newNodeProto("Constant", "", "")
		n.Output, n.Attribute = []string{v.name}, []*onnxpb.AttributeProto{a.proto}
		list = append(list, n)
	}
	return list
}

func (a Attribute) assemble(place placeTensor) {
	if a.tensor != nil {
		a.proto.T = place(a.tensor, a.proto.T.Name)
	}
	if a.proto.G != nil {
		a.proto.G = a.graphs[0].assemble(place)
		return
	}
	for i, g := range a.graphs {
		a.proto.Graphs[i] = g.assemble(place)
	}
}

func valueNames(values []*Value) []string {
	var list []string
	for _, v := range values {
		if v == nil {
			list = append(list, "")
		} else {
			list = append(list, v.name)
		}
	}
	return list
}
