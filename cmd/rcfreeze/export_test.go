package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// writeArray writes an .npz file of one array of type float32.
func writeArray(t *testing.T, path, name string, dims []int64, value float32) {
	t.Helper()
	count := int64(1)
	shape := ""
	for _, d := range dims {
		count *= d
		shape += fmt.Sprint(d, ",")
	}
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }\n"
	array := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	array = append(array, header...)
	for range count {
		array = binary.LittleEndian.AppendUint32(array, math.Float32bits(value))
	}
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	w, err := archive.Create(name + ".npy")
	if err == nil {
		_, err = w.Write(array)
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, file.Bytes())
}

// saveDefinedAbove saves a model of one convolution whose output is a number only for inputs above a bound.
func saveDefinedAbove(t *testing.T, path string, bound float32) {
	t.Helper()
	m := onnxgraph.New("bounded", 8, 18)
	g := m.Graph
	x, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 1, 4, 4))
	if err != nil {
		t.Fatal(err)
	}
	constant := func(v float32) *onnxgraph.Value {
		return g.AddConstant("c", onnxgraph.NewTensor([]int64{1}, []float32{v}))
	}
	smallest := g.AddNode("ReduceMin", []*onnxgraph.Value{x}, onnxgraph.Int("keepdims", 0)).Output(0)
	root := g.AddNode("Sqrt", []*onnxgraph.Value{g.AddNode("Sub", []*onnxgraph.Value{smallest, constant(bound)}).Output(0)}).Output(0)
	w := g.AddConstant("w", onnxgraph.NewTensor([]int64{1, 1, 3, 3}, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}))
	y := g.AddNode("Mul", []*onnxgraph.Value{g.AddNode("Conv", []*onnxgraph.Value{x, w}).Output(0), root}).Output(0)
	g.Rename(y, "y")
	g.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(1, 1, 2, 2))
	if err := m.Save(path, onnxgraph.ExternalNone); err != nil {
		t.Fatal(err)
	}
}

// TestExportTells checks what people read of what was merged, and on what it was verified.
func TestExportTells(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "linear.onnx")
	succeed(t, "convert", "model.onnx", "-o", "relu.onnx", "--between", "relu", "--pointwise", "random")
	saveDefinedAbove(t, "above5.onnx", 5)
	saveDefinedAbove(t, "above-1.onnx", -1)
	writeArray(t, "large.npz", "x", []int64{1, 1, 4, 4}, 7)
	writeArray(t, "other.npz", "z", []int64{1, 1, 4, 4}, 7)
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // what is in them
	}{
		{"linear.onnx", exitDone, "merged         2 of 2 frozen blocks", ""},
		{"relu.onnx", exitDone, "merged         0 of 2 frozen blocks", "none of the 2 frozen blocks was merged"},
		{"model.onnx", exitDone, "written", "model.onnx has no frozen blocks"},
		{"model.onnx", exitDone, "input [8, 1, 12, 12]", ""},
		{"model.onnx --verify-batch 3", exitDone, "input [3, 1, 12, 12]", ""},
		{"model.onnx --time --verify-batch 5 --time-runs 1", exitDone, "                 5  ", ""},
		{"above-1.onnx", exitDone, "x [1, 1, 4, 4]", ""}, // with numbers from 0 to 1
		{"above5.onnx", exitFailed, "", "--inputs"},
		{"above5.onnx --inputs large.npz", exitDone, "x [1, 1, 4, 4] of 7", ""},
		{"above5.onnx --inputs other.npz", exitFailed, "", `unknown input "z"`},
		{"above5.onnx --inputs missing.npz", exitFailed, "", "missing.npz"},
		{"above5.onnx --no-verify", exitDone, "verified  no", ""},
	} {
		args := append([]string{"export", "-o", "out.onnx"}, strings.Fields(c.args)...)
		stdout, stderr, code := call(args...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("export %s: exit code %d, want %d with %q and %q:\n%s%s", c.args, code, c.code, c.stdout, c.stderr, stdout, stderr)
		}
	}
}

// TestTimingOfOneBatch times a model that is made for another batch than its source.
func TestTimingOfOneBatch(t *testing.T) {
	workshop(t)
	succeed(t, "export", "model.onnx", "-o", "two.onnx", "--batch", "2")
	r := succeedJSON[rcfreeze.Exported](t, "export", "two.onnx", "-o", "three.onnx", "--batch", "3", "--source", "model.onnx", "--time", "--time-runs", "1")
	var images []int64
	for _, m := range r.Models {
		images = append(images, m.Latency.Images)
		if m.Bytes < 1000 || !(m.Latency.PerSecond() > 0) {
			t.Errorf("%s: %d bytes, %g images a second", m.Name, m.Bytes, m.Latency.PerSecond())
		}
	}
	if !slices.Equal(images, []int64{3, 3, 3}) {
		t.Errorf("timed on batches of %v, want 3 for all", images)
	}
}
