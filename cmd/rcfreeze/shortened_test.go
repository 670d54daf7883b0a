package main

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestLongNames checks that what has no end in a model fills no screen, neither in tables nor in talk, and that JSON has it
// whole.
func TestLongNames(t *testing.T) {
	workshop(t)
	long := strings.Repeat("long", 1<<16)
	ones := make([]int64, 100_000)
	for i := range ones {
		ones[i] = 1
	}
	m, err := onnxgraph.Load("model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	conv := m.Graph.Nodes()[0]
	conv.Rename(long + "conv")
	m.Graph.Rename(m.Graph.Outputs()[0], long+"output")
	if _, err := m.Graph.AddInput("many", onnxgraph.Float32, onnxgraph.Static(ones...)); err != nil {
		t.Fatal(err)
	}
	if err := m.Save("long.onnx", onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
	conv.SetAttr(onnxgraph.Ints("strides", make([]int64, 100_000)...))
	writeModel(t, "faulty.onnx", m)
	for _, c := range []struct {
		args  string
		fails bool
	}{
		{"inspect long.onnx", false},
		{"inspect faulty.onnx", true},
		{"convert long.onnx -o blocks.onnx", false},
		{"convert long.onnx -o none.onnx --min-kernel 9", true},
		{"export blocks.onnx -o merged.onnx --no-verify", false},
		{"inspect model.onnx --include " + long, true},
	} {
		stdout, stderr, code := call(strings.Fields(c.args)...)
		what := cut(c.args, 100)
		if (code != exitDone) != c.fails {
			t.Errorf("%s: exit code %d: %s", what, code, stderr)
		}
		const most = 40_000 // bytes: some lines and cells, with the frame of a table around each line of a cell
		if n := len(stdout) + len(stderr); n > most {
			t.Errorf("%s prints %d bytes", what, n)
		}
	}
	r := succeedJSON[rcfreeze.Inspection](t, "inspect", "long.onnx")
	last := r.Inputs[len(r.Inputs)-1]
	if len(last.Shape) != len(ones) || r.Convolutions[0].Node != long+"conv" || r.Convolutions[0].Status != transform.Converted {
		t.Errorf("JSON lacks some of %d dims or of a name", len(last.Shape))
	}
}
