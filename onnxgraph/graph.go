package onnxgraph

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
)

// Graph is a list of nodes with inputs, outputs and constants: a model's main graph, the body of an
// operator such as Loop, or the body of a function.
type Graph struct {
	proto        *onnxpb.GraphProto // the name, and everything that the package does not interpret
	model        *Model
	owner        *Node // the node that has the graph as an attribute, nil for a model's graph and functions
	inputs       []typed
	outputs      []typed
	typed        []typed  // the file's list of types of the other values
	initializers []*Value // dense and sparse, each kind in file order
	nodes        []*Node
	values       map[string]*Value
}

// typed is an entry in one of the lists in which a file gives the types of values. The value is nil if the graph has no value of
// that name. The info is nil in functions.
type typed struct {
	value *Value
	info  *onnxpb.ValueInfoProto
}

// Name returns the graph's name.
func (g *Graph) Name() string { return g.proto.GetName() }

// Model returns the model that the graph belongs to.
func (g *Graph) Model() *Model { return g.model }

// Owner returns the node that has the graph as an attribute, nil for a model's main graph and for functions.
func (g *Graph) Owner() *Node { return g.owner }

// Inputs returns the graph's inputs in order.
func (g *Graph) Inputs() []*Value { return values(g.inputs) }

// Outputs returns the graph's outputs in order.
func (g *Graph) Outputs() []*Value { return values(g.outputs) }

func values(list []typed) []*Value { return mapSlice(list, func(t typed) *Value { return t.value }) }

// Initializers returns the graph's constants in file order; the caller must not change the slice.
func (g *Graph) Initializers() []*Value { return g.initializers }

// Nodes returns the graph's nodes in the order in which they were read or added.
func (g *Graph) Nodes() []*Node { return slices.Clone(g.nodes) }

// AllNodes returns the graph's nodes and those of every graph nested in it, outer before inner.
func (g *Graph) AllNodes() []*Node {
	var all []*Node
	for _, n := range g.nodes {
		all = append(all, n)
		for _, body := range n.bodies() {
			all = append(all, body.AllNodes()...)
		}
	}
	return all
}

// Value returns the graph's own value of the given name, nil if there is none.
func (g *Graph) Value(name string) *Value { return g.values[name] }

// AddInput adds a graph input that is a tensor; an empty or nil shape declares a scalar. It fails if the name is taken or empty.
func (g *Graph) AddInput(name string, dtype DType, shape []Dim) (*Value, error) {
	v, err := g.named(name)
	if err != nil {
		return nil, err
	}
	g.inputs = append(g.inputs, v.addInfo(tensorType(dtype, shape)))
	return v, nil
}

// RemoveInput removes a graph input. It panics if something still uses the input.
func (g *Graph) RemoveInput(v *Value) {
	if v.IsUsed() {
		panic(fmt.Sprintf("onnxgraph: removing input %q, which is used", v.name))
	}
	g.forget(v)
}

// AddOutput makes v a graph output of the given type, without a type if dtype is Undefined.
func (g *Graph) AddOutput(v *Value, dtype DType, shape []Dim) {
	var kind *onnxpb.TypeProto
	if dtype != Undefined {
		kind = tensorType(dtype, shape)
	}
	g.outputs = append(g.outputs, v.addInfo(kind))
	v.outputOf++
}

// RemoveOutputs removes all outputs from the graph's list; their values stay.
func (g *Graph) RemoveOutputs() {
	for _, o := range g.outputs {
		o.value.outputOf--
	}
	g.outputs = nil
}

// ForgetShapes removes the declared shapes of intermediate values and outputs. Shapes of inputs and element types of outputs
// stay. Call it after you change the shape of an input.
func (g *Graph) ForgetShapes() {
	for _, t := range g.typed {
		if t.value != nil {
			t.value.infos = slices.DeleteFunc(t.value.infos, func(i *onnxpb.ValueInfoProto) bool { return i == t.info })
		}
	}
	g.typed = nil
	for _, o := range g.outputs {
		if kind := o.info.GetType().GetTensorType(); kind != nil && !o.value.IsInput() {
			o.info.Type = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
				TensorType: &onnxpb.TypeProto_Tensor{ElemType: kind.ElemType}}}
		}
	}
}

// AddConstant adds an initializer under the name hint, or hint with a number appended if that name is taken. In a file before IR
// version 4, the constant always goes to the main graph and is added to its inputs, too, because these versions require that.
func (g *Graph) AddConstant(hint string, t *Tensor) *Value {
	if g.model.IRVersion() < 4 {
		g = g.model.Graph
	}
	v := g.newValue(hint)
	if g.model.IRVersion() < 4 {
		g.inputs = append(g.inputs, v.addInfo(tensorType(t.DType(), Static(t.Dims()...))))
	}
	v.constant = t
	g.initializers = append(g.initializers, v)
	return v
}

// MakeInput turns a constant into a graph input, which keeps its name, type and uses but not its data.
func (g *Graph) MakeInput(v *Value) {
	t := v.Constant()
	if v.producer != nil {
		g.MakeConstant(v, t)
	}
	g.initializers = slices.DeleteFunc(g.initializers, func(o *Value) bool { return o == v })
	v.constant = nil
	if !v.IsInput() {
		g.inputs = append(g.inputs, v.addInfo(nil))
	}
	for _, info := range v.infos {
		info.Type = tensorType(t.DType(), Static(t.Dims()...))
	}
}

// MakeConstant turns any value into an initializer. The node that produced it loses this output, and an input is removed from the
// graph's inputs. If the value was a constant before, its doc string and metadata stay.
func (g *Graph) MakeConstant(v *Value, t *Tensor) {
	t = t.DescribedAs(v.Constant())
	if v.producer != nil {
		v.producer.outputs[slices.Index(v.producer.outputs, v)] = nil
		v.producer = nil
	}
	g.inputs = slices.DeleteFunc(g.inputs, func(o typed) bool { return o.value == v })
	if !slices.Contains(g.initializers, v) {
		g.initializers = append(g.initializers, v)
	}
	v.constant, v.sparse = t, nil
}

// AddNode appends a node of ONNX's own domain that reads inputs (nil for an absent one) and produces
// one value.
func (g *Graph) AddNode(opType string, inputs []*Value, attrs ...Attribute) *Node {
	return g.AddNodeOf("", opType, inputs, 1, attrs...)
}

// AddNodeOf appends a node of any domain with any number of outputs.
func (g *Graph) AddNodeOf(domain, opType string, inputs []*Value, outputs int, attrs ...Attribute) *Node {
	n := &Node{graph: g, attrs: attrs}
	n.proto = newNodeProto(opType, domain, g.model.names.unique(opType))
	for i := range outputs {
		v := g.newValue(fmt.Sprintf("%s_output_%d", n.Name(), i))
		v.producer = n
		n.outputs = append(n.outputs, v)
	}
	for i, v := range inputs {
		if v != nil {
			n.SetInput(i, v)
		}
	}
	g.nodes = append(g.nodes, n)
	return n
}

// Insert moves new nodes, which must be the last ones of the graph, before another node.
func (g *Graph) Insert(before *Node, added ...*Node) {
	g.nodes = g.nodes[:len(g.nodes)-len(added)]
	g.nodes = slices.Insert(g.nodes, slices.Index(g.nodes, before), added...)
}

// Replace moves new nodes, which must be the last ones of the graph, to the place of old, and removes old. Outputs of old that
// the new nodes have not taken must be unused.
func (g *Graph) Replace(old *Node, added ...*Node) {
	g.Insert(old, added...)
	g.Remove(old)
}

// Remove removes a node. It panics if something still uses one of the node's outputs.
func (g *Graph) Remove(n *Node) {
	for _, v := range n.outputs {
		if v != nil && v.IsUsed() {
			panic(fmt.Sprintf("onnxgraph: removing node %s: output %q is used", n, v.name))
		}
	}
	for _, v := range n.outputs {
		if v != nil {
			g.forget(v)
		}
	}
	n.unlink()
	g.model.names.release(n.Name())
	g.nodes = slices.DeleteFunc(g.nodes, func(o *Node) bool { return o == n })
}

// unlink removes all inputs of the node, and of the nodes in its bodies.
func (n *Node) unlink() {
	for i := len(n.inputs) - 1; i >= 0; i-- {
		n.SetInput(i, nil)
	}
	for _, body := range n.bodies() {
		body.RemoveOutputs()
		for _, inner := range body.nodes {
			inner.unlink()
		}
	}
}

// RemoveUnused removes those of the given values that no node reads and that are no output of a graph. With a computed value it
// removes its node, unless another output of the node is used, and then, in the same way, what the node read. Graph inputs stay,
// except for constants that are also inputs. Values that are nil or were removed before are skipped.
func RemoveUnused(values ...*Value) {
	for _, v := range values {
		if v == nil || v.graph == nil || v.IsUsed() {
			continue
		}
		if n := v.producer; n != nil {
			if slices.ContainsFunc(n.outputs, func(o *Value) bool { return o != nil && o.IsUsed() }) {
				continue
			}
			inputs := slices.Clone(n.inputs)
			n.graph.Remove(n)
			RemoveUnused(inputs...)
		} else if !v.IsInput() || v.constant != nil {
			v.graph.forget(v)
		}
	}
}

// Prune removes every node that no output of the graph needs, and then every initializer that nothing uses, unless it is also a
// graph input.
func (g *Graph) Prune() {
	for sorted := sortNodes(g.nodes).order; len(sorted) > 0; sorted = sorted[:len(sorted)-1] {
		n := sorted[len(sorted)-1]
		if !slices.ContainsFunc(n.outputs, func(v *Value) bool { return v != nil && v.IsUsed() }) {
			g.Remove(n)
		}
	}
	for _, v := range slices.Clone(g.initializers) {
		if !v.IsUsed() && !v.IsInput() {
			g.forget(v)
		}
	}
}

// Rename gives v another name. It returns false, and changes nothing, if the name is taken or empty.
func (g *Graph) Rename(v *Value, name string) bool {
	if name == "" || !g.model.names.take(name) {
		return false
	}
	g.model.names.release(v.name)
	delete(g.values, v.name)
	v.name = name
	g.values[name] = v
	return true
}

// forget removes a value that nothing uses.
func (g *Graph) forget(v *Value) {
	g.model.names.release(v.name)
	delete(g.values, v.name)
	v.graph = nil
	if i := slices.Index(g.initializers, v); i >= 0 {
		g.initializers = slices.Delete(g.initializers, i, i+1)
	}
	g.inputs = slices.DeleteFunc(g.inputs, func(t typed) bool { return t.value == v })
	if len(v.infos) > 0 {
		g.typed = slices.DeleteFunc(g.typed, func(t typed) bool { return t.value == v })
	}
}

func (g *Graph) newValue(hint string) *Value {
	v := &Value{name: g.model.names.unique(hint), graph: g}
	g.values[v.name] = v
	return v
}

func (g *Graph) named(name string) (*Value, error) {
	if name == "" || !g.model.names.take(name) {
		return nil, fmt.Errorf("adding value %q to graph %q: the name is taken or empty", name, g.Name())
	}
	v := &Value{name: name, graph: g}
	g.values[name] = v
	return v, nil
}
