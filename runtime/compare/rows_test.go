package compare

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestReadRow reads results of finished runs, and what is not one.
func TestReadRow(t *testing.T) {
	var e experiment
	named := func(v parameter.Variant, expansion int, seed uint64) string {
		return e.folder(Cell{v, Blocks{Expansion: expansion}, seed})
	}
	file := filepath.Join(t.TempDir(), named("frozen", 2, 3), resultFile)
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"variant": "frozen", "expansion": 2, "seed": 3, "top1": 0.5}`:          "",
		`{"variant": "frozen", "expansion": 2, "seed": 4}`:                       named("frozen", 2, 4),
		`{"variant": "learned", "expansion": 2, "seed": 3}`:                      named("learned", 2, 3),
		`{"variant": "frozen", "seed": 3}`:                                       named("frozen", 0, 3),
		`{}`:                                                                     named("", 0, 0) + `", in the folder of ` + named("frozen", 2, 3),
		`{"variant": "frozen", "expansion": 2, "seed": 3, "bank": "orthogonal"}`: "frozen-x2-orthogonal-seed3-",

		`{"variant": "frozen", "expansion": 2, "seed": 3`:                 "unexpected end",
		`{"variant": "frozen", "expansion": 2, "seed": -3}`:               "seed",
		`{"variant": "frozen", "expansion": 99999999999999999999999}`:     "expansion",
		`[{"variant": "frozen", "expansion": 2, "seed": 3, "top1": 0.5}]`: "array",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		row, err := e.readRow(file)
		if want == "" && (err != nil || row.Top1 != 0.5) {
			t.Errorf("%s: %+v, error %v", text, row, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file)) {
			t.Errorf("%s: error %v, want one with %q and the file", text, err, want)
		}
	}
	if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.readRow(file); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: error %v", err)
	}
}
