package main

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// TestUnknownMACs has no room for the file that ONNX Runtime infers sizes from: the model is converted all the same, and what the table lacks
// is told.
func TestUnknownMACs(t *testing.T) {
	workshop(t)
	for _, variable := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(variable, "nowhere")
	}
	stdout, talk, code := call("convert", "model.onnx", "-o", "out.onnx")
	if code != exitDone || strings.Contains(stdout, "MACs") || !strings.Contains(talk, "the MACs of 2 convolutions are not known: ") || !strings.Contains(talk, "nowhere") {
		t.Errorf("exit code %d:\n%s%s", code, stdout, talk)
	}
}

// TestNoConvolution says in plain words that there is nothing to convert.
func TestNoConvolution(t *testing.T) {
	workshop(t)
	m := onnxgraph.New("plain", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(1, 12, 12)...))
	if err != nil {
		t.Fatal(err)
	}
	flat := m.Graph.AddNode("Flatten", []*onnxgraph.Value{x}).Output(0)
	w := m.Graph.AddConstant("w", onnxgraph.NewTensor([]int64{144, 3}, make([]float32, 432)))
	y := m.Graph.AddNode("MatMul", []*onnxgraph.Value{flat, w}).Output(0)
	m.Graph.AddOutput(y, onnxgraph.Float32, []onnxgraph.Dim{{Size: -1}, {Size: 3}})
	if err := m.Save("plain.onnx", onnxgraph.ExternalNone); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, want string
		fails      bool
	}{
		{"convert plain.onnx -o out.onnx", "it has no convolution", true},
		{"convert plain.onnx -o out.onnx --pointwise random", "it has no convolution", true},
		{"convert plain.onnx -o out.onnx --pointwise calibrate --data bands", "it has no convolution", true},
		{"convert plain.onnx -o out.onnx --include conv", "the model has none", true},
		{"inspect plain.onnx", "the model has no convolutions", false},
		{"inspect plain.onnx --plan", "the model has no convolutions", false},
		{"compare plain.onnx -o out --data bands --variants baseline,frozen --epochs 1 -b 16", "none of its 0 convolutions", true},
	} {
		_, talk, code := call(strings.Fields(c.args)...)
		if (code != exitDone) != c.fails || !strings.Contains(talk, c.want) || strings.Contains(talk, "%!") {
			t.Errorf("%s: exit code %d: %s", c.args, code, talk)
		}
	}
}

// TestConversionTable shows the columns that say something.
func TestConversionTable(t *testing.T) {
	workshop(t)
	for _, c := range []struct {
		args     string
		has, not []string
	}{
		{"convert model.onnx -o out.onnx --pointwise random", []string{"trained", "in bank", "MACs", "  converted\n"}, []string{"groups", " relative "}},
		{"convert model.onnx -o out.onnx", []string{" relative ", "MACs"}, []string{" output "}},
		{"inspect model.onnx", []string{"MACs", "parameters", "  would convert\n"}, []string{" relative ", "converted"}},
		{"convert model.onnx -o out.onnx --pointwise calibrate --data bands", []string{" relative ", " output "}, []string{"groups"}},
	} {
		table := succeed(t, strings.Fields(c.args)...)
		for _, want := range c.has {
			if !strings.Contains(table, want) {
				t.Errorf("%s: no column %q:\n%s", c.args, want, table)
			}
		}
		for _, not := range c.not {
			if strings.Contains(table, not) {
				t.Errorf("%s: a column %q:\n%s", c.args, not, table)
			}
		}
	}
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx")
	if out := succeed(t, "inspect", "blocks.onnx"); strings.Count(out, "it is the bank of the frozen block of this name") != 1 {
		t.Errorf("not one note for the banks of all blocks:\n%s", out)
	}
	if _, talk, _ := call("convert", "model.onnx", "-o", "out.onnx"); strings.Contains(talk, "MACs") {
		t.Errorf("tells of a column that is not there: %q", talk)
	}
}
