package onnxgraph

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// annotated has every kind of message that the package takes apart, with texts and metadata wherever they may be. The tensors'
// raw data, and fields of a newer ONNX in every message, are added by annotatedModel.
const annotated = `ir_version: 10 doc_string: "model" metadata_props {key: "of" value: "model"}
opset_import {version: 21} opset_import {domain: "f" version: 1}
functions {name: "F" domain: "f" doc_string: "function" metadata_props {key: "of" value: "function"} input: "i" output: "o" attribute: "p"
	opset_import {version: 21} value_info {name: "i" doc_string: "value of a function"}
	node {name: "inner" op_type: "Relu" input: "i" output: "o" doc_string: "node of a function"}}
graph {name: "g" doc_string: "graph" metadata_props {key: "of" value: "graph"}
	quantization_annotation {tensor_name: "w" quant_parameter_tensor_names {key: "SCALE_TENSOR" value: "small"}}
	node {name: "add" op_type: "Add" overload: "x" input: "x" input: "w" output: "a" doc_string: "node" metadata_props {key: "of" value: "node"}}
	node {name: "call" op_type: "F" domain: "f" input: "a" output: "b"
		attribute {name: "large" type: TENSOR doc_string: "attribute" t {name: "inside" data_type: 1 dims: 2000 doc_string: "tensor of a node" metadata_props {key: "of" value: "it"}}}
		attribute {name: "parameter" type: INT ref_attr_name: "p"}
		attribute {name: "body" type: GRAPH g {name: "inner" doc_string: "inner graph"
			initializer {name: "innerw" data_type: 1 dims: 2000 doc_string: "inner tensor" metadata_props {key: "of" value: "inner tensor"}}
			node {op_type: "Neg" input: "innerw" output: "innery"} output {name: "innery" doc_string: "inner output"}}}
		attribute {name: "bodies" type: GRAPHS
			graphs {name: "one" initializer {name: "onew" data_type: 1 dims: 2000 doc_string: "in a list"} node {op_type: "Neg" input: "onew" output: "oney"} output {name: "oney"}}
			graphs {name: "two" doc_string: "second of a list" node {op_type: "Neg" input: "a" output: "twoy"} output {name: "twoy"}}}
		attribute {name: "types" type: TYPE_PROTO tp {denotation: "IMAGE" tensor_type {elem_type: 1}}}}
	initializer {name: "w" data_type: 1 dims: 2000 doc_string: "weights" metadata_props {key: "of" value: "weights"}}
	initializer {name: "typed" data_type: 7 dims: 200 doc_string: "typed"}
	initializer {name: "small" data_type: 1 dims: 2 doc_string: "few" metadata_props {key: "of" value: "few"} float_data: [1, 2]}
	sparse_initializer {dims: 9 values {name: "sparse" data_type: 1 dims: 1 doc_string: "sparse" float_data: 3} indices {data_type: 7 dims: 1 int64_data: 4}}
	input {name: "x" doc_string: "input" metadata_props {key: "of" value: "input"} type {denotation: "IMAGE" tensor_type {elem_type: 1 shape {dim {dim_param: "n" denotation: "DATA_BATCH"}}}}}
	output {name: "b" doc_string: "output" type {sequence_type {elem_type {tensor_type {elem_type: 1}}}}}
	value_info {name: "a" doc_string: "value" metadata_props {key: "of" value: "value"} type {tensor_type {elem_type: 1}}}
	value_info {name: "unknown" doc_string: "of no value here"}
}`

func annotatedModel(t *testing.T) *onnxpb.ModelProto {
	t.Helper()
	m := &onnxpb.ModelProto{}
	if err := prototext.Unmarshal([]byte(annotated), m); err != nil {
		t.Fatal(err)
	}
	eachMessage(m.ProtoReflect(), func(m protoreflect.Message) {
		if p, ok := m.Interface().(*onnxpb.TensorProto); ok && len(p.Dims) == 1 && p.Dims[0] == 2000 {
			p.RawData = pattern(8000, len(p.GetName()))
		} else if ok && p.GetName() == "typed" {
			p.Int64Data = make([]int64, 200)
		}
		m.SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 9999, protowire.BytesType), string(m.Descriptor().Name())))
	})
	return m
}

// eachMessage calls f for a message and all within it.
func eachMessage(m protoreflect.Message, f func(protoreflect.Message)) {
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if field.Message() == nil {
			return true
		}
		if !field.IsList() {
			eachMessage(v.Message(), f)
			return true
		}
		for i := range v.List().Len() {
			eachMessage(v.List().Get(i).Message(), f)
		}
		return true
	})
	f(m)
}

// withoutData returns a model without its tensors' elements and without where they are.
func withoutData(m *onnxpb.ModelProto) *onnxpb.ModelProto {
	m = proto.CloneOf(m)
	eachMessage(m.ProtoReflect(), func(m protoreflect.Message) {
		if p, ok := m.Interface().(*onnxpb.TensorProto); ok {
			p.RawData, p.FloatData, p.Int64Data, p.ExternalData, p.DataLocation = nil, nil, nil, nil, nil
		}
	})
	return m
}

// linesOnlyIn returns the lines of a message's text that another one's does not have, or has less often.
func linesOnlyIn(m, other proto.Message) (lines []string) {
	count := map[string]int{}
	for line := range strings.Lines(prototext.Format(other)) {
		count[line]++
	}
	for line := range strings.Lines(prototext.Format(m)) {
		if count[line]--; count[line] < 0 {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// TestSavingKeepsAll loads and saves a model in every way: of all that it says, only where data is changes; also what a newer ONNX
// has, and this program does not know.
func TestSavingKeepsAll(t *testing.T) {
	source := annotatedModel(t)
	want := withoutData(source)
	path := filepath.Join(t.TempDir(), "source.onnx")
	if err := os.WriteFile(path, marshal(t, source), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []ExternalMode{ExternalAsRead, ExternalAll, ExternalAsRead, ExternalNone} {
		m, err := Load(path) // what the last one saved
		if err != nil {
			t.Fatal(err)
		}
		for name, m := range map[string]*Model{"the model": m, "its clone": m.Clone()} {
			path = filepath.Join(t.TempDir(), "saved.onnx")
			if err := m.Save(path, mode); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := &onnxpb.ModelProto{}
			if err := proto.Unmarshal(data, got); err != nil {
				t.Fatal(err)
			}
			eachMessage(got.ProtoReflect(), func(message protoreflect.Message) {
				p, ok := message.Interface().(*onnxpb.TensorProto)
				places := min(1, len(p.GetRawData())) + min(1, len(p.GetFloatData())) + min(1, len(p.GetInt64Data())) + min(1, len(p.GetExternalData()))
				if ok && places != 1 {
					t.Errorf("%s, mode %d: the elements of %q are in %d places", name, mode, p.GetName(), places)
				}
			})
			if got := withoutData(got); !proto.Equal(got, want) {
				t.Errorf("%s, mode %d: lost: %q, new: %q", name, mode, linesOnlyIn(want, got), linesOnlyIn(got, want))
			}
			saved, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, tensor := range []*Tensor{saved.Graph.Value("w").Constant(), saved.Graph.Nodes()[1].Tensor("large"),
				saved.Graph.Nodes()[1].Attributes()[2].Graphs()[0].Value("innerw").Constant(),
				saved.Graph.Nodes()[1].Attributes()[3].Graphs()[0].Value("onew").Constant()} {
				raw, err := tensor.Raw()
				if err != nil || string(raw) != string(pattern(8000, len(tensor.proto.GetName()))) {
					t.Errorf("%s, mode %d: the elements of %q changed, or %v", name, mode, tensor.proto.GetName(), err)
				}
			}
		}
	}
}
