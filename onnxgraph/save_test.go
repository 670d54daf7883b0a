package onnxgraph

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfiletest"
)

// TestSaveWithFaults saves models over others, with data files and without.
func TestSaveWithFaults(t *testing.T) {
	const nothing = ExternalMode(-1)
	modes := map[ExternalMode]string{nothing: "nothing", ExternalNone: "a model", ExternalAll: "a model with data"}
	save := func(folder string, elements int64, mode ExternalMode) error {
		if mode == nothing {
			return nil
		}
		return small(t, elements).Save(filepath.Join(folder, "m.onnx"), mode)
	}
	for _, c := range []struct {
		before, after ExternalMode
		elements      int64 // of the new model; the old one has 500
	}{
		{nothing, ExternalNone, 600},
		{nothing, ExternalAll, 600},
		{ExternalNone, ExternalAll, 600},
		{ExternalAll, ExternalNone, 600},
		{ExternalAll, ExternalAll, 600},
		{ExternalAll, ExternalNone, 500},
		{ExternalNone, ExternalAll, 500},
	} {
		t.Run(fmt.Sprintf("%s, then %s of %d elements", modes[c.before], modes[c.after], c.elements), func(t *testing.T) {
			atomicfiletest.Check(t, atomicfiletest.Case{
				Before: func(folder string) error { return save(folder, 500, c.before) },
				Write:  func(folder string) error { return save(folder, c.elements, c.after) },
				State: func(folder string) (string, error) {
					m, err := Load(filepath.Join(folder, "m.onnx"))
					if errors.Is(err, fs.ErrNotExist) {
						files, err := filepath.Glob(filepath.Join(folder, "m.onnx"))
						return fmt.Sprint(len(files), " models"), err
					}
					if err != nil {
						return "", err
					}
					w := m.Graph.Value("w").Constant()
					raw, err := w.Raw()
					return fmt.Sprintf("%d bytes, external %v, %x", len(raw), w.IsExternal(), sha256.Sum256(raw)), err
				},
			})
		})
	}
}

// TestObsoleteData saves a model over another one with data, among other files: data goes if Save made it for the model that is
// replaced, and no model in the folder needs it.
func TestObsoleteData(t *testing.T) {
	copyTo := func(name string) func(path, data string) error {
		return func(path, data string) error { return copyFile(filepath.Join(filepath.Dir(path), name), path) }
	}
	for _, c := range []struct {
		what  string
		put   func(path, data string) error // beside the model and its data file
		goes  bool
		again bool // the model is saved as it was
	}{
		{"nothing else", func(path, data string) error { return nil }, true, false},
		{"the same model", func(path, data string) error { return nil }, false, true},
		{"a copy", copyTo("backup.onnx"), false, false},
		{"a copy of another kind of name", copyTo("m.onnx.bak"), false, false},
		{"a hard link", func(path, data string) error { return os.Link(path, filepath.Join(filepath.Dir(path), "link.onnx")) }, false, false},
		{"another model", func(path, data string) error {
			return small(t, 700).Save(filepath.Join(filepath.Dir(path), "other.onnx"), ExternalAll)
		}, true, false},
		{"what is no model", func(path, data string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), "text.onnx"), []byte(filepath.Base(data)), 0o644)
		}, true, false},
		{"notes", func(path, data string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), "notes"), []byte(filepath.Base(data)), 0o644)
		}, true, false},
		{"the data is a link", func(path, data string) error {
			return errors.Join(os.Rename(data, path+".elsewhere"), os.Symlink(path+".elsewhere", data))
		}, false, false},
		{"the model is gone", func(path, data string) error { return os.Remove(path) }, false, false},
		{"the model was replaced by others", func(path, data string) error { return os.WriteFile(path, []byte("x"), 0o644) }, false, false},
		{"the model names other data", func(path, data string) error {
			rewriteLocation(t, path, "m.onnx.data", Float32)
			return nil
		}, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.onnx")
			if err := small(t, 500).Save(path, ExternalAll); err != nil {
				t.Fatal(err)
			}
			data := dataFile(t, path)
			if err := c.put(path, data); err != nil {
				t.Fatal(err)
			}
			elements := int64(600)
			if c.again {
				elements = 500
			}
			if err := small(t, elements).Save(path, ExternalAll); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) != c.goes {
				t.Errorf("the data of the replaced model: %v, but it is to go: %v", err, c.goes)
			}
			if _, err := Load(path); err != nil {
				t.Error(err)
			}
		})
	}
}
