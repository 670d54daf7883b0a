package atomicfile_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// TestForeignNotes guards against folders that look like those which a killed command left, but were made to have other files
// removed, such as in an archive that was unpacked: only the data files of the model that is named go.
func TestForeignNotes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, note, file string
		isUndone         bool // the file that was to be committed is there still, so what came with it goes
		isRemoved        bool
	}{
		{"ours", `{"Place":"m.onnx","Obsolete":["m.onnx.0123456789ab.data"]}`, "m.onnx.0123456789ab.data", false, true},
		{"another file", `{"Place":"m.onnx","Obsolete":["thesis.tex"]}`, "thesis.tex", false, false},
		{"data of another model", `{"Place":"m.onnx","Obsolete":["n.onnx.0123456789ab.data"]}`, "n.onnx.0123456789ab.data", false, false},
		{"one of several", `{"Place":"m.onnx","Obsolete":["m.onnx.0123456789ab.data","thesis.tex"]}`, "thesis.tex", false, false},
		{"a folder above", `{"Place":"m.onnx","Obsolete":["../m.onnx.0123456789ab.data"]}`, "../m.onnx.0123456789ab.data", false, false},
		{"a place above", `{"Place":"../m.onnx","Obsolete":["../m.onnx.0123456789ab.data"]}`, "../m.onnx.0123456789ab.data", false, false},
		{"ours, added", `{"Place":"m.onnx","Added":["m.onnx.0123456789ab.data"]}`, "m.onnx.0123456789ab.data", true, true},
		{"another file, added", `{"Place":"m.onnx","Added":["thesis.tex"]}`, "thesis.tex", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "models")
			left := filepath.Join(folder, ".rcfreeze-0123456789abcdef")
			if err := os.MkdirAll(left, 0o755); err != nil {
				t.Fatal(err)
			}
			put := func(path, text string) {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			put(filepath.Join(left, "lock"), "")
			put(filepath.Join(left, "note"), c.note)
			if c.isUndone {
				put(filepath.Join(left, "staged"), "")
			}
			file := filepath.Join(folder, c.file)
			put(file, "text")
			write := func(w io.Writer) error { return nil }
			if err := atomicfile.Write(filepath.Join(folder, "new.onnx"), write); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); (err != nil) != c.isRemoved {
				t.Errorf("%s: is removed: %v, want %v", c.file, err != nil, c.isRemoved)
			}
			if _, err := os.Stat(left); err == nil {
				t.Errorf("%s is still there", left)
			}
		})
	}
}
