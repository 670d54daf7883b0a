package onnxgraph

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// seeded is small with weights that depend on seed.
func seeded(t *testing.T, seed float32) *Model {
	t.Helper()
	m := small(t, 5000)
	data := make([]float32, 5000)
	data[4999] = seed
	m.Graph.Value("w").SetConstant(NewTensor([]int64{5000}, data))
	return m
}

// TestReplacedDataGoes saves a model over another one, with data beside each. The old data goes, unless something in the folder
// may need it; and whatever is left in the folder can be loaded, with the weights that it had.
func TestReplacedDataGoes(t *testing.T) {
	write := func(t *testing.T, name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		before func(t *testing.T, data string) // in the folder, where "m.onnx" and its data are
		mode   ExternalMode
		stays  bool   // the old data
		same   bool   // the new model has the same weights
		copies string // the names of copies of the old model
	}{
		{name: "nothing else", mode: ExternalAll},
		{name: "without data", mode: ExternalNone},
		{name: "the same weights", mode: ExternalAll, stays: true, same: true},
		{name: "a copy", mode: ExternalAll, stays: true, copies: "copy.onnx", before: func(t *testing.T, _ string) { copyTo(t, "m.onnx", "copy.onnx") }},
		{name: "two copies", mode: ExternalNone, stays: true, copies: "a.onnx z.onnx.old",
			before: func(t *testing.T, _ string) { copyTo(t, "m.onnx", "a.onnx"); copyTo(t, "m.onnx", "z.onnx.old") }},
		{name: "other models", mode: ExternalAll, before: func(t *testing.T, _ string) {
			if err := seeded(t, 7).Save("other.onnx", ExternalAll); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "what is no model", mode: ExternalAll, before: func(t *testing.T, data string) {
			write(t, "notes.onnx.txt", "see "+data)
			write(t, "empty.onnx", "")
			write(t, "list.txt", data)
			if err := os.Mkdir("folder.onnx", 0o755); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a damaged model", mode: ExternalAll, stays: true, before: func(t *testing.T, _ string) { write(t, "m.onnx", "damaged") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			old := seeded(t, 1)
			if err := old.Save("m.onnx", ExternalAll); err != nil {
				t.Fatal(err)
			}
			found, err := filepath.Glob("m.onnx.*.data")
			if err != nil || len(found) != 1 {
				t.Fatalf("the model has the data files %v, %v", found, err)
			}
			data := found[0]
			if c.before != nil {
				c.before(t, data)
			}
			others := folderNames(t)
			next := seeded(t, 2)
			if c.same {
				next = old
			}
			if err := next.Save("m.onnx", c.mode); err != nil {
				t.Fatal(err)
			}
			if exists := slices.Contains(folderNames(t), data); exists != c.stays {
				t.Errorf("the old data is there: %v; the folder has %v", exists, folderNames(t))
			}
			for _, name := range others {
				if name != data && !slices.Contains(folderNames(t), name) {
					t.Errorf("%s is gone", name)
				}
			}
			want := map[string]*Model{"m.onnx": next}
			for _, name := range strings.Fields(c.copies) {
				want[name] = old
			}
			for name, m := range want {
				loaded, err := Load(name)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(weights(t, loaded), weights(t, m)) {
					t.Errorf("%s has other weights", name)
				}
			}
		})
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// folderNames lists the working folder.
func folderNames(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestStageTemporarily saves a model for a while: it can be loaded, data and all, until it is abandoned. One that cannot be saved
// leaves nothing.
func TestStageTemporarily(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, mode := range []ExternalMode{ExternalNone, ExternalAll} {
		m := seeded(t, 3)
		s, err := m.StageTemporarily(mode)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(s.Path())
		if err != nil {
			t.Fatal(err)
		}
		if w := loaded.Graph.Value("w").Constant(); !bytes.Equal(weights(t, loaded), weights(t, m)) || w.IsExternal() != (mode == ExternalAll) {
			t.Errorf("mode %d: other weights, or external: %v", mode, w.IsExternal())
		}
		end := atomicfile.Intercept(func(s atomicfile.Step) error {
			if s.Doing == atomicfile.Removing {
				return errors.New("no luck")
			}
			return nil
		})
		err = s.Abandon()
		if end(); err == nil || !strings.Contains(err.Error(), "no luck") {
			t.Errorf("mode %d: what cannot be removed is left without a word: %v", mode, err)
		}
		if err := s.Abandon(); err != nil {
			t.Error(err)
		}
		m.Graph.AddConstant("bad", NewLazyTensor(Float32, []int64{5000}, func() (*Tensor, error) { return NewScalar(float32(1)), nil }))
		if _, err := m.StageTemporarily(mode); err == nil || !strings.Contains(err.Error(), "needs 20000 bytes, got 4") {
			t.Errorf("mode %d: got error %v", mode, err)
		}
		if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
			t.Errorf("mode %d: left are %v, %v", mode, left, err)
		}
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if _, err := small(t, 3).StageTemporarily(ExternalNone); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("without a folder for temporary files: got error %v", err)
	}
}
