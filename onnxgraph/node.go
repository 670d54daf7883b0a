package onnxgraph

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Node is one operator call. Only its methods change its inputs, so that they always match the uses that values keep.
type Node struct {
	proto   *onnxpb.NodeProto // the name, the operator, and everything that the package does not interpret
	graph   *Graph
	inputs  []*Value // nil where an optional input is absent
	outputs []*Value // nil where an optional output is absent
	attrs   []Attribute
}

// Name returns the node's name; files may leave it empty.
func (n *Node) Name() string { return n.proto.GetName() }

// Label returns the node's name or, if it has none, that of its first output. Messages use it.
func (n *Node) Label() string {
	if n.Name() == "" && n.Output(0) != nil {
		return n.Output(0).Name()
	}
	return n.Name()
}

// OpType returns the operator's name, such as "Conv".
func (n *Node) OpType() string { return n.proto.GetOpType() }

// Rename gives the node another name. It returns false, and changes nothing, if a value or another node has that name.
func (n *Node) Rename(name string) bool {
	if !n.graph.model.names.take(name) {
		return false
	}
	n.graph.model.names.release(n.Name())
	n.proto.Name = proto.String(name)
	return true
}

// SetOpType makes the node call another operator of the same domain; its name, inputs, outputs and
// attributes stay.
func (n *Node) SetOpType(opType string) { n.proto.OpType = proto.String(opType) }

// Domain returns the operator's domain, "" for ONNX's own (which files also call "ai.onnx").
func (n *Node) Domain() string { return normalDomain(n.proto.GetDomain()) }

// Is reports whether the node calls the given operator of ONNX's own domain.
func (n *Node) Is(opType string) bool { return n.OpType() == opType && n.Domain() == "" }

// Graph returns the graph that the node is in.
func (n *Node) Graph() *Graph { return n.graph }

// Inputs returns the values that the node reads, nil where an optional one is absent; the caller must
// not change the slice.
func (n *Node) Inputs() []*Value { return n.inputs }

// Input returns input number i, nil if it is absent.
func (n *Node) Input(i int) *Value {
	if i >= len(n.inputs) {
		return nil
	}
	return n.inputs[i]
}

// Outputs returns the values that the node produces, nil where an optional one is absent; the caller
// must not change the slice.
func (n *Node) Outputs() []*Value { return n.outputs }

// Output returns output number i, nil if it is absent.
func (n *Node) Output(i int) *Value {
	if i >= len(n.outputs) {
		return nil
	}
	return n.outputs[i]
}

// NeedOutput returns output number i, adding it if the node does not produce it yet.
func (n *Node) NeedOutput(i int) *Value {
	for len(n.outputs) <= i {
		n.outputs = append(n.outputs, nil)
	}
	if n.outputs[i] == nil {
		n.outputs[i] = n.graph.newValue(fmt.Sprintf("%s_output_%d", n.Name(), i))
		n.outputs[i].producer = n
	}
	return n.outputs[i]
}

// SetInput makes v input number i, and adds absent inputs before it if necessary. If v is nil, the input becomes absent.
func (n *Node) SetInput(i int, v *Value) {
	for len(n.inputs) <= i {
		n.inputs = append(n.inputs, nil)
	}
	if old := n.inputs[i]; old != nil {
		old.removeUse(Use{n, i})
	}
	n.inputs[i] = v
	if v != nil {
		v.uses = append(v.uses, Use{n, i})
	}
	for len(n.inputs) > 0 && n.inputs[len(n.inputs)-1] == nil {
		n.inputs = n.inputs[:len(n.inputs)-1]
	}
}

// TakeOutput makes n the producer of output number i of from. n's own output of that number must be unused and is removed. The
// value keeps its name, its type and everything that reads it. Use it to replace an old node by a new one.
func (n *Node) TakeOutput(i int, from *Node) {
	if own := n.outputs[i]; own != nil {
		if own.IsUsed() {
			panic(fmt.Sprintf("onnxgraph: node %s: output %q would be lost, and is used", n, own.name))
		}
		n.graph.forget(own)
	}
	v := from.outputs[i]
	from.outputs[i] = nil
	n.outputs[i] = v
	v.producer = n
}

// SwapOutput exchanges output number i of n with output number j of other: each node then produces the value that the other one
// produced. Use it to insert a new node between a value and its producer.
func (n *Node) SwapOutput(i int, other *Node, j int) {
	v, w := n.outputs[i], other.outputs[j]
	n.outputs[i], other.outputs[j] = w, v
	v.producer, w.producer = other, n
}

// RemoveOutput makes output number i absent. It panics if something still uses it.
func (n *Node) RemoveOutput(i int) {
	v := n.Output(i)
	if v == nil {
		return
	}
	if v.IsUsed() {
		panic(fmt.Sprintf("onnxgraph: node %s: removing output %q, which is used", n, v.name))
	}
	n.graph.forget(v)
	n.outputs[i] = nil
	for len(n.outputs) > 0 && n.outputs[len(n.outputs)-1] == nil {
		n.outputs = n.outputs[:len(n.outputs)-1]
	}
}

// Metadata returns the value that the node's metadata holds under key, "" if there is none.
func (n *Node) Metadata(key string) string { return lookup(n.proto.MetadataProps, key) }

// String describes the node for messages: its operator, and its name or, if it has none, its first output.
func (n *Node) String() string {
	name := n.Name()
	if name == "" {
		for _, v := range n.outputs {
			if v != nil {
				return fmt.Sprintf("%s -> %q", n.OpType(), v.name)
			}
		}
	}
	return fmt.Sprintf("%s %q", n.OpType(), name)
}

func (v *Value) removeUse(u Use) {
	if i := slices.Index(v.uses, u); i >= 0 {
		v.uses = slices.Delete(v.uses, i, i+1)
	}
}

// ReplaceUses makes every node that reads old read v instead. Graph outputs stay as they are.
func ReplaceUses(old, v *Value) {
	for _, u := range old.Uses() {
		u.Node.SetInput(u.Index, v)
	}
}

// bodies returns the graphs in the node's attributes.
func (n *Node) bodies() []*Graph {
	var all []*Graph
	for _, a := range n.attrs {
		all = append(all, a.graphs...)
	}
	return all
}

// HasBody reports whether an attribute of the node contains a graph, as in If, Loop and Scan.
func (n *Node) HasBody() bool {
	return slices.ContainsFunc(n.attrs, func(a Attribute) bool { return len(a.graphs) > 0 })
}

func newNodeProto(opType, domain, name string) *onnxpb.NodeProto {
	p := &onnxpb.NodeProto{OpType: proto.String(opType), Name: proto.String(name)}
	if domain != "" {
		p.Domain = proto.String(domain)
	}
	return p
}

func normalDomain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}
