package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestTellConversions warns of blocks that lose much, and of those that train more than their source.
func TestTellConversions(t *testing.T) {
	row := func(before, after int64, expansion int, relative, output float64) transform.Conversion {
		c := transform.Conversion{Outcome: transform.Outcome{Status: transform.Converted}, Out: 4, Expansion: expansion}
		c.Before.Trainable, c.After.Trainable = before, after
		if relative >= 0 {
			c.Error = &relative
		}
		if output >= 0 {
			c.OutputError = &output
		}
		return c
	}
	shared := row(0, 0, 4, 0.9, -1)
	shared.SharedWith = "conv"
	skipped := transform.Conversion{Outcome: transform.Outcome{Status: transform.Skipped}}
	noted := row(10, 5, 1, 0, -1)
	noted.Note = "sinusoids"
	for name, c := range map[string]struct {
		rows   []transform.Conversion
		counts bool
		want   []string // of each line
	}{
		"nothing":                    {nil, true, []string{"no convolution"}},
		"good":                       {[]transform.Conversion{row(10, 5, 1, 0.5, -1), skipped}, true, nil},
		"random":                     {[]transform.Conversion{row(10, 5, 1, -1, -1)}, true, nil},
		"large errors of weights":    {[]transform.Conversion{row(10, 5, 1, 0.51, -1), row(10, 5, 1, 0.1, -1), skipped}, true, []string{"relative error is large, above 0.5, in 1 of 2"}},
		"a place of the same block":  {[]transform.Conversion{row(10, 5, 1, 0.9, -1), shared}, true, []string{"in 1 of 1"}},
		"the output's error counts":  {[]transform.Conversion{row(10, 5, 1, 0.9, 0.2)}, true, nil},
		"large errors of outputs":    {[]transform.Conversion{row(10, 5, 1, 0.2, 0.9)}, true, []string{"output error is large"}},
		"errors that do not count":   {[]transform.Conversion{row(10, 5, 1, 0.9, -1)}, false, nil},
		"growing":                    {[]transform.Conversion{row(10, 5, 4, 0, -1), row(1000, 2500, 4, 0, -1)}, true, []string{"in 1 of 2 frozen blocks than in the convolutions that they replace, 2,500 instead of 1,000: a smaller -E"}},
		"growing without expansion":  {[]transform.Conversion{row(10, 11, 1, 0, -1)}, true, []string{"--layout depthwise"}},
		"both, and fixed on purpose": {[]transform.Conversion{noted, row(10, 11, 1, 0.8, -1)}, true, []string{"--max-error", "more parameters", "on purpose"}},
	} {
		var talk bytes.Buffer
		p := printer{stderr: &talk}
		p.tellConversions(c.rows, c.counts)
		lines := strings.Split(strings.TrimSuffix(talk.String(), "\n"), "\n")
		if talk.Len() == 0 {
			lines = nil
		}
		if len(lines) != len(c.want) {
			t.Errorf("%s: says %q, want %d lines", name, lines, len(c.want))
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: says %q, want %q", name, lines[i], want)
			}
		}
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
		{"inspect plain.onnx", "there is no convolution", false},
		{"inspect plain.onnx --plan", "there is no convolution", false},
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
		{"convert model.onnx -o out.onnx --pointwise random", []string{"trained", "in bank"}, []string{"MACs", "groups", " relative "}},
		{"convert model.onnx -o out.onnx", []string{" relative "}, []string{"MACs", " output "}},
		{"inspect model.onnx", []string{"MACs", "parameters"}, []string{" relative "}},
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
