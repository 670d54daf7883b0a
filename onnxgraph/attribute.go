package onnxgraph

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Attribute is a named constant of a node: a number, a string, a tensor, a graph, or a list of them.
//
// In a function, an attribute can instead refer to a parameter of the function: see IsReference. Node's methods that read
// attributes, such as Int, find no value in a reference, nor in an attribute of another type. They then return 0, "" or nil, and
// not the default that they were called with, because the node has an attribute of that name.
type Attribute struct {
	proto  *onnxpb.AttributeProto
	tensor *Tensor
	graphs []*Graph
}

// Int returns an integer attribute.
func Int(name string, v int64) Attribute {
	return attribute(name, onnxpb.AttributeProto_INT, func(p *onnxpb.AttributeProto) { p.I = proto.Int64(v) })
}

// Ints returns an attribute that is a list of integers.
func Ints(name string, v ...int64) Attribute {
	return attribute(name, onnxpb.AttributeProto_INTS, func(p *onnxpb.AttributeProto) { p.Ints = append([]int64(nil), v...) })
}

// Float returns a floating-point attribute.
func Float(name string, v float32) Attribute {
	return attribute(name, onnxpb.AttributeProto_FLOAT, func(p *onnxpb.AttributeProto) { p.F = proto.Float32(v) })
}

// Floats returns an attribute that is a list of floating-point numbers.
func Floats(name string, v ...float32) Attribute {
	return attribute(name, onnxpb.AttributeProto_FLOATS, func(p *onnxpb.AttributeProto) { p.Floats = append([]float32(nil), v...) })
}

// Str returns a string attribute.
func Str(name, v string) Attribute {
	return attribute(name, onnxpb.AttributeProto_STRING, func(p *onnxpb.AttributeProto) { p.S = []byte(v) })
}

// TensorAttr returns an attribute that holds a tensor.
func TensorAttr(name string, t *Tensor) Attribute {
	a := attribute(name, onnxpb.AttributeProto_TENSOR, func(p *onnxpb.AttributeProto) { p.T = t.proto })
	a.tensor = t
	return a
}

func attribute(name string, kind onnxpb.AttributeProto_AttributeType, set func(*onnxpb.AttributeProto)) Attribute {
	p := &onnxpb.AttributeProto{Name: proto.String(name), Type: kind.Enum()}
	set(p)
	return Attribute{proto: p}
}

// Name returns the attribute's name.
func (a Attribute) Name() string { return a.proto.GetName() }

// IsReference reports whether the attribute refers to a parameter of the function that the node is in, and so has no value
// itself.
func (a Attribute) IsReference() bool { return a.proto.GetRefAttrName() != "" }

// Graphs returns the graphs in the attribute, such as the body of a Loop.
func (a Attribute) Graphs() []*Graph { return a.graphs }

// Attributes returns the node's attributes in file order.
func (n *Node) Attributes() []Attribute { return n.attrs }

// Has reports whether the node has an attribute of that name.
func (n *Node) Has(name string) bool { return n.attr(name) != nil }

// Int returns an integer attribute, or otherwise if the node has no attribute of that name. It returns 0 if the attribute is of
// another type, or a reference.
func (n *Node) Int(name string, otherwise int64) int64 {
	if p := n.attr(name); p != nil {
		return p.GetI()
	}
	return otherwise
}

// Ints returns an attribute that is a list of integers. It returns nil if the node has no attribute of that name, or if it is of
// another type, or a reference. The caller must not change the slice.
func (n *Node) Ints(name string) []int64 { return n.attr(name).GetInts() }

// Float returns a floating-point attribute, or otherwise if the node has no attribute of that name. It returns 0 if the attribute
// is of another type, or a reference.
func (n *Node) Float(name string, otherwise float32) float32 {
	if p := n.attr(name); p != nil {
		return p.GetF()
	}
	return otherwise
}

// Floats returns an attribute that is a list of floating-point numbers. It returns nil if the node has no attribute of that name,
// or if it is of another type, or a reference. The caller must not change the slice.
func (n *Node) Floats(name string) []float32 { return n.attr(name).GetFloats() }

// Str returns a string attribute, or otherwise if the node has no attribute of that name. It returns "" if the attribute is of
// another type, or a reference.
func (n *Node) Str(name, otherwise string) string {
	if p := n.attr(name); p != nil {
		return string(p.GetS())
	}
	return otherwise
}

// Tensor returns a tensor attribute. It returns nil if the node has no attribute of that name, or if it is of another type, or a
// reference.
func (n *Node) Tensor(name string) *Tensor {
	if a := n.find(name); a != nil {
		return a.tensor
	}
	return nil
}

// constant returns the tensor of a Constant node, nil if it is not dense, not of numbers, or a function's parameter.
func (n *Node) constant() *Tensor {
	if len(n.attrs) != 1 || n.attrs[0].IsReference() {
		return nil
	}
	return n.attrs[0].constant(n.attrs[0].Name())
}

// constant returns the tensor of a Constant node if it had this attribute under the given name.
func (a Attribute) constant(name string) *Tensor {
	switch name {
	case "value":
		return a.tensor
	case "value_float":
		return NewScalar(a.proto.GetF())
	case "value_floats":
		return vector(a.proto.GetFloats())
	case "value_int":
		return NewScalar(a.proto.GetI())
	case "value_ints":
		return vector(a.proto.GetInts())
	}
	return nil
}

func vector[T Element](data []T) *Tensor {
	return NewTensor([]int64{int64(len(data))}, slices.Clone(data))
}

// SetAttr sets attributes. Each replaces an attribute of the same name in place.
func (n *Node) SetAttr(attrs ...Attribute) {
next:
	for _, a := range attrs {
		for i, old := range n.attrs {
			if old.Name() == a.Name() {
				n.attrs[i] = a
				continue next
			}
		}
		n.attrs = append(n.attrs, a)
	}
}

// RemoveAttr removes the attributes of the given names, if the node has them.
func (n *Node) RemoveAttr(names ...string) {
	for _, name := range names {
		for i, a := range n.attrs {
			if a.Name() == name {
				n.attrs = append(n.attrs[:i:i], n.attrs[i+1:]...)
				break
			}
		}
	}
}

func (n *Node) attr(name string) *onnxpb.AttributeProto {
	if a := n.find(name); a != nil {
		return a.proto
	}
	return nil
}

func (n *Node) find(name string) *Attribute {
	for i := range n.attrs {
		if n.attrs[i].Name() == name {
			return &n.attrs[i]
		}
	}
	return nil
}
