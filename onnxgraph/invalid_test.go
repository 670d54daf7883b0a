package onnxgraph

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInvalidModelsAreNotWritten changes a model so that it could not be loaded again: every way to write it fails, and what was there stays.
func TestInvalidModelsAreNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Model)
		fault  string
	}{
		"no operator set": {func(m *Model) { m.SetOpset("", 0) }, "operator set"},
		"a cycle":         {func(m *Model) { n := m.Graph.Nodes()[0]; n.SetInput(0, n.Output(0)) }, "cycle"},
		"strides of 0":    {func(m *Model) { m.Graph.Nodes()[0].SetAttr(Ints("strides", 0, 1)) }, "strides"},
	} {
		m := New("net", 8, 18)
		x, err := m.Graph.AddInput("x", Float32, Static(1, 1, 4, 4))
		if err != nil {
			t.Fatal(err)
		}
		w := m.Graph.AddConstant("w", NewTensor([]int64{1, 1, 3, 3}, make([]float32, 9)))
		m.Graph.AddOutput(m.Graph.AddNode("Conv", []*Value{x, w}).Output(0), Float32, nil)
		if err := m.Save(filepath.Join(t.TempDir(), "sound.onnx"), ExternalNone); err != nil {
			t.Fatal(err)
		}
		c.change(m)
		for _, mode := range []ExternalMode{ExternalAsRead, ExternalAll, ExternalNone} {
			if err := m.Save(path, mode); err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), "nothing was written") {
				t.Errorf("%s: got %v, want %q", name, err, c.fault)
			}
		}
		if s, err := m.StageTemporarily(ExternalNone); err == nil {
			s.Abandon()
			t.Errorf("%s: was staged", name)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "before" {
			t.Errorf("%s: the file has %q now (%v)", name, text, err)
		}
	}
}
