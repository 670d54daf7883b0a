package onnxgraph

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Value is an edge of a graph: a graph input, a constant, or an output of a node.
//
// Exactly one graph owns a value. Nodes in nested graphs may read it, too.
type Value struct {
	name     string
	graph    *Graph
	producer *Node
	constant *Tensor
	sparse   *onnxpb.SparseTensorProto // the constant, if it is a sparse initializer
	uses     []Use
	outputOf int                      // how many graph outputs the value is
	infos    []*onnxpb.ValueInfoProto // the entries of inputs, outputs and value_info about its type
}

// Use is one place where a value is read: input number Index of Node.
type Use struct {
	Node  *Node
	Index int
}

// Name returns the value's name, unique in its scope.
func (v *Value) Name() string { return v.name }

// Graph returns the graph that owns the value.
func (v *Value) Graph() *Graph { return v.graph }

// Producer returns the node that computes the value, nil for graph inputs and constants.
func (v *Value) Producer() *Node { return v.producer }

// Uses returns where the value is read, in all graphs, oldest first. A graph output does not count as a use: see IsOutput.
func (v *Value) Uses() []Use { return slices.Clone(v.uses) }

// Constant returns the data of an initializer or of a Constant node's output, nil for other values. An
// initializer that is also a graph input (common up to IR version 3) returns its default.
func (v *Value) Constant() *Tensor {
	if v.producer != nil && v.producer.Is("Constant") {
		return v.producer.constant()
	}
	return v.constant
}

// SetConstant replaces the data of a constant. The doc string and metadata stay.
func (v *Value) SetConstant(t *Tensor) {
	t = t.DescribedAs(v.Constant())
	if v.producer != nil && v.producer.Is("Constant") {
		v.producer.attrs = []Attribute{TensorAttr("value", t)}
		return
	}
	v.constant = t
}

// IsInput reports whether the value is an input of the graph that owns it.
func (v *Value) IsInput() bool {
	return slices.ContainsFunc(v.graph.inputs, func(t typed) bool { return t.value == v })
}

// IsOutput reports whether the value is an output of the graph that owns it or of a nested graph.
func (v *Value) IsOutput() bool { return v.outputOf > 0 }

// IsUsed reports whether a node reads the value, or it is an output of a graph.
func (v *Value) IsUsed() bool { return len(v.uses) > 0 || v.IsOutput() }

// Dim is one dimension of a value's shape: a size, or a symbol, or neither if nothing is known.
type Dim struct {
	Size  int64  // -1 if unknown
	Param string // the symbol, such as "batch", if any
}

// String returns the size, else the symbol, else "?".
func (d Dim) String() string {
	if d.Size >= 0 {
		return strconv.FormatInt(d.Size, 10)
	}
	return cmp.Or(d.Param, "?")
}

// DType returns the element type: that of a constant's data, or else the declared one. It is Undefined if it is not known or the
// value is not a tensor.
func (v *Value) DType() DType {
	if t := v.Constant(); t != nil {
		return t.DType()
	}
	for _, info := range v.infos {
		if t := info.GetType().GetTensorType(); t != nil {
			return DType(t.GetElemType())
		}
	}
	return Undefined
}

// Shape returns the shape: that of a constant's data, or else the declared one. ok is false if not even the rank is known.
func (v *Value) Shape() (shape []Dim, ok bool) {
	if t := v.Constant(); t != nil {
		for _, d := range t.Dims() {
			shape = append(shape, Dim{Size: d})
		}
		return shape, true
	}
	for _, info := range v.infos {
		if s := info.GetType().GetTensorType().GetShape(); s != nil {
			for _, d := range s.GetDim() {
				shape = append(shape, dimOf(d))
			}
			return shape, true
		}
	}
	return nil, false
}

func dimOf(d *onnxpb.TensorShapeProto_Dimension) Dim {
	if size, ok := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
		return Dim{Size: size.DimValue}
	}
	return Dim{Size: -1, Param: d.GetDimParam()}
}

// StaticShape returns the shape as Shape does; ok is false unless every dimension has a size.
func (v *Value) StaticShape() (shape []int64, ok bool) {
	dims, ok := v.Shape()
	if !ok {
		return nil, false
	}
	shape = make([]int64, len(dims))
	for i, d := range dims {
		if d.Size < 0 {
			return nil, false
		}
		shape[i] = d.Size
	}
	return shape, true
}

// SetType declares that the value is a tensor of the given element type and shape. It changes the declaration wherever the file
// has one, in the lists of inputs, outputs and other values, or adds one if there is none. An empty or nil shape declares a
// scalar.
func (v *Value) SetType(dtype DType, shape []Dim) {
	if len(v.infos) == 0 {
		v.graph.typed = append(v.graph.typed, v.addInfo(nil))
	}
	for _, info := range v.infos {
		info.Type = tensorType(dtype, shape)
	}
}

// addInfo makes a new entry for one of the lists of types.
func (v *Value) addInfo(kind *onnxpb.TypeProto) typed {
	info := &onnxpb.ValueInfoProto{Type: kind}
	v.infos = append(v.infos, info)
	return typed{v, info}
}

// Static returns the dims of a shape whose sizes are all known.
func Static(shape ...int64) []Dim {
	dims := make([]Dim, len(shape))
	for i, s := range shape {
		dims[i].Size = s
	}
	return dims
}

func tensorType(dtype DType, shape []Dim) *onnxpb.TypeProto {
	s := &onnxpb.TensorShapeProto{}
	for _, d := range shape {
		p := &onnxpb.TensorShapeProto_Dimension{}
		switch {
		case d.Size >= 0:
			p.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d.Size}
		case d.Param != "":
			p.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.Param}
		}
		s.Dim = append(s.Dim, p)
	}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
		ElemType: proto.Int32(int32(dtype)), Shape: s,
	}}}
}
