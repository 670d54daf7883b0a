package onnxgraph

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze/onnxgraph/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Load reads an ONNX file. External data stays in its files, which are checked to exist and to lie in
// the model's folder. An error lists every fault found.
func Load(path string) (*Model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("loading a model: %w", err)
	}
	m, err := parse(data, path)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", path, err)
	}
	return m, nil
}

// Parse reads a model from the bytes of an ONNX file. External data is looked for in folder.
func Parse(data []byte, folder string) (*Model, error) {
	m, err := parse(data, filepath.Join(folder, "model"))
	if err != nil {
		return nil, fmt.Errorf("parsing a model: %w", err)
	}
	m.path = ""
	return m, nil
}

// ParseTensor reads a tensor from the bytes of a file that holds one by itself, such as the inputs and
// outputs that ONNX's test models come with.
func ParseTensor(data []byte) (*Tensor, error) {
	p := &onnxpb.TensorProto{}
	if err := proto.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("parsing a tensor: not an ONNX tensor, or one that is cut short: %w", err)
	}
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		return nil, errors.New("parsing a tensor: its data is in another file, which only a model can have")
	}
	t := &Tensor{proto: p}
	if err := t.validate(); err != nil {
		return nil, fmt.Errorf("parsing a tensor: %w", err)
	}
	return t, nil
}

func parse(data []byte, path string) (*Model, error) {
	p := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("not an ONNX file, or one that is cut short: %w", err)
	}
	if p.Graph == nil {
		return nil, errors.New("not an ONNX model: the file has no graph")
	}
	folder := filepath.Dir(path)
	l := link(p, func(p *onnxpb.TensorProto) *Tensor { return tensorOfFile(p, folder) })
	m := l.model
	m.path = path
	if err := errors.Join(append(l.faults, m.Validate())...); err != nil {
		return nil, err
	}
	return m, nil
}

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

// scope is a graph that names are looked up in, and the scopes around it.
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
	p.Node = nil
	return &Function{Body: g, proto: p}
}

func (l *linker) initializer(g *Graph, name string) *Value {
	v := g.values[name]
	if v == nil || v.constant != nil || v.sparse != nil {
		v = l.declare(g, name, "initializer") // else the default of an input
	}
	g.initializers = append(g.initializers, v)
	return v
}

// declare adds a value to a graph, and notes a fault if there is one of that name already.
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

// nodes links a node list: first all outputs, since a list need not be sorted, then what reads them.
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

// tensorOfFile wraps a tensor of a file whose external data is in folder.
func tensorOfFile(p *onnxpb.TensorProto, folder string) *Tensor {
	t := &Tensor{proto: p}
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		t.external = &externalData{folder: folder, entries: p.ExternalData}
	}
	return t
}
