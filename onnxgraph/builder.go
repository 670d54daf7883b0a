package onnxgraph

import "fmt"

// Builder adds nodes to a graph, one call per operator, and shares equal integer constants.
type Builder struct {
	Graph *Graph
	ints  map[string]*Value
}

// NewBuilder returns a builder that adds to g.
func NewBuilder(g *Graph) *Builder { return &Builder{g, map[string]*Value{}} }

// Op adds a node with one output and returns that. A nil input is an absent one.
func (b *Builder) Op(opType string, inputs []*Value, attrs ...Attribute) *Value {
	return b.Graph.AddNode(opType, inputs, attrs...).Output(0)
}

// Ints returns a constant vector of integers, as operators take for axes, shapes and pads.
func (b *Builder) Ints(v ...int64) *Value {
	key := fmt.Sprint(v)
	c := b.ints[key]
	if c == nil || c.graph == nil {
		c = b.Graph.AddConstant("ints", NewTensor([]int64{int64(len(v))}, append([]int64{}, v...)))
		b.ints[key] = c
	}
	return c
}

// Scalar returns a constant without dims, of the given floating-point type.
func (b *Builder) Scalar(dtype DType, v float64) (*Value, error) {
	t, err := FromFloat64s(dtype, nil, []float64{v})
	if err != nil {
		return nil, err
	}
	return b.Graph.AddConstant("scalar", t), nil
}
