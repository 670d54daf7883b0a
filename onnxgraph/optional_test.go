package onnxgraph

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// complete is a model y = Elu(x + w) in protobuf's text form. The data file "data" beside it has the bytes of 3 and 4.
const complete = `ir_version: 8 producer_name: "p" model_version: 1 domain: "d" doc_string: "text"
opset_import {domain: "" version: 18}
metadata_props {key: "k" value: "v"}
graph {name: "g" doc_string: "text"
node {name: "add" op_type: "Add" domain: "" input: "x" input: "w" output: "a"}
node {name: "elu" op_type: "Elu" input: "a" output: "y" attribute {name: "alpha" type: FLOAT f: 2}}
initializer {name: "w" data_type: 1 dims: 2 float_data: [3, 4]}
input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}
output {name: "y" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}
}`

// TestOptionalMeansOptional takes away, repeats, or writes in another way every field that a file may have so: the model is
// loaded and saved without loss, and means what it means to ONNX Runtime 1.24; or it is refused, as it is there. Some that
// ONNX Runtime refuses are loaded: inspect can show them.
func TestOptionalMeansOptional(t *testing.T) {
	const external = `data_location: EXTERNAL external_data {key: "location" value: "data"}`
	for _, c := range []struct {
		name     string
		old, new string
		want     string // what means shows, "" for what the complete model means
		refused  string
	}{
		{name: "all there"},
		{name: "no ir_version", old: "ir_version: 8", refused: `ir_version`},
		{name: "no texts", old: `producer_name: "p" model_version: 1 domain: "d" doc_string: "text"`},
		{name: "no operator set", old: `opset_import {domain: "" version: 18}`, refused: `operator set`},
		{name: "no operator set in IR 2", old: `ir_version: 8 producer_name: "p" model_version: 1 domain: "d" doc_string: "text"
opset_import {domain: "" version: 18}`, new: "ir_version: 2", refused: `operator set`},
		{name: "domain absent", old: `domain: "" version`, new: "version"},
		{name: "domain ai.onnx", old: `domain: "" version`, new: `domain: "ai.onnx" version`},
		{name: "no version", old: `domain: "" version: 18`, refused: `operator set`},
		{name: "two versions", old: "opset_import", new: "opset_import {version: 13} opset_import"},
		{name: "two versions, the older last", old: `domain: "" version: 18}`, new: `version: 18} opset_import {version: 13}`, want: `operators 13, w [2] [3 4], x float32 [2] true, alpha 2`},
		{name: "two versions, by both names", old: "opset_import", new: `opset_import {domain: "ai.onnx" version: 13} opset_import`},
		{name: "two versions, by both names, ai.onnx last", old: `version: 18}`, new: `version: 18} opset_import {domain: "ai.onnx" version: 13}`, want: `operators 13, w [2] [3 4], x float32 [2] true, alpha 2`},
		{name: "same version twice", old: "opset_import", new: "opset_import {version: 18} opset_import"},
		{name: "unused domain", old: "opset_import", new: `opset_import {domain: "x.y" version: 1} opset_import`},
		{name: "no metadata", old: `metadata_props {key: "k" value: "v"}`},
		{name: "metadata without value", old: ` value: "v"`},
		{name: "metadata without key", old: `key: "k" `},
		{name: "metadata twice", old: "metadata_props", new: `metadata_props {key: "k" value: "first"} metadata_props`},
		{name: "no graph name", old: `name: "g"`},
		{name: "empty graph name", old: `name: "g"`, new: `name: ""`},
		{name: "no node name", old: `name: "add"`},
		{name: "empty node name", old: `name: "add"`, new: `name: ""`},
		{name: "node names twice", old: `name: "add"`, new: `name: "elu"`},
		{name: "no operator", old: `op_type: "Add"`, refused: `no operator is named`},
		{name: "no node domain", old: `op_type: "Add" domain: ""`, new: `op_type: "Add"`},
		{name: "node domain ai.onnx", old: `op_type: "Add" domain: ""`, new: `op_type: "Add" domain: "ai.onnx"`},
		{name: "absent input at the end", old: `input: "w" output`, new: `input: "w" input: "" output`},
		{name: "absent output at the end", old: `output: "a"`, new: `output: "a" output: ""`},
		{name: "no attribute type", old: "type: FLOAT f: 2", new: "f: 2", refused: `attribute "alpha": no type is given`},
		{name: "undefined attribute type", old: "type: FLOAT f: 2", new: "type: UNDEFINED f: 2", refused: `attribute "alpha": no type is given`},
		{name: "another attribute type", old: "type: FLOAT f: 2", new: "type: INT f: 2", refused: `its type is INT, but it holds FLOAT`},
		{name: "no attribute value", old: "type: FLOAT f: 2", new: "type: FLOAT", want: `operators 18, w [2] [3 4], x float32 [2] true, alpha 0`},
		{name: "no attribute name", old: `name: "alpha" `, want: `operators 18, w [2] [3 4], x float32 [2] true, alpha 1`},
		{name: "empty attribute name", old: `name: "alpha"`, new: `name: ""`, want: `operators 18, w [2] [3 4], x float32 [2] true, alpha 1`},
		{name: "empty attribute reference", old: "type: FLOAT f: 2", new: `type: FLOAT f: 2 ref_attr_name: ""`},
		{name: "no attribute", old: `attribute {name: "alpha" type: FLOAT f: 2}`, want: `operators 18, w [2] [3 4], x float32 [2] true, alpha 1`},
		{name: "no initializer name", old: `name: "w" data_type`, new: "data_type", refused: `initializer without a name`},
		{name: "unused initializer without a name", old: "initializer", new: `initializer {data_type: 1 float_data: 1} initializer`, refused: `initializer without a name`},
		{name: "no data type", old: "data_type: 1 ", refused: `no element type`},
		{name: "no dims", old: "dims: 2 float_data: [3, 4]", new: "float_data: [3]", want: `operators 18, w [] [3], x float32 [2] true, alpha 2`},
		{name: "no dims, two numbers", old: "dims: 2 ", refused: `needs 4 bytes, has 8`},
		{name: "empty dims", old: "dims: 2 float_data: [3, 4]", new: "dims: 0", want: `operators 18, w [0] [], x float32 [2] true, alpha 2`},
		{name: "empty dims, in the model", old: "dims: 2 float_data: [3, 4]", new: "dims: 0 data_location: DEFAULT", want: `operators 18, w [0] [], x float32 [2] true, alpha 2`},
		{name: "empty dims, entries", old: "dims: 2 float_data: [3, 4]", new: `dims: 0 external_data {key: "location" value: "none"}`, want: `operators 18, w [0] [], x float32 [2] true, alpha 2`},
		{name: "no data", old: " float_data: [3, 4]", refused: `needs 8 bytes, has 0`},
		{name: "raw data", old: "float_data: [3, 4]", new: `raw_data: "\000\000@@\000\000\200@"`},
		{name: "raw data and empty float data", old: "float_data: [3, 4]", new: `raw_data: "\000\000@@\000\000\200@" float_data: []`},
		{name: "raw data and float data", old: "float_data: [3, 4]", new: `raw_data: "\000\000@@\000\000\200@" float_data: [5, 6]`},
		{name: "empty raw data and float data", old: "float_data: [3, 4]", new: `raw_data: "" float_data: [3, 4]`, refused: `needs 8 bytes, has 0`},
		{name: "wrong typed field", old: "float_data: [3, 4]", new: "double_data: [3, 4]", refused: `needs 8 bytes, has 0`},
		{name: "default data location", old: "float_data", new: "data_location: DEFAULT float_data"},
		{name: "external entries, data in the model", old: "float_data", new: `external_data {key: "location" value: "none"} float_data`},
		{name: "external data", old: "float_data: [3, 4]", new: external + ` external_data {key: "offset" value: "0"} external_data {key: "length" value: "8"}`},
		{name: "external data without offset", old: "float_data: [3, 4]", new: external + ` external_data {key: "length" value: "8"}`},
		{name: "external data without length", old: "float_data: [3, 4]", new: external + ` external_data {key: "offset" value: "0"}`},
		{name: "external data with location only", old: "float_data: [3, 4]", new: external},
		{name: "external data with checksum", old: "float_data: [3, 4]", new: external + ` external_data {key: "checksum" value: "da39a3ee5e6b4b0d3255bfef95601890afd80709"}`},
		{name: "external data with unknown entry", old: "float_data: [3, 4]", new: external + ` external_data {key: "basepath" value: "x"}`},
		{name: "external data with empty offset", old: "float_data: [3, 4]", new: external + ` external_data {key: "offset" value: ""}`},
		{name: "external data with empty length", old: "float_data: [3, 4]", new: external + ` external_data {key: "length" value: ""}`},
		{name: "external data with length without value", old: "float_data: [3, 4]", new: external + ` external_data {key: "length"}`},
		{name: "external data without location", old: "float_data: [3, 4]", new: "data_location: EXTERNAL", refused: `without a location`},
		{name: "external data with two locations", old: "float_data: [3, 4]", new: external + ` external_data {key: "location" value: "none"}`},
		{name: "external data in ./", old: "float_data: [3, 4]", new: strings.Replace(external, `"data"`, `"./data"`, 1)},
		{name: "external data with length 0", old: "float_data: [3, 4]", new: external + ` external_data {key: "length" value: "0"}`},
		{name: "external data, too long", old: "float_data: [3, 4]", new: external + ` external_data {key: "length" value: "4"}`, refused: `needs 8 bytes, has 4`},
		{name: "external data of fewer dims, without length", old: "dims: 2 float_data: [3, 4]", new: "dims: 1 " + external, want: `operators 18, w [1] [3], x float32 [2] true, alpha 2`},
		{name: "initializer that is an input, too", old: "input {", new: `input {name: "w" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}} input {`},
		{name: "initializer that is an input without a type", old: "input {", new: `input {name: "w"} input {`},
		{name: "value_info", old: "output {", new: `value_info {name: "a" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}} output {`},
		{name: "value_info of nothing", old: "output {", new: `value_info {name: "none" type {tensor_type {elem_type: 1}}} output {`},
		{name: "value_info without name", old: "output {", new: `value_info {type {tensor_type {elem_type: 1}}} output {`},
		{name: "value_info without type", old: "output {", new: `value_info {name: "a"} output {`},
		{name: "value_info twice", old: "output {", new: `value_info {name: "a"} value_info {name: "a" type {tensor_type {elem_type: 1}}} output {`},
		{name: "value_info of input and initializer", old: "output {", new: `value_info {name: "x" type {tensor_type {elem_type: 1}}} value_info {name: "w" type {tensor_type {elem_type: 1}}} output {`},
		{name: "no input name", old: `input {name: "x" type`, new: "input {type", refused: `graph input without a name`},
		{name: "no input type", old: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `input {name: "x"}`, want: `operators 18, w [2] [3 4], x undefined [] false, alpha 2`},
		{name: "no input element type", old: `input {name: "x" type {tensor_type {elem_type: 1 `, new: `input {name: "x" type {tensor_type {`, want: `operators 18, w [2] [3 4], x undefined [2] true, alpha 2`},
		{name: "no input shape", old: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `input {name: "x" type {tensor_type {elem_type: 1}}}`, want: `operators 18, w [2] [3 4], x float32 [] false, alpha 2`},
		{name: "input shape without dims", old: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `input {name: "x" type {tensor_type {elem_type: 1 shape {}}}}`, want: `operators 18, w [2] [3 4], x float32 [] true, alpha 2`},
		{name: "input dim unknown", old: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {}}}}}`, want: `operators 18, w [2] [3 4], x float32 [?] true, alpha 2`},
		{name: "input dim of empty name", old: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_param: ""}}}}}`, want: `operators 18, w [2] [3 4], x float32 [?] true, alpha 2`},
		{name: "input dim -1", old: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: -1}}}}}`, want: `operators 18, w [2] [3 4], x float32 [?] true, alpha 2`},
		{name: "input dim -5", old: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `input {name: "x" type {tensor_type {elem_type: 1 shape {dim {dim_value: -5}}}}}`, want: `operators 18, w [2] [3 4], x float32 [?] true, alpha 2`},
		{name: "input denotations", old: `shape {dim {dim_value: 2}}}}}
output`, new: `shape {dim {dim_value: 2 denotation: "DATA_BATCH"}}} denotation: "TENSOR"}}
output`},
		{name: "no output type", old: `output {name: "y" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `output {name: "y"}`},
		{name: "output type without a value", old: `output {name: "y" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `output {name: "y" type {}}`},
		{name: "no output shape", old: `output {name: "y" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `output {name: "y" type {tensor_type {elem_type: 1}}}`},
		{name: "output shape without dims", old: `output {name: "y" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`, new: `output {name: "y" type {tensor_type {elem_type: 1 shape {}}}}`},
		{name: "no outputs", old: `output {name: "y" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}}`},
		{name: "output twice", old: `output {name`, new: `output {name: "y" type {tensor_type {elem_type: 1 shape {dim {dim_value: 2}}}}} output {name`},
		{name: "sequence input", old: "output {", new: `input {name: "s" type {sequence_type {elem_type {tensor_type {elem_type: 1}}}}} output {`},
		{name: "annotations", old: "output {", new: `quantization_annotation {tensor_name: "w" quant_parameter_tensor_names {key: "SCALE_TENSOR" value: "s"}} output {`},
		{name: "graph metadata", old: "output {", new: `metadata_props {key: "k"} output {`},
		{name: "sparse initializer", old: "initializer {name: \"w\" data_type: 1 dims: 2 float_data: [3, 4]}",
			new: `sparse_initializer {values {name: "w" data_type: 1 dims: 2 float_data: [3, 4]} indices {data_type: 7 dims: 2 int64_data: [0, 1]} dims: 2}`, want: `operators 18, w sparse, x float32 [2] true, alpha 2`},
		{name: "training info", old: "opset_import", new: `training_info {algorithm {name: "t"}} opset_import`},
		{name: "function", old: `opset_import`, new: `functions {name: "F" domain: "f" input: "i" output: "o" opset_import {version: 18} node {op_type: "Relu" input: "i" output: "o"}} opset_import {domain: "f" version: 1} opset_import`},
		{name: "function without domain", old: `opset_import`, new: `functions {name: "F" input: "i" output: "o" opset_import {version: 18} node {op_type: "Relu" input: "i" output: "o"}} opset_import`},
		{name: "function without operator sets", old: `opset_import`, new: `functions {name: "F" domain: "f" input: "i" output: "o" node {op_type: "Relu" input: "i" output: "o"}} opset_import {domain: "f" version: 1} opset_import`, refused: `function "F": no version given`},
		{name: "function without name", old: `opset_import`, new: `functions {domain: "f" input: "i" output: "o" opset_import {version: 18} node {op_type: "Relu" input: "i" output: "o"}} opset_import {domain: "f" version: 1} opset_import`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := complete
			if c.old != "" {
				text = strings.Replace(complete, c.old, c.new, 1)
				if text == complete {
					t.Fatal("nothing was replaced")
				}
			}
			want := &onnxpb.ModelProto{}
			if err := prototext.Unmarshal([]byte(text), want); err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			path := filepath.Join(folder, "model.onnx")
			if err := os.WriteFile(path, marshal(t, want), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "data"), []byte("\x00\x00@@\x00\x00\x80@"), 0o644); err != nil {
				t.Fatal(err)
			}
			m, err := Load(path)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("got error %v, want one with %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if meant := cmp.Or(c.want, "operators 18, w [2] [3 4], x float32 [2] true, alpha 2"); means(t, m) != meant || means(t, m.Clone()) != meant {
				t.Errorf("it is taken for %s, want %s", means(t, m), meant)
			}
			got := &onnxpb.ModelProto{}
			if err := proto.Unmarshal(marshal(t, m.Clone().assemble(asItIs)), got); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("saved, it is\n%v\nwas\n%v", got, want)
			}
		})
	}
}

// means shows what the model is taken for.
func means(t *testing.T, m *Model) string {
	t.Helper()
	w := "sparse"
	if c := m.Graph.Value("w").Constant(); c != nil {
		data, err := c.Float64s()
		if err != nil {
			t.Error(err)
		}
		w = fmt.Sprint(c.Dims(), data)
	}
	x, known := m.Graph.Value("x").Shape()
	alpha := float32(0)
	for _, n := range m.Graph.Nodes() {
		if n.Is("Elu") {
			alpha = n.Float("alpha", 1)
		}
	}
	return fmt.Sprintf("operators %d, w %s, x %v %v %v, alpha %v", m.Opset(""), w, m.Graph.Value("x").DType(), x, known, alpha)
}
