package onnxgraph

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// TestConstantOfNode reads and replaces what Constant nodes hold, in every form that they have.
func TestConstantOfNode(t *testing.T) {
	for _, c := range []struct {
		attr Attribute
		want []float64
	}{
		{TensorAttr("value", NewTensor([]int64{2}, []float32{1, 2})), []float64{1, 2}},
		{Float("value_float", 3), []float64{3}},
		{Floats("value_floats", 4, 5), []float64{4, 5}},
		{Int("value_int", 6), []float64{6}},
		{Ints("value_ints", 7, 8), []float64{7, 8}},
		{Str("value_string", "9"), nil},
	} {
		m := New("g", 8, 18)
		v := m.Graph.AddNode("Constant", nil, c.attr).Output(0)
		if c.want == nil {
			if v.Constant() != nil {
				t.Errorf("%s: got a tensor", c.attr.Name())
			}
			continue
		}
		if got, err := v.Constant().Float64s(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v (%v), want %v", c.attr.Name(), got, err, c.want)
		}
		v.SetConstant(NewTensor([]int64{1}, []float64{10}))
		if got, _ := v.Constant().Float64s(); !slices.Equal(got, []float64{10}) || v.DType() != Float64 {
			t.Errorf("%s: after SetConstant: got %v of type %v", c.attr.Name(), got, v.DType())
		}
		m.Graph.MakeInput(v)
		if v.Constant() != nil || !v.IsInput() || v.Producer() != nil || v.DType() != Float64 {
			t.Errorf("%s: after MakeInput: still a constant, or no input, or without its type", c.attr.Name())
		}
	}
}

// TestOldFileListsInitializersAsInputs adds and removes a constant in a file of IR version 3, also from
// within the body of an operator.
func TestOldFileListsInitializersAsInputs(t *testing.T) {
	m := New("g", 3, 8)
	body := m.newGraph(m.Graph.proto, nil)
	for _, g := range []*Graph{m.Graph, body} {
		v := g.AddConstant("w", NewTensor([]int64{2}, []float32{1, 2}))
		if !v.IsInput() || v.Graph() != m.Graph {
			t.Fatal("an initializer of IR version 3 must be an input of the main graph")
		}
		if v.Name() != "w" {
			t.Errorf("the name is %q: removing the constant must have made \"w\" free", v.Name())
		}
		RemoveUnused(v)
		if len(m.Graph.Inputs())+len(m.Graph.Initializers()) != 0 {
			t.Error("the unused constant is still there")
		}
	}
}

// TestNewerFilesKeepConstantsApart adds a constant in files of IR version 4 and newer: it is no input.
func TestNewerFilesKeepConstantsApart(t *testing.T) {
	for _, version := range []int64{4, 8} {
		if v := New("g", version, 18).Graph.AddConstant("w", floats(1)); v.IsInput() {
			t.Errorf("in IR version %d, a constant is an input", version)
		}
	}
}

// TestFunctionKeepsConstants saves a function to whose body a constant was added.
func TestFunctionKeepsConstants(t *testing.T) {
	m := New("g", 8, 18)
	m.Functions = append(m.Functions, (&linker{model: m}).function(&onnxpb.FunctionProto{Name: proto.String("f"),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(18)}}}))
	f := m.Functions[0].Body

	w := f.AddConstant("w", NewTensor([]int64{2}, []float32{1, 2}))
	f.AddOutput(f.AddNode("Relu", []*Value{w}).Output(0), Float32, Static(2))
	m.Functions[0].proto.Output = []string{f.Outputs()[0].Name()}

	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	got := loaded.Functions[0].Body.Value("w").Constant()
	if numbers, err := got.Float64s(); err != nil || !slices.Equal(numbers, []float64{1, 2}) {
		t.Errorf("got %v (%v), want [1 2]", numbers, err)
	}
}

// TestInsert puts a node before another one that is not the last.
func TestInsert(t *testing.T) {
	m := New("g", 8, 18)
	a, b, c := m.Graph.AddNode("Relu", nil), m.Graph.AddNode("Relu", nil), m.Graph.AddNode("Neg", nil)
	m.Graph.Insert(b, c)
	if got := m.Graph.Nodes(); !slices.Equal(got, []*Node{a, c, b}) {
		t.Errorf("got %v, want %v before %v", got, c, b)
	}
}
