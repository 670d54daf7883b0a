// Package rcfreeze_test holds what is tested of the repository as a whole.
package rcfreeze_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/rcfreeze/rcfreeze"

// root is the room of package rcfreeze, at the top.
const root = "."

// tools are the packages under internal/ that serve every room: they import no room.
const tools = "internal"

// mayImport has a row for each room, the top or a folder there with Go code: the rooms that its packages may import, which
// are never above its own. A package under internal/ that imports a room, as those for tests do, has a row of its own, and no room may
// import it. Tests may import any.
var mayImport = map[string][]string{
	tools:       {tools},
	"onnxgraph": {tools, "onnxgraph"},
	"transform": {tools, "onnxgraph", "transform"},
	"runtime":   {tools, "onnxgraph", "transform", "runtime"},
	root:        {tools, "onnxgraph", "transform", "runtime"},
	"cmd":       {tools, "onnxgraph", "transform", "runtime", root, "cmd"},
	"bench":     {tools, "onnxgraph", "transform", "runtime", "internal/orttest"},

	"internal/convcases":     {"onnxgraph"},
	"internal/datasettest":   {"runtime"},
	"internal/orttest":       {"onnxgraph", "runtime"},
	"internal/transformtest": {tools, "onnxgraph", "transform", "runtime", "internal/convcases", "internal/orttest"},
}

func TestImportsRunDownwards(t *testing.T) {
	faults, imports, err := upwardImports(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
	if imports < 10 {
		t.Errorf("saw %d imports of one package of ours by another: the test looks in the wrong place", imports)
	}
}

func TestUpwardImportsAreFound(t *testing.T) {
	file := func(imported string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package p\nimport _ \"" + imported + "\"\n")}
	}
	faults, imports, err := upwardImports(fstest.MapFS{
		"onnxgraph/a.go":        file(module + "/transform/opset"),
		"transform/opset/a.go":  file(module + "/onnxgraph"),
		"transform/b.go":        file(module + "/runtime/ort"),
		"transform/b_test.go":   file(module + "/runtime/ort"),
		"runtime/c.go":          file(module + "/cmd/rcfreeze"),
		"common/d.go":           file("fmt"),
		"e.go":                  file(module + "/runtime/ort"),
		"runtime/f.go":          file(module),
		"cmd/g.go":              file(module),
		"h.go":                  file(module + "/cmd/rcfreeze"),
		"runtime/i.go":          file(module + "/internal/orttest"),
		"internal/x/j.go":       file(module + "/onnxgraph"),
		"transform/k.go":        file(module + "/internal/budget"),
		"internal/orttest/l.go": file(module + "/runtime/ort"),
		"runtime/testdata/e.go": file(module + "/cmd/rcfreeze"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"common/d.go: common is no room",
		"h.go: . may not import cmd/rcfreeze",
		"internal/x/j.go: internal may not import onnxgraph",
		"onnxgraph/a.go: onnxgraph may not import transform/opset",
		"runtime/c.go: runtime may not import cmd/rcfreeze",
		"runtime/f.go: runtime may not import .",
		"runtime/i.go: runtime may not import internal/orttest",
		"transform/b.go: transform may not import runtime/ort",
	}
	if !slices.Equal(faults, want) || imports != 12 {
		t.Errorf("found %q in %d imports, want %q in 12", faults, imports, want)
	}
}

// TestToolsAreListed looks for every tool in the map that CONTRIBUTING.md draws.
func TestToolsAreListed(t *testing.T) {
	folders, err := os.ReadDir("internal")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !strings.Contains(string(text), "`"+f.Name()+"`") {
			t.Errorf("CONTRIBUTING.md does not tell what internal/%s is for", f.Name())
		}
	}
}

// upwardImports returns what in a source tree breaks mayImport, and the number of imports that it looked at. It
// reads every Go file, whichever system it is for.
func upwardImports(tree fs.FS) (faults []string, imports int, err error) {
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || name != "." && strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		room := roomOf(path.Dir(name))
		allowed, known := mayImport[room]
		if !known {
			faults = append(faults, fmt.Sprintf("%s: %s is no room", name, room))
		}
		ours, err := importsOfOurs(tree, name)
		if err != nil {
			return err
		}
		for _, imported := range ours {
			imports++
			if known && !slices.Contains(allowed, roomOf(imported)) {
				faults = append(faults, fmt.Sprintf("%s: %s may not import %s", name, room, imported))
			}
		}
		return nil
	})
	return faults, imports, err
}

// roomOf returns the room of a folder, of a path from the top.
func roomOf(folder string) string {
	room, rest, _ := strings.Cut(folder, "/")
	name, _, _ := strings.Cut(rest, "/")
	if _, own := mayImport[room+"/"+name]; own {
		return room + "/" + name
	}
	return room
}

// importsOfOurs returns the packages of this module that a file imports, by their folders.
func importsOfOurs(tree fs.FS, name string) ([]string, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var ours []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if imported == module {
			ours = append(ours, root)
		} else if folder, ok := strings.CutPrefix(imported, module+"/"); ok {
			ours = append(ours, folder)
		}
	}
	return ours, nil
}
