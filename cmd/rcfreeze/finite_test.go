package main

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// writeNormed writes a model of a 3×3 convolution and a BatchNorm in float16 with these numbers for weights and scales.
func writeNormed(t *testing.T, path string, weight, scale float64) {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	constant := func(name string, v float64, dims ...int64) *onnxgraph.Value {
		size := int64(1)
		for _, d := range dims {
			size *= d
		}
		data := make([]float64, size)
		for i := range data {
			data[i] = v
		}
		c, err := onnxgraph.FromFloat64s(onnxgraph.Float16, dims, data)
		if err != nil {
			t.Fatal(err)
		}
		return m.Graph.AddConstant(name, c)
	}
	x, err := m.Graph.AddInput("x", onnxgraph.Float16, onnxgraph.Static(1, 2, 6, 6))
	if err != nil {
		t.Fatal(err)
	}
	y := m.Graph.AddNode("Conv", []*onnxgraph.Value{x, constant("conv.weight", weight, 2, 2, 3, 3)}).Output(0)
	y = m.Graph.AddNode("BatchNormalization", []*onnxgraph.Value{y, constant("scale", scale, 2), constant("bias", 0, 2), constant("mean", 0, 2), constant("variance", 1, 2)}).Output(0)
	m.Graph.AddOutput(y, onnxgraph.Float16, nil)
	if err := m.Save(path, onnxgraph.ExternalNone); err != nil {
		t.Fatal(err)
	}
}

// TestWeightsThatAreNotFinite has models whose weights are NaN, or become infinite by folding: nothing of that is written in
// silence, and the latter not at all.
func TestWeightsThatAreNotFinite(t *testing.T) {
	workshop(t)
	writeNormed(t, "nan.onnx", 1, math.NaN())
	writeNormed(t, "overflow.onnx", 1000, 1000)

	r := succeedJSON[rcfreeze.Inspection](t, "inspect", "nan.onnx")
	if len(r.NotFinite) != 1 || r.NotFinite[0] != (onnxgraph.NotFinite{Name: "scale", NaN: 2}) {
		t.Errorf("inspect found %v", r.NotFinite)
	}
	if text := succeed(t, "inspect", "nan.onnx"); !strings.Contains(text, "scale (2 NaN)") {
		t.Errorf("inspect prints\n%s", text)
	}
	if r := succeedJSON[rcfreeze.Inspection](t, "inspect", "overflow.onnx"); len(r.NotFinite) != 0 {
		t.Errorf("inspect found %v", r.NotFinite)
	}
	for args, want := range map[string]string{
		"convert nan.onnx -o out.onnx --pointwise random": "scale (2 NaN)",
		"convert nan.onnx -o - --pointwise random":        "scale (2 NaN)",
		"export nan.onnx -o out.onnx --no-verify":         "conv.weight (36 NaN)", // of the scale that was folded
	} {
		_, stderr, code := call(strings.Fields(args)...)
		if code != exitDone || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, said %s", args, code, stderr)
		}
	}
	if err := os.Remove("out.onnx"); err != nil {
		t.Fatal(err)
	}
	fails(t, "export overflow.onnx -o out.onnx --no-verify", "out.onnx", "conv.weight (36 infinite)", "nothing was written")
}
