package onnxgraph

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// TestCyclesAreNamed builds graphs of nodes "node reads these nodes": the cycles that are found must be those that there
// are, without the nodes before them, behind them and between two of them.
func TestCyclesAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		reads string
		want  []string // the nodes of each cycle
		order string   // of the nodes that have a place in it
	}{
		"none":             {"a:x b:a c:a,b", nil, "abc"},
		"itself":           {"a:x b:a,b c:b", []string{"b"}, "a"},
		"two":              {"a:x,b b:a", []string{"ab"}, ""},
		"before, behind":   {"a:x b:a,d c:b d:c e:d f:e,a g:a", []string{"bcd"}, "ag"},
		"unsorted":         {"f:e e:d d:c c:b b:a,d a:x", []string{"dcb"}, "a"},
		"between":          {"a:b b:a c:b d:c e:d,f f:e g:f", []string{"ab", "ef"}, ""},
		"with common ones": {"a:b,c b:a c:a d:a", []string{"abc"}, ""},
		"a chord":          {"a:d b:a c:b d:c,b e:c", []string{"abcd"}, ""},
		"apart":            {"a:a b:x c:c d:b", []string{"a", "c"}, "bd"},
	} {
		p := &onnxpb.GraphProto{Input: []*onnxpb.ValueInfoProto{{Name: proto.String("x")}}}
		for _, n := range strings.Fields(c.reads) {
			output, inputs, _ := strings.Cut(n, ":")
			p.Node = append(p.Node, &onnxpb.NodeProto{OpType: proto.String("F"), Name: proto.String(output),
				Input: strings.Split(inputs, ","), Output: []string{output}})
		}
		join := func(nodes []*Node) string { return strings.Join(mapSlice(nodes, (*Node).Name), "") }
		s := sortNodes(link(&onnxpb.ModelProto{Graph: p}, nil).model.Graph.nodes)
		if got := mapSlice(s.cycles, join); !slices.Equal(got, c.want) || join(s.order) != c.order {
			t.Errorf("%s: got cycles %v and order %q, want %v and %q", name, got, join(s.order), c.want, c.order)
		}
	}
}

// TestDependents follows values through inputs and through bodies of every kind and depth, but not through nodes that let nothing
// pass, nor back; absent inputs and outputs are no values that anything depends on.
func TestDependents(t *testing.T) {
	const bodies = `name: "bodies"
input {name: "x" type {tensor_type {elem_type: 1}}} input {name: "y" type {tensor_type {elem_type: 1}}}
initializer {name: "c" data_type: 9 int32_data: 1} initializer {name: "twice" data_type: 7 int64_data: 2}
node {op_type: "Add" input: "later" input: "c" output: "last"}
node {op_type: "Relu" input: "x" output: "a"}
node {op_type: "Unique" input: "x" output: "u" output: "" output: "w"}
node {op_type: "Clip" input: "y" input: "" input: "c" output: "clipped"}
node {op_type: "Shape" input: "a" output: "shape"}
node {op_type: "If" input: "c" output: "if" attribute {name: "then_branch" type: GRAPH g {name: "then"
	node {op_type: "Relu" input: "a" output: "t"} output {name: "t"}}} attribute {name: "else_branch" type: GRAPH g {name: "else"
	node {op_type: "Relu" input: "y" output: "e"} output {name: "e"}}}}
node {op_type: "If" input: "c" output: "direct" attribute {name: "then_branch" type: GRAPH g {name: "then" output {name: "w"}}}}
node {op_type: "Loop" input: "twice" input: "c" output: "loop" attribute {name: "body" type: GRAPH g {name: "body" input {name: "i"} input {name: "on"}
	node {op_type: "If" input: "on" output: "nested" attribute {name: "then_branch" type: GRAPH g {name: "deep"
		node {op_type: "Add" input: "if" input: "i" output: "d"} output {name: "d"}}}}
	output {name: "on"} output {name: "nested"}}}}
node {op_type: "Scan" input: "y" output: "scan" attribute {name: "body" type: GRAPH g {name: "body" input {name: "slice"}
	node {op_type: "Add" input: "slice" input: "u" output: "s"} output {name: "s"}}}}
node {op_type: "Relu" input: "loop" output: "later"}
output {name: "last" type {tensor_type {elem_type: 1}}}`
	for _, c := range []struct {
		start, stop string // stop is an operator that lets nothing pass, "" for none
		want        string
	}{
		{"x", "", "a direct if last later loop scan shape u w x"},
		{"a", "", "a if last later loop shape"},
		{"u", "", "scan u"},
		{"w", "", "direct w"},
		{"a", "Shape", "a if last later loop"},
		{"a", "If", "a shape"},
		{"y", "Loop", "clipped if scan y"},
		{"u w", "", "direct scan u w"},
		{"last", "", "last"},
		{"", "", ""},
	} {
		g := fromText(t, bodies).Graph
		start := mapSlice(strings.Fields(c.start), g.Value)
		through := func(n *Node) bool { return !n.Is(c.stop) }
		if c.stop == "" {
			through = nil
		}
		got := g.Dependents(append(start, nil), through)
		if names := valueList(slices.SortedFunc(maps.Keys(got), func(a, b *Value) int { return strings.Compare(a.name, b.name) })); names != c.want {
			t.Errorf("of %q, stopped by %q: %s depend on it, want %s", c.start, c.stop, names, c.want)
		}
	}
}
