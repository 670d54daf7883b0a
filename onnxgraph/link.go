package onnxgraph

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
)

// linker turns the names of a protobuf model into pointers.
type linker struct {
	model  *Model
	tensor func(*onnxpb.TensorProto) *Tensor
	faults []error
}

func link(p *onnxpb.ModelProto, tensor func(*onnxpb.TensorProto) *Tensor) *linker {
	l := &linker{model: &Model{proto: p, names: newNames()}, tensor: tensor}
	l.model.Graph = l.graph(p.Graph, nil, nil)
	for _, f := range p.Functions {
		l.model.Functions = append(l.model.Functions, l.function(f))
	}
	return l
}

func (l *linker) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf(format, args...))
}

// scope is a graph in which names are looked up, and the scopes around it.
type scope struct {
	graph *Graph
	outer *scope
}

func (s *scope) find(name string) *Value {
	for ; s != nil; s = s.outer {
		if v := s.graph.values[name]; v != nil {
			return v
		}
	}
	return nil
}

func (l *linker) graph(p *onnxpb.GraphProto, owner *Node, outer *scope) *Graph {
	g := l.model.newGraph(p, owner)
	s := &scope{g, outer}
	for _, info := range p.Input {
		v := l.declare(g, info.GetName(), "graph input")
		v.infos = append(v.infos, info)
		g.inputs = append(g.inputs, typed{v, info})
	}
	for _, t := range p.Initializer {
		l.initializer(g, t.GetName()).constant = l.tensor(t)
	}
	for _, t := range p.SparseInitializer {
		l.initializer(g, t.GetValues().GetName()).sparse = t
	}
	l.nodes(g, p.Node, s)
	for _, info := range p.Output {
		v := s.find(info.GetName())
		if v == nil {
			l.fault("graph %q: output %q is produced by nothing", g.Name(), info.GetName())
			continue
		}
		v.outputOf++
		v.infos = append(v.infos, info)
		g.outputs = append(g.outputs, typed{v, info})
	}
	for _, info := range p.ValueInfo {
		v := g.values[info.GetName()]
		if v != nil {
			v.infos = append(v.infos, info)
		}
		g.typed = append(g.typed, typed{v, info})
	}
	p.Input, p.Output, p.ValueInfo, p.Node, p.Initializer, p.SparseInitializer = nil, nil, nil, nil, nil, nil
	return g
}

func (l *linker) function(p *onnxpb.FunctionProto) *Function {
	g := l.model.newGraph(&onnxpb.GraphProto{Name: p.Name}, nil)
	for _, name := range p.Input {
		g.inputs = append(g.inputs, typed{value: l.declare(g, name, "function input")})
	}
	l.nodes(g, p.Node, &scope{g, nil})
	for _, name := range p.Output {
		v := g.values[name]
		if v == nil {
			l.fault("function %q: output %q is produced by nothing", p.GetName(), name)
			continue
		}
		v.outputOf++
		g.outputs = append(g.outputs, typed{value: v})
	}
	return &Function{Body: g, proto: p}
}

func (l *linker) initializer(g *Graph, name string) *Value {
	v := g.values[name]
	if v == nil || v.constant != nil || v.sparse != nil {
		v = l.declare(g, name, "initializer") // otherwise it is the default of an input
	}
	g.initializers = append(g.initializers, v)
	return v
}

// declare adds a value to a graph, and records a fault if the graph already has one of that name.
func (l *linker) declare(g *Graph, name, kind string) *Value {
	v := &Value{name: name, graph: g}
	if name == "" {
		l.fault("graph %q: %s without a name", g.Name(), kind)
		return v
	}
	if g.values[name] != nil {
		l.fault("graph %q: %s %q: the name is defined twice", g.Name(), kind, name)
		return v
	}
	g.values[name] = v
	l.model.names.add(name)
	return v
}

// nodes links a list of nodes: first all outputs, because the list may be unsorted, then all inputs.
func (l *linker) nodes(g *Graph, list []*onnxpb.NodeProto, s *scope) {
	for _, p := range list {
		n := &Node{proto: p, graph: g}
		for _, name := range p.Output {
			var v *Value
			if name != "" {
				v = l.declare(g, name, fmt.Sprintf("output of node %s", n))
				v.producer = n
			}
			n.outputs = append(n.outputs, v)
		}
		if p.GetName() != "" {
			l.model.names.add(p.GetName())
		}
		g.nodes = append(g.nodes, n)
	}
	for _, n := range g.nodes {
		for i, name := range n.proto.Input {
			var v *Value
			if name != "" {
				if v = s.find(name); v == nil {
					l.fault("node %s: input %d reads %q, which nothing produces", n, i, name)
				} else {
					v.uses = append(v.uses, Use{n, i})
				}
			}
			n.inputs = append(n.inputs, v)
		}
		for _, a := range n.proto.Attribute {
			n.attrs = append(n.attrs, l.attribute(a, n, s))
		}
		n.proto.Input, n.proto.Output, n.proto.Attribute = nil, nil, nil
	}
}

func (l *linker) attribute(p *onnxpb.AttributeProto, n *Node, s *scope) Attribute {
	a := Attribute{proto: p}
	if p.T != nil {
		a.tensor = l.tensor(p.T)
	}
	if p.G != nil {
		a.graphs = append(a.graphs, l.graph(p.G, n, s))
	}
	for _, g := range p.Graphs {
		a.graphs = append(a.graphs, l.graph(g, n, s))
	}
	return a
}
