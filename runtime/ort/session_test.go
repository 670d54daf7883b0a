package ort_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

func TestOpenErrors(t *testing.T) {
	orttest.Init(t)
	notAModel := filepath.Join(t.TempDir(), "notes.onnx")
	if err := os.WriteFile(notAModel, []byte("no model"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		options    ort.Options
		pieces     []string
	}{
		{"missing file", "no/such.onnx", ort.Options{}, []string{"no/such.onnx", "no such file"}},
		{"not a model", notAModel, ort.Options{}, []string{notAModel, "Protobuf"}},
		{"unsettled provider", "testdata/external.onnx", ort.Options{Provider: ort.Auto}, []string{"auto", "Select"}},
		{"unknown provider", "testdata/external.onnx", ort.Options{Provider: "tpu"}, []string{"tpu"}},
		{"threads", "testdata/external.onnx", ort.Options{IntraOpThreads: -1}, []string{"threads", "-1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ort.Open(test.path, test.options)
			wantError(t, err, append(test.pieces, "opening a session")...)
		})
	}
}

func TestOpenBytesNeedsWholeModel(t *testing.T) {
	orttest.Init(t)
	data, err := os.ReadFile(filepath.Join("testdata", "external.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = ort.OpenBytes(data, ort.Options{})
	wantError(t, err, "a model in memory", "external")
}

func TestProfileIsWritten(t *testing.T) {
	orttest.Init(t)
	prefix := filepath.Join(t.TempDir(), "profile")
	s, err := ort.Open(filepath.Join("testdata", "external.onnx"), ort.Options{ProfilePrefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(tensors{"x": onnxgraph.NewTensor([]int64{4}, []float32{1, 1, 1, 1})}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(prefix + "*.json")
	if len(files) != 1 {
		t.Errorf("%d profiles written, want 1", len(files))
	}
}

// TestOutOfMemory asks for more than any address space holds.
func TestOutOfMemory(t *testing.T) {
	g := newGraph(t)
	x := g.input("x", onnxgraph.Float32, 1)
	shape := g.constant("shape", onnxgraph.NewTensor([]int64{1}, []int64{1 << 46}))
	g.output("y", g.op("Expand", x, shape), onnxgraph.Float32, 1<<46)
	_, err := g.open(ort.Options{}).Run(tensors{"x": onnxgraph.NewTensor([]int64{1}, []float32{1})})
	if !errors.Is(err, ort.ErrOutOfMemory) {
		t.Errorf("got %v, want ErrOutOfMemory", err)
	}
}
