package onnxgraph

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
)

// Builder adds nodes and constants to a graph, each with one call. A second call with the same operator, inputs and attributes
// adds no second node: it returns the outputs of the first node, if nobody has changed or removed that node since. The same holds
// for constants. So independent parts of a program share nodes that both need.
type Builder struct {
	Graph     *Graph // the graph that the builder adds to
	nodes     map[string]*Node
	constants map[string]builtConstant
}

// builtConstant is a constant and its data at the time it was made.
type builtConstant struct {
	value *Value
	data  *Tensor
}

// NewBuilder returns a builder that adds to g.
func NewBuilder(g *Graph) *Builder {
	return &Builder{g, map[string]*Node{}, map[string]builtConstant{}}
}

// Op returns the value that an operator with one output computes from inputs; a nil input is an absent one.
func (b *Builder) Op(opType string, inputs []*Value, attrs ...Attribute) *Value {
	return b.call("", opType, 1, inputs, attrs)[0]
}

// OpOf is like Op, for an operator of another domain.
func (b *Builder) OpOf(domain, opType string, inputs []*Value, attrs ...Attribute) *Value {
	return b.call(domain, opType, 1, inputs, attrs)[0]
}

// Ops returns the values that an operator with several outputs computes from inputs.
func (b *Builder) Ops(opType string, outputs int, inputs []*Value, attrs ...Attribute) []*Value {
	return b.call("", opType, outputs, inputs, attrs)
}

// call returns the outputs of a node that makes the given call, and adds one if there is none. It computes the key of a known
// node again, because the node may have been edited since. Keys contain addresses; the node holds all that they point to, so no
// address can mean something else.
func (b *Builder) call(domain, opType string, outputs int, inputs []*Value, attrs []Attribute) []*Value {
	key := callKey(domain, opType, outputs, inputs, attrs)
	n := b.nodes[key]
	if n == nil || !n.hasAllOutputs(outputs) || key != callKey(n.Domain(), n.OpType(), outputs, n.inputs, n.attrs) {
		n = b.Graph.AddNodeOf(domain, opType, inputs, outputs, attrs...)
		b.nodes[key] = n
	}
	return n.outputs
}

// hasAllOutputs reports whether the node is still in its graph and produces count values, none of them absent.
func (n *Node) hasAllOutputs(count int) bool {
	if len(n.outputs) != count {
		return false
	}
	for _, v := range n.outputs {
		if v == nil || v.graph == nil {
			return false
		}
	}
	return true
}

// callKey describes a call as a string, with values and graphs as their addresses.
func callKey(domain, opType string, outputs int, inputs []*Value, attrs []Attribute) string {
	for len(inputs) > 0 && inputs[len(inputs)-1] == nil {
		inputs = inputs[:len(inputs)-1]
	}
	var key strings.Builder
	fmt.Fprintf(&key, "%q %q %d", domain, opType, outputs)
	for _, v := range inputs {
		fmt.Fprintf(&key, " %p", v)
	}
	for _, a := range attrs {
		fmt.Fprintf(&key, " %q", a.Name())
		switch t := a.tensor; {
		case len(a.graphs) > 0:
			for _, g := range a.graphs {
				fmt.Fprintf(&key, " %p", g)
			}
		case t != nil:
			fmt.Fprintf(&key, "%v%v", t.DType(), t.Dims())
			if raw, err := t.Raw(); err == nil {
				key.Write(raw)
			} else {
				fmt.Fprintf(&key, "%p", t)
			}
		default:
			data, err := proto.MarshalOptions{Deterministic: true}.Marshal(a.proto)
			if err != nil {
				panic("onnxgraph: " + err.Error())
			}
			key.Write(data)
		}
	}
	return key.String()
}

// Ints returns a constant vector of integers, as operators take for axes, shapes and pads.
func (b *Builder) Ints(v ...int64) *Value {
	return b.constant("ints", fmt.Sprint(v), func() *Tensor { return vector(v) })
}

// Fill returns a constant of the given dims whose elements all are v; dtype must be a floating-point type.
func (b *Builder) Fill(dtype DType, v float64, dims ...int64) *Value {
	return b.constant("fill", fmt.Sprint(dtype, dims, v), func() *Tensor {
		data := make([]float64, ElementCount(dims))
		for i := range data {
			data[i] = v
		}
		t, err := FromFloat64s(dtype, dims, data)
		if err != nil {
			panic("onnxgraph: " + err.Error()) // the caller's mistake
		}
		return t
	})
}

// constant returns the constant that was made for the same kind and arguments. If it has been removed or changed since, constant
// makes a new one.
func (b *Builder) constant(kind, arguments string, data func() *Tensor) *Value {
	key := kind + " " + arguments
	if c, ok := b.constants[key]; ok && c.value.graph != nil && c.value.constant == c.data {
		return c.value
	}
	c := builtConstant{data: data()}
	c.value = b.Graph.AddConstant(kind, c.data)
	b.constants[key] = c
	return c.value
}
