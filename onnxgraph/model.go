package onnxgraph

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Model is an ONNX model: a main graph, functions, the operator sets that they use, and metadata.
type Model struct {
	Graph     *Graph      // the main graph
	Functions []*Function // operators that the model defines itself, in file order

	proto *onnxpb.ModelProto // everything that the package does not interpret
	path  string             // the file or stream it was read from, "" if none

	names    *names
	metadata map[string]*onnxpb.StringStringEntryProto // the first entry of each key, nil until needed
}

// Function is an operator that the model defines itself.
type Function struct {
	Body  *Graph // has untyped inputs and outputs
	proto *onnxpb.FunctionProto
}

// Name returns the name of the operator that the function defines.
func (f *Function) Name() string { return f.proto.GetName() }

// Domain returns the domain of the operator that the function defines.
func (f *Function) Domain() string { return normalDomain(f.proto.GetDomain()) }

// New returns a model with an empty graph, of the given IR version and version of ONNX's own operators.
func New(name string, irVersion, opset int64) *Model {
	m := &Model{
		proto: &onnxpb.ModelProto{
			IrVersion:    proto.Int64(irVersion),
			ProducerName: proto.String("rcfreeze"),
			OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(opset)}},
		},
		names: newNames(),
	}
	m.Graph = m.newGraph(&onnxpb.GraphProto{Name: proto.String(name)}, nil)
	return m
}

func (m *Model) newGraph(p *onnxpb.GraphProto, owner *Node) *Graph {
	return &Graph{proto: p, model: m, owner: owner, values: map[string]*Value{}}
}

// Path returns the file that the model was read from, or the name of the stream; "" if it was read from neither.
func (m *Model) Path() string { return m.path }

// IRVersion returns the version of the file format.
func (m *Model) IRVersion() int64 { return m.proto.GetIrVersion() }

// SetIRVersion sets the version of the file format.
func (m *Model) SetIRVersion(v int64) { m.proto.IrVersion = proto.Int64(v) }

// Opset returns the version of the operators of a domain ("" is ONNX's own), 0 if the model uses none. If a file gives several
// versions for a domain, the last one counts, as in ONNX Runtime.
func (m *Model) Opset(domain string) int64 { return opsetOf(m.proto.OpsetImport, domain) }

func opsetOf(imports []*onnxpb.OperatorSetIdProto, domain string) int64 {
	for _, o := range slices.Backward(imports) {
		if normalDomain(o.GetDomain()) == domain {
			return o.GetVersion()
		}
	}
	return 0
}

// SetOpset sets the version of the operators of a domain.
func (m *Model) SetOpset(domain string, version int64) {
	found := false
	for _, o := range m.proto.OpsetImport {
		if normalDomain(o.GetDomain()) == domain {
			o.Version = proto.Int64(version)
			found = true
		}
	}
	if found {
		return
	}
	m.proto.OpsetImport = append(m.proto.OpsetImport,
		&onnxpb.OperatorSetIdProto{Domain: proto.String(domain), Version: proto.Int64(version)})
}

// entries returns the entries of the model's metadata by their keys.
func (m *Model) entries() map[string]*onnxpb.StringStringEntryProto {
	if m.metadata == nil {
		m.metadata = make(map[string]*onnxpb.StringStringEntryProto, len(m.proto.MetadataProps))
		for _, e := range slices.Backward(m.proto.MetadataProps) {
			m.metadata[e.GetKey()] = e
		}
	}
	return m.metadata
}

// Metadata returns the value of key in the model's metadata, "" if there is none.
func (m *Model) Metadata(key string) string { return m.entries()[key].GetValue() }

// MetadataKeys returns the keys of the model's metadata in file order.
func (m *Model) MetadataKeys() []string {
	var keys []string
	for _, e := range m.proto.MetadataProps {
		keys = append(keys, e.GetKey())
	}
	return keys
}

// SetMetadata sets an entry of the model's metadata.
func (m *Model) SetMetadata(key, value string) {
	if e := m.entries()[key]; e != nil {
		e.Value = proto.String(value)
		return
	}
	e := &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(value)}
	m.proto.MetadataProps = append(m.proto.MetadataProps, e)
	m.metadata[key] = e
}

// RemoveMetadata removes the entries of keys from the model's metadata, if it has them.
func (m *Model) RemoveMetadata(keys ...string) {
	gone := make(map[string]bool, len(keys))
	for _, key := range keys {
		gone[key] = true
	}
	m.proto.MetadataProps = slices.DeleteFunc(m.proto.MetadataProps,
		func(e *onnxpb.StringStringEntryProto) bool { return gone[e.GetKey()] })
	m.metadata = nil
}

// Graphs returns every graph of the model: the main graph, the bodies of operators, and the functions.
func (m *Model) Graphs() []*Graph {
	all := nested(m.Graph)
	for _, f := range m.Functions {
		all = append(all, nested(f.Body)...)
	}
	return all
}

func nested(g *Graph) []*Graph {
	all := []*Graph{g}
	for _, n := range g.nodes {
		for _, body := range n.bodies() {
			all = append(all, nested(body)...)
		}
	}
	return all
}

func lookup(entries []*onnxpb.StringStringEntryProto, key string) string {
	for _, e := range entries {
		if e.GetKey() == key {
			return e.GetValue()
		}
	}
	return ""
}
