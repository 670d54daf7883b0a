package onnxgraph

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// local is the domain of the functions of these tests.
const local = "local"

// fn is a function of one input and output whose nodes call each of the operators in turn: functions if their names begin with F, else ONNX's own.
func fn(name string, calls ...string) *onnxpb.FunctionProto {
	f := &onnxpb.FunctionProto{Name: proto.String(name), Domain: proto.String(local), Input: []string{"v0"}, Output: []string{fmt.Sprint("v", len(calls))},
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(18)}, {Domain: proto.String(local), Version: proto.Int64(1)}}}
	for i, op := range calls {
		f.Node = append(f.Node, calling(op, fmt.Sprint("v", i), fmt.Sprint("v", i+1)))
	}
	return f
}

func calling(op, input, output string) *onnxpb.NodeProto {
	n := node(op, []string{input}, []string{output})
	if strings.HasPrefix(op, "F") {
		n.Domain = proto.String(local)
	}
	return n
}

// inBodies puts a node that calls a function into the bodies of so many Ifs.
func inBodies(levels int, name string) *onnxpb.NodeProto {
	n := calling(name, "x", fmt.Sprint("y", levels))
	for i := range levels {
		inner := n.Output[0]
		body := &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{n}, Output: []*onnxpb.ValueInfoProto{{Name: proto.String(inner)}}}
		n = node("If", []string{"x"}, []string{fmt.Sprint("y", levels-i-1)})
		n.Attribute = []*onnxpb.AttributeProto{{Name: proto.String("then_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: body}}
	}
	return n
}

// nest is a function whose only node is a nest of Ifs.
func nest(name string, levels int, called string) *onnxpb.FunctionProto {
	f := fn(name)
	f.Input, f.Output, f.Node = []string{"x"}, []string{"y0"}, []*onnxpb.NodeProto{inBodies(levels, called)}
	return f
}

// tower is so many functions, of which each calls the next a number of times, and the last one an operator.
func tower(levels, calls int) []*onnxpb.FunctionProto {
	var list []*onnxpb.FunctionProto
	for i := range levels {
		next := fmt.Sprint("F", i+1)
		if i == levels-1 {
			next = "Relu"
		}
		list = append(list, fn(fmt.Sprint("F", i), strings.Split(strings.TrimSuffix(strings.Repeat(next+" ", calls), " "), " ")...))
	}
	return list
}

// TestFunctionsWithoutEnd loads models whose functions call themselves, or unfold to more than a computer can hold: the error says
// so, and it comes at once.
func TestFunctionsWithoutEnd(t *testing.T) {
	overloaded := func(f *onnxpb.FunctionProto, own, called string) *onnxpb.FunctionProto {
		f.Overload, f.Node[0].Overload = proto.String(own), proto.String(called)
		return f
	}
	plain := calling("F0", "x", "y0")
	for _, c := range []struct {
		name      string
		main      *onnxpb.NodeProto
		functions []*onnxpb.FunctionProto
		want      string // "" if it is loaded
	}{
		{"no call", node("Relu", []string{"x"}, []string{"y0"}), tower(2, 1), ""},
		{"calls", plain, []*onnxpb.FunctionProto{fn("F0", "F1", "F2", "F1"), fn("F1", "F2", "Relu"), fn("F2", "Abs")}, ""},
		{"an operator of the same name", plain, []*onnxpb.FunctionProto{fn("F0", "Relu"), fn("Relu", "Relu")}, ""},
		{"itself", plain, []*onnxpb.FunctionProto{fn("F0", "Relu", "F0")}, `functions that call themselves, directly or by way of others: "F0"`},
		{"each other", plain, []*onnxpb.FunctionProto{fn("F0", "F1"), fn("F1", "Relu", "F2"), fn("F2", "F1")}, `others: "F1", "F2"`},
		{"not called", plain, []*onnxpb.FunctionProto{fn("F0", "Relu"), fn("F1", "F1")}, `others: "F1"`},
		{"in a body", plain, []*onnxpb.FunctionProto{nest("F0", 3, "F0")}, `others: "F0"`},
		{"another overload", plain, []*onnxpb.FunctionProto{overloaded(fn("F0", "F0"), "", "a"), overloaded(fn("F0", "Relu"), "a", "")}, ""},
		{"its overload", plain, []*onnxpb.FunctionProto{overloaded(fn("F0", "F0"), "a", "a")}, `others: "F0"`},
		{"defined twice", plain, []*onnxpb.FunctionProto{fn("F0", "Abs"), fn("F0", "Relu")}, `function "F0" of domain "local" is defined twice`},
		{"many nodes", plain, tower(15, 2), ""},
		{"too many nodes", plain, tower(16, 2), "131070 nodes more, and at most 100000 are allowed"},
		{"too many nodes in bodies", inBodies(2, "F0"), tower(5, 10), "111110 nodes more"},
		{"nodes without end", plain, tower(150, 10), "over 10^18"},
		{"a chain", plain, tower(mostCalls, 1), ""},
		{"a long chain", plain, tower(mostCalls+1, 1), "201 call each other"},
		{"a long chain from a body", inBodies(2, "F0"), tower(mostCalls+1, 1), "201 call each other"},
		{"bodies in bodies", inBodies(mostBodies, "Relu"), nil, ""},
		{"a deep nest of bodies", inBodies(mostBodies+1, "Relu"), nil, "13 levels"},
		{"a deep nest by functions", inBodies(7, "F0"), []*onnxpb.FunctionProto{nest("F0", 3, "F1"), nest("F1", 3, "Relu")}, "13 levels"},
		{"a nest by functions", inBodies(6, "F0"), []*onnxpb.FunctionProto{nest("F0", 3, "F1"), nest("F1", 3, "Relu")}, ""},
	} {
		x := []*onnxpb.ValueInfoProto{{Name: proto.String("x")}}
		m := &onnxpb.ModelProto{IrVersion: proto.Int64(10), OpsetImport: fn("").OpsetImport, Functions: c.functions,
			Graph: &onnxpb.GraphProto{Input: x, Node: []*onnxpb.NodeProto{c.main}, Output: []*onnxpb.ValueInfoProto{{Name: proto.String("y0")}}}}
		_, err := Parse(marshal(t, m), "")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
	if got := addNodes(math.MaxInt64, 1); got != math.MaxInt64 {
		t.Errorf("the largest number and 1 are %d", got)
	}
}
