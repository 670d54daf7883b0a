package onnxgraph

import (
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
