package compare

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/damage"
)

// FuzzFinished damages what a comparison's folder tells of the experiment and of a finished run, which is the last argument: what
// is taken for finished must be the run that the folder is named after.
func FuzzFinished(f *testing.F) {
	p := Plan{Folder: f.TempDir()}
	is := experiment{}
	text, err := json.Marshal(is)
	if err != nil {
		f.Fatal(err)
	}
	name := is.folder(Cell{"frozen", Blocks{Expansion: 2}, 3})
	f.Add(text, []byte(`{"variant": "frozen", "expansion": 2, "seed": 3, "top1": 0.5}`))
	f.Add(text, []byte(`{"variant": "", "expansion": -2, "robust_top1": null}`))
	if err := os.Mkdir(filepath.Join(p.Folder, name), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, result []byte) {
		for file, data := range map[string][]byte{experimentFile: text, name + "/" + resultFile: result} {
			if err := os.WriteFile(filepath.Join(p.Folder, file), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		defer damage.Watch(t, len(text)+len(result))()
		rows, err := p.finished(is)
		if err != nil {
			return
		}
		for c, row := range rows {
			if is.folder(c) != name || len(rows) > 1 {
				t.Fatalf("%s is taken for finished in the folder of %s", c, name)
			}
			if s := Summarize([]Row{row}); len(s) != 1 || s[0].Seeds != 1 {
				t.Fatalf("the summary of one run is %+v", s)
			}
		}
	})
}
