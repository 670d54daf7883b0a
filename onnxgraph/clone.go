package onnxgraph

import (
	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Clone returns a copy of the model that shares only its tensors, which are immutable. Values and nodes keep their names, so you
// can find them in the copy by name.
func (m *Model) Clone() *Model {
	var tensors []*Tensor
	p := m.assemble(func(t *Tensor, name *string) *onnxpb.TensorProto {
		tensors = append(tensors, t)
		return &onnxpb.TensorProto{Name: name, Dims: []int64{int64(len(tensors) - 1)}} // a placeholder
	})
	c := link(proto.CloneOf(p), func(p *onnxpb.TensorProto) *Tensor { return tensors[p.Dims[0]] }).model
	c.path = m.path
	return c
}
