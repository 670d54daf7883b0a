package atomicfile_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph/atomicfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph/atomicfile/atomicfiletest"
)

// writer returns what writes text, in two pieces.
func writer(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, piece := range []string{text[:len(text)/2], text[len(text)/2:]} {
			if _, err := io.WriteString(w, piece); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestWriteWithFaults writes a new file, and over one that is there with another mode.
func TestWriteWithFaults(t *testing.T) {
	for name, before := range map[string]func(folder string) error{
		"new":      nil,
		"replaced": func(folder string) error { return os.WriteFile(filepath.Join(folder, "file"), []byte("old"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			atomicfiletest.Check(t, atomicfiletest.Case{
				Before: before,
				Write:  func(folder string) error { return atomicfile.Write(filepath.Join(folder, "file"), writer("new text")) },
				State: func(folder string) (string, error) {
					data, err := os.ReadFile(filepath.Join(folder, "file"))
					if errors.Is(err, fs.ErrNotExist) {
						return "nothing", nil
					}
					return string(bytes.TrimSpace(data)), err
				},
			})
		})
	}
}
