package convcases

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// WithoutData returns a model as it is loaded from a file whose data file is gone since, so that its tensors cannot be read.
func WithoutData(t testing.TB, m *onnxgraph.Model) *onnxgraph.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := m.Save(path, onnxgraph.ExternalAll); err != nil {
		t.Fatal(err)
	}
	loaded, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := filepath.Glob(path + ".*.data")
	if err != nil || len(data) != 1 {
		t.Fatalf("data files: %v, %v", data, err)
	}
	if err := os.Remove(data[0]); err != nil {
		t.Fatal(err)
	}
	return loaded
}
