package onnxgraph

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
)

// Builder adds nodes and constants to a graph, one call each. What it was asked for before, with the same
// inputs and attributes, it returns again: so that independent parts of a program share what they both
// compute.
type Builder struct {
	Graph *Graph
	built map[string][]*Value
}

// NewBuilder returns a builder that adds to g.
func NewBuilder(g *Graph) *Builder { return &Builder{g, map[string][]*Value{}} }

// Op returns the value that an operator with one output computes from inputs; a nil input is an absent one.
func (b *Builder) Op(opType string, inputs []*Value, attrs ...Attribute) *Value {
	return b.Ops(opType, 1, inputs, attrs...)[0]
}

// OpOf is Op for an operator of another domain.
func (b *Builder) OpOf(domain, opType string, inputs []*Value, attrs ...Attribute) *Value {
	return b.once(domain+"."+callKey(opType, 1, inputs, attrs), func() []*Value {
		return b.Graph.AddNodeOf(domain, opType, inputs, 1, attrs...).Outputs()
	})[0]
}

// Ops returns the values that an operator with several outputs computes from inputs.
func (b *Builder) Ops(opType string, outputs int, inputs []*Value, attrs ...Attribute) []*Value {
	return b.once(callKey(opType, outputs, inputs, attrs), func() []*Value {
		return b.Graph.AddNodeOf("", opType, inputs, outputs, attrs...).Outputs()
	})
}

// Ints returns a constant vector of integers, as operators take for axes, shapes and pads.
func (b *Builder) Ints(v ...int64) *Value {
	return b.once(fmt.Sprint("ints", v), func() []*Value {
		return []*Value{b.Graph.AddConstant("ints", NewTensor([]int64{int64(len(v))}, append([]int64{}, v...)))}
	})[0]
}

// Fill returns a constant of the given dims whose elements all are v; dtype must be a floating-point type.
func (b *Builder) Fill(dtype DType, v float64, dims ...int64) *Value {
	return b.once(fmt.Sprint("fill", dtype, dims, v), func() []*Value {
		data := make([]float64, elementCount(dims))
		for i := range data {
			data[i] = v
		}
		t, err := FromFloat64s(dtype, dims, data)
		if err != nil {
			panic("onnxgraph: " + err.Error()) // the caller's mistake
		}
		return []*Value{b.Graph.AddConstant("fill", t)}
	})[0]
}

// once returns what was made under key, unless it has been removed from the graph since.
func (b *Builder) once(key string, make func() []*Value) []*Value {
	if made, ok := b.built[key]; ok && made[0].graph == b.Graph {
		return made
	}
	made := make()
	b.built[key] = made
	return made
}

func callKey(opType string, outputs int, inputs []*Value, attrs []Attribute) string {
	var key strings.Builder
	fmt.Fprint(&key, opType, outputs)
	for _, v := range inputs {
		fmt.Fprintf(&key, " %p", v)
	}
	for _, a := range attrs {
		if t := a.tensor; t != nil {
			fmt.Fprintf(&key, "%q%v%v", a.Name(), t.DType(), t.Dims())
			if raw, err := t.Raw(); err == nil {
				key.Write(raw)
			} else {
				fmt.Fprintf(&key, "%p", t)
			}
			continue
		}
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(a.proto)
		if err != nil {
			panic("onnxgraph: " + err.Error())
		}
		key.Write(data)
	}
	return key.String()
}
