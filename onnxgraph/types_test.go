package onnxgraph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// typedGraph declares types in all of a graph's lists.
const typedGraph = `name: "g"
input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_param: "n"} dim {dim_value: 3} dim {} dim {dim_value: 0}}}}}
input {name: "scalar" type {tensor_type {elem_type: 7 shape {}}}}
input {name: "none" type {tensor_type {elem_type: 1 shape {dim {dim_value: 0} dim {dim_value: 2}}}}}
input {name: "ranks" type {tensor_type {elem_type: 10}}}
input {name: "list" type {sequence_type {elem_type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}}}
input {name: "untyped"}
input {name: "sparse" type {sparse_tensor_type {elem_type: 1}}}
input {name: "maybe" type {optional_type {elem_type {tensor_type {elem_type: 1}}}}}
input {name: "map" type {map_type {key_type: 7 value_type {tensor_type {elem_type: 1}}}}}
initializer {name: "w" data_type: 11 dims: 2 dims: 1 double_data: [1, 2]}
node {op_type: "Relu" input: "x" output: "a"}
node {op_type: "Neg" input: "a" output: "b"}
node {op_type: "Optional" input: "x" output: "o" attribute {name: "type" type: TYPE_PROTO tp {tensor_type {elem_type: 1}}}}
value_info {name: "a" type {tensor_type {elem_type: 1 shape {dim {dim_value: 5}}}}}
value_info {name: "b" type {tensor_type {elem_type: 1 shape {dim {dim_value: 5} dim {dim_value: 6}}}}}
value_info {name: "elsewhere" type {tensor_type {elem_type: 1}}}
output {name: "b" type {tensor_type {elem_type: 1 shape {dim {dim_value: 5} dim {dim_value: 6}}}}}
output {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 7}}}}}
output {name: "list" type {sequence_type {elem_type {tensor_type {elem_type: 1}}}}}`

// typeOf shows the type and the shape of a value as the methods tell them.
func typeOf(v *Value) string {
	shape, known := v.Shape()
	sizes, static := v.StaticShape()
	text := "?"
	if known {
		text = fmt.Sprint(shape)
	}
	if static {
		text += fmt.Sprint(" static ", sizes)
	}
	return fmt.Sprint(v.DType(), " ", text)
}

func TestDeclaredTypes(t *testing.T) {
	m := fromText(t, typedGraph)
	for name, want := range map[string]string{
		"x": "float32 [n 3 ? 0]", "scalar": "int64 [] static []", "none": "float32 [0 2] static [0 2]", "ranks": "float16 ?", "list": "undefined ?", "untyped": "undefined ?",
		"w": "float64 [2 1] static [2 1]", "a": "float32 [5] static [5]", "b": "float32 [5 6] static [5 6]", "o": "undefined ?",
	} {
		if got := typeOf(m.Graph.Value(name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestForgetShapes drops the shapes of values between and of outputs, in the file as well; inputs and element types stay.
func TestForgetShapes(t *testing.T) {
	m := fromText(t, typedGraph)
	m.Graph.ForgetShapes()
	again, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Parse(again, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Model{m, loaded} {
		for name, want := range map[string]string{
			"x": "float32 [n 3 ? 0]", "scalar": "int64 [] static []", "w": "float64 [2 1] static [2 1]", "a": "undefined ?", "b": "float32 ?",
		} {
			if got := typeOf(m.Graph.Value(name)); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		if kind := m.Graph.outputs[1].info.Type.GetTensorType(); len(kind.GetShape().GetDim()) != 1 {
			t.Errorf("an output that is an input is of type %v", kind)
		}
		if kind := m.Graph.outputs[2].info.Type; kind.GetSequenceType() == nil {
			t.Errorf("an output that is a list is of type %v", kind)
		}
	}
}

// TestTypesGoWithValues removes values of which the file declares a type: it says nothing of them any more.
func TestTypesGoWithValues(t *testing.T) {
	m := fromText(t, typedGraph)
	m.Graph.RemoveOutputs()
	RemoveUnused(m.Graph.Value("b"))
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	if got := mapSlice(p.Graph.ValueInfo, (*onnxpb.ValueInfoProto).GetName); !slices.Equal(got, []string{"elsewhere"}) {
		t.Errorf("types of %q are declared, want those of values elsewhere alone", got)
	}
}

// TestMapTypes turns every float32 that the graph declares into float16, wherever a type has an element type, and only there.
func TestMapTypes(t *testing.T) {
	m := fromText(t, typedGraph)
	attribute := m.Graph.Nodes()[2].Attributes()[0].proto
	seen := map[DType]int{}
	m.Graph.MapTypes(func(d DType) DType {
		seen[d]++
		if d == Float32 {
			return Float16
		}
		return d
	})
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Parse(data, ""); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"x": "float16 [n 3 ? 0]", "scalar": "int64 [] static []", "ranks": "float16 ?", "untyped": "undefined ?",
		"w": "float64 [2 1] static [2 1]", "a": "float16 [5] static [5]", "b": "float16 [5 6] static [5 6]",
	} {
		if got := typeOf(m.Graph.Value(name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for name, got := range map[string]int32{
		"list":      m.Graph.inputs[4].info.Type.GetSequenceType().GetElemType().GetTensorType().GetElemType(),
		"sparse":    m.Graph.inputs[6].info.Type.GetSparseTensorType().GetElemType(),
		"maybe":     m.Graph.inputs[7].info.Type.GetOptionalType().GetElemType().GetTensorType().GetElemType(),
		"map":       m.Graph.inputs[8].info.Type.GetMapType().GetValueType().GetTensorType().GetElemType(),
		"attribute": m.Graph.Nodes()[2].Attributes()[0].proto.GetTp().GetTensorType().GetElemType(),
		"elsewhere": m.Graph.typed[2].info.Type.GetTensorType().GetElemType(),
	} {
		if DType(got) != Float16 {
			t.Errorf("%s has elements of %v", name, DType(got))
		}
	}
	if key := m.Graph.inputs[8].info.Type.GetMapType().GetKeyType(); key != 7 {
		t.Errorf("the keys of a map became %v", DType(key))
	}
	if attribute.GetTp().GetTensorType().GetElemType() != 1 {
		t.Error("an attribute was changed that others may share")
	}
	if seen[Float64] > 0 {
		t.Error("a constant's type was asked about")
	}
}

// TestSetType declares a value's type anew, everywhere and in the file: one that the file speaks of twice, once, and not at all.
func TestSetType(t *testing.T) {
	m := fromText(t, typedGraph)
	for _, name := range []string{"x", "a", "o"} {
		m.Graph.Value(name).SetType(Int8, []Dim{{Size: 4}, {Size: -1, Param: "k"}, {Size: -1}, {Size: 0}})
	}
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := mapSlice(loaded.Graph.typed, func(t typed) string { return t.info.GetName() }); !slices.Equal(got, []string{"a", "b", "elsewhere", "o"}) {
		t.Errorf("the file lists types of %q", got)
	}
	for _, m := range []*Model{m, loaded} {
		for _, name := range []string{"x", "a", "o"} {
			if got := typeOf(m.Graph.Value(name)); got != "int8 [4 k ? 0]" {
				t.Errorf("%s is %s", name, got)
			}
		}
		if got := m.Graph.outputs[1].info.Type.GetTensorType(); got.GetElemType() != int32(Int8) || len(got.GetShape().GetDim()) != 4 || got.GetShape().GetDim()[2].Value != nil {
			t.Errorf("as an output, x is %v", got)
		}
		if got := typeOf(m.Graph.Value("b")); got != "float32 [5 6] static [5 6]" {
			t.Errorf("b became %s", got)
		}
	}
}

// TestOutputs adds outputs with a type and without, one value as two of them, and removes all.
func TestOutputs(t *testing.T) {
	m, relu, neg := chain(t)
	a, b := relu.Output(0), neg.Output(0)
	m.Graph.AddOutput(a, Undefined, nil)
	m.Graph.AddOutput(b, Float16, nil)
	if got := valueList(m.Graph.Outputs()); got != b.Name()+" "+a.Name()+" "+b.Name() || !a.IsOutput() || m.Graph.outputs[1].info.Type != nil {
		t.Errorf("outputs %s, %v", got, m.Graph.outputs[1].info)
	}
	if got := DType(m.Graph.outputs[2].info.GetType().GetTensorType().GetElemType()); got != Float16 {
		t.Errorf("an output is declared %v", got)
	}
	if m.Graph.RemoveOutputs(); a.IsOutput() || b.IsOutput() || b.IsUsed() || !a.IsUsed() || len(m.Graph.Outputs()) != 0 {
		t.Errorf("after their removal, outputs are %s", valueList(m.Graph.Outputs()))
	}
}

// TestMakeConstantAndInput makes constants of an input, of an output and of a sparse constant, and an input of a constant.
func TestMakeConstantAndInput(t *testing.T) {
	m := fromText(t, tangled)
	two := NewTensor([]int64{2}, []float32{1, 2})
	for _, name := range []string{"x", "relua", "sparse", "used"} {
		v := m.Graph.Value(name)
		uses := len(v.Uses())
		m.Graph.MakeConstant(v, two)
		count := 0
		for _, o := range m.Graph.Initializers() {
			if o == v {
				count++
			}
		}
		if v.Constant() != two || v.Producer() != nil || v.IsInput() || v.sparse != nil || count != 1 || len(v.Uses()) != uses || m.Graph.Value(name) != v {
			t.Errorf("%s: constant %v, producer %v, %d times among the constants", name, v.Constant(), v.Producer(), count)
		}
	}
	for _, n := range m.Graph.Nodes() {
		if slices.Contains(n.Outputs(), m.Graph.Value("relua")) {
			t.Errorf("%s still produces a constant", n)
		}
	}
	for _, name := range []string{"used", "default"} {
		v := m.Graph.Value(name)
		inputs := len(m.Graph.Inputs())
		added := 1
		if v.IsInput() {
			added = 0
		}
		want := typeOf(v)
		m.Graph.MakeInput(v)
		if v.Constant() != nil || !v.IsInput() || slices.Contains(m.Graph.Initializers(), v) || len(m.Graph.Inputs()) != inputs+added || typeOf(v) != want {
			t.Errorf("%s: constant %v, inputs %s, type %s, want %s", name, v.Constant(), valueList(m.Graph.Inputs()), typeOf(v), want)
		}
	}
}

// TestNewConstantsKeepDescription replaces a constant's data, and hands its texts to another tensor: the doc string and the
// metadata stay with the weight.
func TestNewConstantsKeepDescription(t *testing.T) {
	text := strings.Replace(tangled, `{name: "used" data_type: 1`, `{name: "used" doc_string: "text" metadata_props {key: "k" value: "v"} data_type: 1`, 1)
	described := func(t *Tensor) bool {
		return t.proto.GetDocString() == "text" && lookup(t.proto.MetadataProps, "k") == "v"
	}
	two := NewTensor([]int64{2}, []float32{1, 2})
	for name, edit := range map[string]func(m *Model, v *Value){
		"SetConstant":  func(_ *Model, v *Value) { v.SetConstant(two) },
		"MakeConstant": func(m *Model, v *Value) { m.Graph.MakeConstant(v, two) },
		"DescribedAs":  func(_ *Model, v *Value) { v.constant = two.DescribedAs(v.Constant()) },
		"lazy": func(_ *Model, v *Value) {
			v.SetConstant(NewLazyTensor(Float32, []int64{2}, func() (*Tensor, error) { return two, nil }))
		},
		"of half": func(_ *Model, v *Value) {
			half := &Tensor{proto: two.copied()}
			if half.proto.MetadataProps = v.constant.proto.MetadataProps; half.DescribedAs(nil) != half {
				panic("nothing describes it otherwise")
			}
			doc := &Tensor{proto: two.copied()}
			doc.proto.DocString = v.constant.proto.DocString
			v.constant = two.DescribedAs(half)
			v.constant.proto.DocString = two.DescribedAs(doc).proto.DocString
		},
	} {
		m := fromText(t, text)
		v := m.Graph.Value("used")
		if !described(v.Constant()) {
			t.Fatal("the text was lost in loading")
		}
		edit(m, v)
		got, err := v.Constant().Float64s()
		if !described(v.Constant()) || err != nil || !slices.Equal(got, []float64{1, 2}) || two.proto.DocString != nil || two.proto.MetadataProps != nil {
			t.Errorf("%s: the constant is %v, %v, and described by %v", name, got, err, v.Constant().proto)
		}
	}
	other := NewScalar(float32(1))
	if two.DescribedAs(other) != two || two.DescribedAs(nil) != two || two.DescribedAs(two) != two {
		t.Error("a tensor was copied for nothing")
	}
}

// TestMakeTensors makes tensors of numbers: each type holds them as it can, and what does not fit its dims is refused.
func TestMakeTensors(t *testing.T) {
	for _, dtype := range []DType{Float32, Float64, Float16, BFloat16} {
		data := []float64{1.5, -2, 0}
		made, err := FromFloat64s(dtype, []int64{3, 1}, data)
		if err != nil {
			t.Fatal(err)
		}
		data[0] = 7
		if got, err := made.Float64s(); err != nil || !slices.Equal(got, []float64{1.5, -2, 0}) || made.DType() != dtype || !slices.Equal(made.Dims(), []int64{3, 1}) || made.Rank() != 2 || made.Len() != 3 {
			t.Errorf("%v: got %v of dims %v, %v", dtype, got, made.Dims(), err)
		}
		if _, err := FromFloat64s(dtype, []int64{2}, data); err == nil || !strings.Contains(err.Error(), "hold 2 elements, got 3") {
			t.Errorf("%v: got error %v", dtype, err)
		}
	}
	if _, err := FromFloat64s(Int8, []int64{1}, []float64{1}); err == nil || !strings.Contains(err.Error(), "as int8") {
		t.Errorf("real numbers as int8: got error %v", err)
	}
	for name, tensor := range map[string]*Tensor{
		"float32": NewScalar(float32(1)), "float64": NewScalar(1.0), "int8": NewScalar(int8(1)), "int16": NewScalar(int16(1)), "int32": NewScalar(int32(1)),
		"int64": NewScalar(int64(1)), "uint8": NewScalar(uint8(1)), "uint16": NewScalar(uint16(1)), "uint32": NewScalar(uint32(1)),
		"uint64": NewScalar(uint64(1)), "bool": NewScalar(true),
	} {
		if got, err := tensor.Float64s(); tensor.DType().String() != name || err != nil || len(got) != 1 || got[0] != 1 || tensor.Rank() != 0 {
			t.Errorf("a %s became %v of type %v, %v", name, got, tensor.DType(), err)
		}
	}
	for name, f := range map[string]func(){
		"too few":        func() { NewTensor([]int64{3}, []float32{1, 2}) },
		"too many":       func() { NewTensor([]int64{1}, []float32{1, 2}) },
		"negative":       func() { NewTensor([]int64{-1}, []float32{}) },
		"too few bytes":  func() { NewRawTensor(Float32, []int64{1}, make([]byte, 3)) },
		"too many bytes": func() { NewRawTensor(Float32, []int64{1}, make([]byte, 5)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a tensor was made", name)
				}
			}()
			f()
		}()
	}
}

// TestReshaped puts other dims on tensors in memory, in a file and not computed yet.
func TestReshaped(t *testing.T) {
	folder := t.TempDir()
	if err := small(t, 5000).Save(folder+"/m.onnx", ExternalNone); err != nil {
		t.Fatal(err)
	}
	m, err := Load(folder + "/m.onnx")
	if err != nil {
		t.Fatal(err)
	}
	inFile := m.Graph.Value("w").Constant()
	inMemory := small(t, 5000).Graph.Value("w").Constant()
	for name, tensor := range map[string]*Tensor{"in memory": inMemory, "in a file": inFile,
		"lazy": NewLazyTensor(Float32, []int64{5000}, func() (*Tensor, error) { return inMemory, nil })} {
		if tensor == inFile && tensor.source == nil {
			t.Fatal("it is not in the file")
		}
		other, err := tensor.Reshaped([]int64{50, 100})
		if err != nil {
			t.Fatal(err)
		}
		got, err := other.Float64s()
		want, wantErr := inMemory.Float64s()
		if err != nil || wantErr != nil || !slices.Equal(got, want) || !slices.Equal(other.Dims(), []int64{50, 100}) || !slices.Equal(tensor.Dims(), []int64{5000}) || (other.source == nil) != (tensor.source == nil) {
			t.Errorf("%s: %d elements of dims %v, %v", name, len(got), other.Dims(), err)
		}
		if _, err := tensor.Reshaped([]int64{50, 101}); err == nil || !strings.Contains(err.Error(), "5000 and 5050 elements") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
