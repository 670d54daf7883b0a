package onnxgraph

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// small returns a model y = x + w, whose w has n elements.
func small(t *testing.T, n int64) *Model {
	t.Helper()
	m := New("small", 8, 18)
	x, err := m.Graph.AddInput("x", Float32, Static(n))
	if err != nil {
		t.Fatal(err)
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(i)
	}
	y := m.Graph.AddNode("Add", []*Value{x, m.Graph.AddConstant("w", NewTensor([]int64{n}, data))}).Output(0)
	m.Graph.AddOutput(y, Float32, Static(n))
	return m
}

func weights(t *testing.T, m *Model) []byte {
	t.Helper()
	raw, err := m.Graph.Value("w").Constant().Raw()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestExternalData moves a model through every way of storing its tensors: the weights stay the same.
func TestExternalData(t *testing.T) {
	m := small(t, 5000)
	want := weights(t, m)
	folder := t.TempDir()
	for i, mode := range []ExternalMode{ExternalAll, ExternalAsRead, ExternalNone, ExternalAll} {
		path := filepath.Join(folder, "sub", string(rune('a'+i))+".onnx")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := m.Save(path, mode); err != nil {
			t.Fatal(err)
		}
		var err error
		if m, err = Load(path); err != nil {
			t.Fatal(err)
		}
		if external := m.Graph.Value("w").Constant().IsExternal(); external != (mode != ExternalNone) {
			t.Errorf("mode %d: external is %v", mode, external)
		}
		if !bytes.Equal(weights(t, m), want) || !bytes.Equal(weights(t, m.Clone()), want) {
			t.Errorf("mode %d: the weights changed", mode)
		}
	}
}

// TestSaveOverItsOwnData saves a model in place: its data file is read while it is replaced.
func TestSaveOverItsOwnData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	m := small(t, 5000)
	want := weights(t, m)
	for range 3 {
		if err := m.Save(path, ExternalAll); err != nil {
			t.Fatal(err)
		}
		var err error
		if m, err = Load(path); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(weights(t, m), want) {
			t.Fatal("the weights changed")
		}
	}
}

// TestHostileExternalData has models whose data is missing, short, or outside the model's folder.
func TestHostileExternalData(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "secret"), make([]byte, 20000), 0o600); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(folder, "inside")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(folder, "secret"), filepath.Join(inside, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inside, "short"), make([]byte, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	for location, want := range map[string]string{
		"../secret":                     "leaves the model's folder",
		filepath.Join(folder, "secret"): "leaves the model's folder",
		"link":                          "leaves the model's folder",
		"missing":                       "no such file",
		"short":                         "needs 20000 bytes at 0 of",
		"":                              "without a location",
	} {
		for _, dtype := range []DType{Float32, String, 99} { // those whose elements are not looked at, too
			m := small(t, 5000)
			path := filepath.Join(inside, "model.onnx")
			if err := m.Save(path, ExternalAll); err != nil {
				t.Fatal(err)
			}
			rewriteLocation(t, path, location, dtype)
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("location %q of %v: got error %v, want one with %q and the model's path", location, dtype, err, want)
			}
		}
	}
}

// rewriteLocation changes where a saved model's first initializer says its data is, and of which type.
func rewriteLocation(t *testing.T, path, location string, dtype DType) {
	t.Helper()
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	p := m.Graph.Value("w").constant.proto
	p.ExternalData[0].Value, p.DataType = &location, proto.Int32(int32(dtype))
	data := marshal(t, m.assemble(asItIs))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestFailedSaveLeavesFiles saves to places that cannot be written: nothing is left, nothing is lost.
func TestFailedSaveLeavesFiles(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "model.onnx")
	m := small(t, 5000)
	if err := m.Save(path, ExternalAll); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".data"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{path, filepath.Join(folder, "missing", "model.onnx")} {
		if err := loaded.Save(target, ExternalAsRead); err == nil {
			t.Errorf("saving to %s without the data file: no error", target)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("a failed save changed the file: %v", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("a failed save left files: %v, %v", entries, err)
	}
}
