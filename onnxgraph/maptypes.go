package onnxgraph

import (
	"google.golang.org/protobuf/proto"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
)

// MapTypes changes every element type that the graph declares: for inputs, outputs and intermediate values, in sequences and
// optional values, and in attributes that contain a type. Constants and shapes stay as they are.
func (g *Graph) MapTypes(change func(DType) DType) {
	for _, list := range [][]typed{g.inputs, g.outputs, g.typed} {
		for _, t := range list {
			if t.info != nil { // functions have none
				t.info.Type = mapType(t.info.GetType(), change)
			}
		}
	}
	for _, n := range g.nodes {
		for i, a := range n.attrs {
			if kind := a.proto.GetTp(); kind != nil {
				n.attrs[i].proto = proto.Clone(a.proto).(*onnxpb.AttributeProto)
				n.attrs[i].proto.Tp = mapType(kind, change)
			}
		}
	}
}

// mapType returns the type with other element types, nil for nil.
func mapType(kind *onnxpb.TypeProto, change func(DType) DType) *onnxpb.TypeProto {
	if kind == nil {
		return nil
	}
	kind = proto.Clone(kind).(*onnxpb.TypeProto)
	element := func(e *int32) *int32 {
		if e == nil {
			return nil
		}
		return proto.Int32(int32(change(DType(*e))))
	}
	switch v := kind.GetValue().(type) {
	case *onnxpb.TypeProto_TensorType:
		v.TensorType.ElemType = element(v.TensorType.ElemType)
	case *onnxpb.TypeProto_SparseTensorType:
		v.SparseTensorType.ElemType = element(v.SparseTensorType.ElemType)
	case *onnxpb.TypeProto_SequenceType:
		v.SequenceType.ElemType = mapType(v.SequenceType.ElemType, change)
	case *onnxpb.TypeProto_OptionalType:
		v.OptionalType.ElemType = mapType(v.OptionalType.ElemType, change)
	case *onnxpb.TypeProto_MapType:
		v.MapType.ValueType = mapType(v.MapType.ValueType, change)
	}
	return kind
}
