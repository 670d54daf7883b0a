package transform_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/damage"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestPassesStream converts a model of 22 MB in several ways, and merges, folds and draws it anew: at no time may more than a
// half of its tensors be in memory.
func TestPassesStream(t *testing.T) {
	const convolutions, channels = 150, 64
	folder := t.TempDir()
	source, blocks := filepath.Join(folder, "source.onnx"), filepath.Join(folder, "blocks.onnx")
	saveWide(t, source, convolutions, channels)
	load := func(path string) *onnxgraph.Model {
		m, err := onnxgraph.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	save := func(m *onnxgraph.Model, path string, err error) {
		if err == nil {
			err = m.Save(path, onnxgraph.ExternalAll)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []transform.Options{
		{}, {Layout: transform.Depthwise, Pointwise: transform.Random, Between: transform.BatchNorm}, {Pointwise: transform.Identity, KernelSize: 5},
	} {
		growth := damage.HeapGrowth(func() {
			m := load(source)
			_, err := transform.Convert(m, o)
			save(m, blocks, err)
			m = load(blocks)
			_, err = transform.Merge(m)
			save(m, filepath.Join(folder, "merged.onnx"), err)
			m = load(blocks)
			_, err = parameter.Reinit(m, parameter.ReinitOptions{})
			save(m, filepath.Join(folder, "drawn.onnx"), err)
			m = load(source)
			_, err = normalization.Fold(m)
			save(m, filepath.Join(folder, "folded.onnx"), err)
		})
		largest := int64(0)
		data, err := filepath.Glob(blocks + ".*.data")
		if err != nil || len(data) != 1 {
			t.Fatalf("data files: %v, %v", data, err)
		}
		for _, path := range []string{source, data[0]} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			largest = max(largest, info.Size())
		}
		t.Logf("the heap held %d KiB more than before, the largest model is of %d KiB", growth>>10, largest>>10)
		if growth > uint64(largest/2) {
			t.Errorf("%+v: the heap held %d KiB more than before, the largest model is of %d", o, growth>>10, largest>>10)
		}
	}
}

// saveWide saves a model of convolutions side by side, each with a batch normalization behind it.
func saveWide(t *testing.T, path string, convolutions int, channels int64) {
	t.Helper()
	m := onnxgraph.New("wide", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, channels, 4, 4))
	if err != nil {
		t.Fatal(err)
	}
	filters := convcases.Draw(onnxgraph.Float32, 1, channels, channels, 3, 3)
	statistics := m.Graph.AddConstant("statistics", convcases.Draw(onnxgraph.Float32, 2, channels))
	for range convolutions {
		conv := m.Graph.AddNode("Conv", []*onnxgraph.Value{x, m.Graph.AddConstant("w", filters)})
		norm := m.Graph.AddNode("BatchNormalization", []*onnxgraph.Value{conv.Output(0), statistics, statistics, statistics, statistics})
		m.Graph.AddOutput(norm.Output(0), onnxgraph.Float32, nil)
	}
	if err := m.Save(path, onnxgraph.ExternalNone); err != nil {
		t.Fatal(err)
	}
}
