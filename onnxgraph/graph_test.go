package onnxgraph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/encoding/prototext"
)

// fromText returns the model of a graph in protobuf's text form, of the newest operators.
func fromText(t *testing.T, graph string) *Model {
	t.Helper()
	p := &onnxpb.ModelProto{}
	if err := prototext.Unmarshal([]byte("ir_version: 8 opset_import {version: 18} graph {"+graph+"}"), p); err != nil {
		t.Fatal(err)
	}
	m, err := Parse(marshal(t, p), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// nodeList lists the names of nodes.
func nodeList(nodes []*Node) string {
	return strings.Join(mapSlice(nodes, func(n *Node) string { return n.Name() }), " ")
}

// valueList lists the names of values, "-" for an absent one.
func valueList(values []*Value) string {
	return strings.Join(mapSlice(values, func(v *Value) string {
		if v == nil {
			return "-"
		}
		return v.Name()
	}), " ")
}

// tangled has shared outputs, constants of every use, and a body that reads from outside. Nodes and their outputs are named so:
// node n1 has outputs n1a, n1b, ….
const tangled = `name: "tangled"
input {name: "x" type {tensor_type {elem_type: 1}}} input {name: "spare" type {tensor_type {elem_type: 1}}} input {name: "default" type {tensor_type {elem_type: 1 shape {}}}}
initializer {name: "used" data_type: 1 dims: 1 float_data: 1} initializer {name: "unused" data_type: 1 dims: 1 float_data: 1}
initializer {name: "default" data_type: 1 float_data: 1} initializer {name: "first" data_type: 1 dims: 1 float_data: 1}
initializer {name: "inbody" data_type: 1 dims: 1 float_data: 1}
sparse_initializer {dims: 9 values {name: "sparse" data_type: 1 dims: 1 float_data: 3} indices {data_type: 7 dims: 1 int64_data: 4}}
node {name: "split" op_type: "Split" input: "x" output: "splita" output: "splitb"}
node {name: "add" op_type: "Add" input: "splita" input: "used" output: "adda"}
node {name: "dead1" op_type: "Add" input: "splitb" input: "first" output: "dead1a"}
node {name: "dead2" op_type: "Relu" input: "dead1a" output: "dead2a"}
node {name: "pair" op_type: "Unique" input: "x" output: "paira" output: "" output: "pairc"}
node {name: "relu" op_type: "Relu" input: "pairc" output: "relua"}
node {name: "if" op_type: "If" input: "adda" output: "ifa" attribute {name: "then_branch" type: GRAPH g {name: "then"
	node {name: "inner" op_type: "Add" input: "relua" input: "inbody" output: "innera"} output {name: "innera"}}}}
output {name: "ifa" type {tensor_type {elem_type: 1}}}`

// TestPrune removes what no output needs, however long the way to it, and nothing else: a node stays if one of its outputs
// is used, also by a body alone, and inputs stay.
func TestPrune(t *testing.T) {
	m := fromText(t, tangled)
	m.Graph.Prune()
	if got, want := nodeList(m.Graph.Nodes()), "split add pair relu if"; got != want {
		t.Errorf("nodes %s are left, want %s", got, want)
	}
	if got, want := valueList(m.Graph.Initializers()), "used default inbody"; got != want {
		t.Errorf("constants %s are left, want %s", got, want)
	}
	if got, want := valueList(m.Graph.Inputs()), "x spare default"; got != want {
		t.Errorf("inputs %s are left, want %s", got, want)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
}

// TestRemoveUnused removes values one at a time from the tangled graph, and looks at what is left.
func TestRemoveUnused(t *testing.T) {
	const all = "split add dead1 dead2 pair relu if"
	for _, c := range []struct {
		value      string
		nodes, has string // the nodes that are left, and a value that is not, if any
	}{
		{"dead2a", "split add pair relu if", "dead1a"}, // with what computes it, but not split, whose other output is used
		{"dead1a", all, ""},
		{"paira", all, ""}, // the node's other output is used
		{"relua", all, ""}, // used by a body
		{"ifa", all, ""},   // an output
		{"spare", all, ""}, // an input
		{"unused", all, "unused"},
		{"default", all, "default"}, // an input, but a constant
		{"used", all, ""},
	} {
		m := fromText(t, tangled)
		v := m.Graph.Value(c.value)
		RemoveUnused(nil, v)
		if got := nodeList(m.Graph.Nodes()); got != c.nodes {
			t.Errorf("%s: nodes %s are left, want %s", c.value, got, c.nodes)
		}
		if c.has != "" && (m.Graph.Value(c.has) != nil || slices.Contains(m.Graph.Initializers(), v) || slices.Contains(m.Graph.Inputs(), v)) {
			t.Errorf("%s: %s is still there", c.value, c.has)
		}
		if c.has == "" && m.Graph.Value(c.value) != v {
			t.Errorf("%s: it is gone", c.value)
		}
		RemoveUnused(v) // again is no harm
		data, err := m.Bytes()
		if err == nil {
			_, err = Parse(data, "")
		}
		if err != nil {
			t.Errorf("%s: what is left: %v", c.value, err)
		}
	}
}

// TestNamesAreTakenAndFree drops values and nodes in every way: their names, taken before, are free then, and no others.
func TestNamesAreTakenAndFree(t *testing.T) {
	const every = "x spare default used unused first inbody sparse splita splitb adda dead1a dead2a paira pairc relua ifa innera " +
		"split add dead1 dead2 pair relu if inner"
	node := func(m *Model, name string) *Node {
		return m.Graph.nodes[slices.IndexFunc(m.Graph.nodes, func(n *Node) bool { return n.Name() == name })]
	}
	for _, c := range []struct {
		what string
		edit func(m *Model)
		free string
	}{
		{"nothing", func(*Model) {}, ""},
		{"value renamed", func(m *Model) { m.Graph.Rename(m.Graph.Value("relua"), "new") }, "relua"},
		{"node renamed", func(m *Model) { node(m, "relu").Rename("new") }, "relu"},
		{"node removed", func(m *Model) { m.Graph.Remove(node(m, "dead2")) }, "dead2 dead2a"},
		{"input removed", func(m *Model) { m.Graph.RemoveInput(m.Graph.Value("spare")) }, "spare"},
		{"constant removed", func(m *Model) { RemoveUnused(m.Graph.Value("unused")) }, "unused"},
		{"output removed", func(m *Model) { node(m, "pair").RemoveOutput(0) }, "paira"},
		{"output taken", func(m *Model) { node(m, "dead2").TakeOutput(0, node(m, "relu")) }, "dead2a"},
		{"pruned", func(m *Model) { m.Graph.Prune() }, "dead1 dead1a dead2 dead2a first unused sparse"},
		{"constant made of an output", func(m *Model) { m.Graph.MakeConstant(m.Graph.Value("dead2a"), NewScalar(float32(1))) }, ""},
		{"a clone", func(m *Model) { *m = *m.Clone() }, ""},
	} {
		for _, name := range strings.Fields(every) {
			m := fromText(t, tangled)
			c.edit(m)
			free := slices.Contains(strings.Fields(c.free), name)
			if _, err := m.Graph.AddInput(name, Float32, nil); (err == nil) != free {
				t.Errorf("%s: adding an input %s: %v", c.what, name, err)
			} else if err != nil && !strings.Contains(err.Error(), "the name is taken or empty") {
				t.Errorf("%s: adding an input %s: %v", c.what, name, err)
			}
			if _, err := m.Graph.AddInput(name, Float32, nil); err == nil {
				t.Errorf("%s: an input %s was added twice", c.what, name)
			}
			v := m.Graph.AddConstant(name, NewScalar(float32(1)))
			if v.Name() != name+"_1" || m.Graph.AddConstant(name, NewScalar(float32(1))).Name() != name+"_2" {
				t.Errorf("%s: a constant beside %s is called %s", c.what, name, v.Name())
			}
		}
	}
	m := fromText(t, tangled)
	if !m.Graph.Rename(m.Graph.Value("adda"), "free") {
		t.Error("renaming a value to a free name says that the name is taken")
	}
	if m.Graph.Rename(m.Graph.Value("relua"), "inner") || m.Graph.Value("relua") == nil {
		t.Error("a value got the name of a node in a body")
	}
	if m.Graph.Rename(m.Graph.Value("relua"), "new"); m.Graph.Value("new").Name() != "new" || m.Graph.Value("relua") != nil {
		t.Error("a renamed value is not found by its name, or by its old one")
	}
}

// TestRemoveKeepsBookOfUses removes a node with a body: what the body read is used no longer, nor are its outputs.
func TestRemoveKeepsBookOfUses(t *testing.T) {
	m := fromText(t, tangled)
	m.Graph.RemoveOutputs()
	ifNode := m.Graph.Value("ifa").Producer()
	if relu := m.Graph.Value("relua"); len(relu.Uses()) != 1 || relu.Uses()[0].Node.Graph().Owner() != ifNode {
		t.Fatalf("relua has uses %v", relu.Uses())
	}
	m.Graph.Remove(ifNode)
	for _, name := range []string{"relua", "adda", "inbody"} {
		if m.Graph.Value(name).IsUsed() {
			t.Errorf("%s is still used", name)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a node whose output is used was removed")
		}
	}()
	m.Graph.Remove(m.Graph.Value("splita").Producer())
}

// TestFindAbsent asks for inputs, outputs, attributes and metadata that are not there.
func TestFindAbsent(t *testing.T) {
	m := fromText(t, tangled)
	pair, split := m.Graph.Value("paira").Producer(), m.Graph.Value("splita").Producer()
	if pair.Input(0) != m.Graph.Value("x") || pair.Input(1) != nil || pair.Output(1) != nil || pair.Output(2) != m.Graph.Value("pairc") || pair.Output(3) != nil {
		t.Errorf("inputs %s, outputs %s", valueList(pair.Inputs()), valueList(pair.Outputs()))
	}
	split.SetAttr(Int("axis", 2), Float("f", 3), Str("s", "text"), Ints("list", 1, 2), Floats("floats", 3))
	if split.Int("axis", 7) != 2 || split.Int("none", 7) != 7 || split.Float("f", 7) != 3 || split.Float("none", 7) != 7 || split.Str("s", "other") != "text" ||
		split.Str("none", "other") != "other" || !slices.Equal(split.Ints("list"), []int64{1, 2}) || split.Ints("none") != nil ||
		!slices.Equal(split.Floats("floats"), []float32{3}) || split.Floats("none") != nil || split.Tensor("none") != nil || split.Has("none") || !split.Has("s") {
		t.Error("an attribute is not what was set, or what is absent is not what was asked for")
	}
	split.SetAttr(Int("axis", 5), Int("new", 1))
	split.RemoveAttr("f", "none", "s")
	if got := strings.Join(mapSlice(split.Attributes(), Attribute.Name), " "); got != "axis list floats new" || split.Int("axis", 0) != 5 {
		t.Errorf("after a second setting and a removal: %s, axis %d", got, split.Int("axis", 0))
	}
	if m.Metadata("none") != "" || split.Metadata("none") != "" || m.Opset("other") != 0 {
		t.Error("metadata or operators that are not there were found")
	}
	m.SetMetadata("a", "1")
	m.SetMetadata("b", "2")
	m.SetMetadata("a", "3")
	if m.Metadata("a") != "3" || fmt.Sprint(m.MetadataKeys()) != "[a b]" {
		t.Errorf("metadata a is %q, keys %v", m.Metadata("a"), m.MetadataKeys())
	}
	if m.RemoveMetadata("a"); m.Metadata("a") != "" || m.Metadata("b") != "2" {
		t.Errorf("after a removal: keys %v", m.MetadataKeys())
	}
	m.SetOpset("other", 3)
	m.SetOpset("", 20)
	if m.SetOpset("other", 4); m.Opset("") != 20 || m.Opset("other") != 4 || len(m.proto.OpsetImport) != 2 {
		t.Errorf("operators %v", m.proto.OpsetImport)
	}
}

// TestNeedOutput asks for an output beyond those that a node has, and for one that it has.
func TestNeedOutput(t *testing.T) {
	m := fromText(t, tangled)
	relu := m.Graph.Value("relua").Producer()
	third := relu.NeedOutput(2)
	if relu.NeedOutput(0) != m.Graph.Value("relua") || relu.NeedOutput(2) != third || relu.Output(1) != nil || len(relu.Outputs()) != 3 ||
		third.Producer() != relu || third.Name() != "relu_output_2" || m.Graph.Value(third.Name()) != third {
		t.Errorf("outputs %s", valueList(relu.Outputs()))
	}
}

// TestSetOpType makes a node call another operator, and the same in the file.
func TestSetOpType(t *testing.T) {
	m := fromText(t, tangled)
	m.Graph.Value("relua").Producer().SetOpType("Neg")
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Model{m, loaded} {
		if n := m.Graph.Value("relua").Producer(); !n.Is("Neg") || n.Name() != "relu" || valueList(n.Inputs()) != "pairc" {
			t.Errorf("it is %s of inputs %s", n, valueList(n.Inputs()))
		}
	}
}

// TestSetInput sets, adds and takes away inputs: absent ones at the end are none, and uses follow.
func TestSetInput(t *testing.T) {
	m := fromText(t, tangled)
	relu, x := m.Graph.Value("relua").Producer(), m.Graph.Value("x")
	before := len(x.Uses())
	relu.SetInput(3, x)
	if got := valueList(relu.Inputs()); got != "pairc - - x" || len(x.Uses()) != before+1 || x.Uses()[before] != (Use{relu, 3}) {
		t.Errorf("inputs %s, uses %v", got, x.Uses())
	}
	ReplaceUses(m.Graph.Value("pairc"), x)
	if relu.SetInput(3, nil); valueList(relu.Inputs()) != "x" || len(x.Uses()) != before+1 || m.Graph.Value("pairc").IsUsed() {
		t.Errorf("inputs %s, uses %v", valueList(relu.Inputs()), x.Uses())
	}
	if relu.SetInput(0, nil); len(relu.Inputs()) != 0 || len(x.Uses()) != before {
		t.Errorf("inputs %s, uses %v", valueList(relu.Inputs()), x.Uses())
	}
}

// TestWalksReachBodies lists graphs and nodes: bodies in their nodes' places, and functions.
func TestWalksReachBodies(t *testing.T) {
	m := fromText(t, tangled)
	if got, want := nodeList(m.Graph.AllNodes()), "split add dead1 dead2 pair relu if inner"; got != want {
		t.Errorf("all nodes are %s, want %s", got, want)
	}
	m.Functions = append(m.Functions, (&linker{model: m}).function(&onnxpb.FunctionProto{}))
	var graphs []string
	for _, g := range m.Graphs() {
		graphs = append(graphs, g.Name())
		if g.Model() != m {
			t.Errorf("graph %q is in another model", g.Name())
		}
	}
	if got := strings.Join(graphs, ","); got != "tangled,then," {
		t.Errorf("the graphs are %s", got)
	}
	ifNode := m.Graph.Value("ifa").Producer()
	if !ifNode.HasBody() || m.Graph.Value("adda").Producer().HasBody() || valueList(ifNode.Reads()) != "adda innera relua inbody" {
		t.Errorf("the If reads %s", valueList(ifNode.Reads()))
	}
	if m.Graph.Owner() != nil || m.Graph.Value("relua").Uses()[0].Node.Graph().Owner() != ifNode {
		t.Error("a graph has another owner")
	}
}
