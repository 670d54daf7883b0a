package onnxgraph

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

func node(op string, inputs, outputs []string) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: proto.String(op), Name: proto.String(op), Input: inputs, Output: outputs}
}

// TestFaultsAreListed loads damaged models: the error names every fault, not just the first.
func TestFaultsAreListed(t *testing.T) {
	opset := []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(18)}}
	input := []*onnxpb.ValueInfoProto{{Name: proto.String("x")}}
	cases := []struct {
		name  string
		model *onnxpb.ModelProto
		want  []string
	}{
		{"no graph", &onnxpb.ModelProto{OpsetImport: opset}, []string{"the file has no graph"}},
		{"cycle", &onnxpb.ModelProto{OpsetImport: opset, Graph: &onnxpb.GraphProto{Input: input, Node: []*onnxpb.NodeProto{
			node("Add", []string{"x", "b"}, []string{"a"}), node("Relu", []string{"a"}, []string{"b"}),
		}}}, []string{"cycle", `Add "Add"`, `Relu "Relu"`}},
		{"nothing produces", &onnxpb.ModelProto{OpsetImport: opset, Graph: &onnxpb.GraphProto{
			Node:   []*onnxpb.NodeProto{node("Relu", []string{"nowhere"}, []string{"a"})},
			Output: []*onnxpb.ValueInfoProto{{Name: proto.String("gone")}},
		}}, []string{`reads "nowhere"`, `output "gone"`}},
		{"twice", &onnxpb.ModelProto{OpsetImport: opset, Graph: &onnxpb.GraphProto{Input: append(input, input...),
			Node: []*onnxpb.NodeProto{node("Relu", []string{"x"}, []string{"a"}), node("Abs", []string{"x"}, []string{"a"})},
		}}, []string{`graph input "x": the name is defined twice`, `"a": the name is defined twice`}},
		{"tensors", &onnxpb.ModelProto{OpsetImport: opset, Graph: &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{
			{Name: proto.String("short"), DataType: proto.Int32(1), Dims: []int64{2, 3}, RawData: make([]byte, 20)},
			{Name: proto.String("negative"), DataType: proto.Int32(1), Dims: []int64{-2}},
			{Name: proto.String("huge"), DataType: proto.Int32(1), Dims: []int64{1 << 40, 1 << 40}},
			{Name: proto.String("typed"), DataType: proto.Int32(7), Dims: []int64{3}, Int64Data: []int64{1}},
		}}}, []string{`"short": float32 of dims [2 3] needs 24 bytes, has 20`, `"negative"`, `"huge"`, `"typed"`}},
		{"no operator set", &onnxpb.ModelProto{Graph: &onnxpb.GraphProto{Input: input,
			Node: []*onnxpb.NodeProto{node("Relu", []string{"x"}, []string{"a"})}}}, []string{"operator set"}},
		{"attribute twice", &onnxpb.ModelProto{OpsetImport: opset, Graph: &onnxpb.GraphProto{Input: input,
			Node: []*onnxpb.NodeProto{{OpType: proto.String("Elu"), Input: []string{"x"}, Output: []string{"a"}, Attribute: []*onnxpb.AttributeProto{
				Float("alpha", 1).proto, Float("alpha", 2).proto,
			}}}}}, []string{`attribute "alpha" is given twice`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := os.WriteFile(path, marshal(t, c.model), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

// TestNoModel reads files that are no ONNX at all, or are cut short at any byte.
func TestNoModel(t *testing.T) {
	whole, err := small(t, 3).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if m, err := Parse(whole[:n], "."); err == nil {
			// a cut between fields can leave a valid, smaller message: it must at least be whole in itself
			if err := m.Validate(); err != nil {
				t.Errorf("cut at %d: loaded, and is invalid: %v", n, err)
			}
		}
	}
	for _, text := range []string{"not a model", "\x89PNG\r\n\x1a\n", strings.Repeat("\xff", 100)} {
		if _, err := Parse([]byte(text), "."); err == nil {
			t.Errorf("%q was read as a model", text)
		}
	}
}

// TestAttributeTypes gives each attribute a value of every kind, under every type: only its own is accepted.
func TestAttributeTypes(t *testing.T) {
	graph := func() *onnxpb.GraphProto { return &onnxpb.GraphProto{} }
	values := map[onnxpb.AttributeProto_AttributeType]func(p *onnxpb.AttributeProto){
		onnxpb.AttributeProto_FLOAT:   func(p *onnxpb.AttributeProto) { p.F = proto.Float32(0) },
		onnxpb.AttributeProto_FLOATS:  func(p *onnxpb.AttributeProto) { p.Floats = []float32{0} },
		onnxpb.AttributeProto_INT:     func(p *onnxpb.AttributeProto) { p.I = proto.Int64(0) },
		onnxpb.AttributeProto_INTS:    func(p *onnxpb.AttributeProto) { p.Ints = []int64{0} },
		onnxpb.AttributeProto_STRING:  func(p *onnxpb.AttributeProto) { p.S = []byte{} },
		onnxpb.AttributeProto_STRINGS: func(p *onnxpb.AttributeProto) { p.Strings = [][]byte{{}} },
		onnxpb.AttributeProto_TENSOR:  func(p *onnxpb.AttributeProto) { p.T = NewScalar(float32(1)).proto },
		onnxpb.AttributeProto_TENSORS: func(p *onnxpb.AttributeProto) { p.Tensors = []*onnxpb.TensorProto{NewScalar(float32(1)).proto} },
		onnxpb.AttributeProto_GRAPH:   func(p *onnxpb.AttributeProto) { p.G = graph() },
		onnxpb.AttributeProto_GRAPHS:  func(p *onnxpb.AttributeProto) { p.Graphs = []*onnxpb.GraphProto{graph()} },
	}
	for held, set := range values {
		for stated := range values {
			for _, reference := range []string{"", "parameter"} {
				p := &onnxpb.AttributeProto{Name: proto.String("a"), Type: stated.Enum(), RefAttrName: &reference}
				set(p)
				m := &onnxpb.ModelProto{IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(18)}},
					Graph: &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{{OpType: proto.String("F"), Attribute: []*onnxpb.AttributeProto{p}}}}}
				_, err := Parse(marshal(t, m), "")
				want := fmt.Sprintf("its type is %v, but it holds %v", stated, held)
				if refused := stated != held && reference == ""; (err != nil) != refused || refused && !strings.Contains(err.Error(), want) {
					t.Errorf("%v as %v, reference %q: got error %v", held, stated, reference, err)
				}
			}
		}
	}
}

// TestElementCount multiplies dims, up to the most elements that any tensor may have: so many that their bits can be counted.
func TestElementCount(t *testing.T) {
	for _, c := range []struct {
		dims []int64
		want int64
	}{
		{nil, 1}, {[]int64{3, 4}, 12}, {[]int64{3, 0}, 0}, {[]int64{0, 1 << 62}, 0}, {[]int64{-1}, -1}, {[]int64{0, -1}, -1}, {[]int64{5, -1, 2}, -1},
		{[]int64{1<<57 - 1}, 1<<57 - 1}, {[]int64{1 << 57}, -1}, {[]int64{1 << 56, 2}, -1}, {[]int64{1 << 32, 1 << 24}, 1 << 56}, {[]int64{1 << 40, 1 << 40}, -1},
	} {
		if got := ElementCount(c.dims); got != c.want {
			t.Errorf("%d: got %d, want %d", c.dims, got, c.want)
		}
	}
}
