package rcfreeze_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

// spellingTest is this file, which is not searched, since it lists what it searches for.
const spellingTest = "spelling_test.go"

// britishStems begin or are part of words in British spelling. The project writes American English, as PyTorch and ONNX do.
var britishStems = []string{
	"normalis", "initialis", "standardis", "recognis", "optimis", "organis", "summaris", "minimis", "maximis", "generalis", "specialis",
	"serialis", "parallelis", "vectoris", "quantis", "factoris", "regularis", "materialis", "utilis", "visualis", "randomis",
	"centre", "centring", "colour", "neighbour", "behaviour", "favour", "honour", "labour", "flavour", "licence", "defence", "artefact",
	"judgement", "catalogue", "rigour", "labelled", "labelling", "modelled", "modelling", "cancelled", "cancelling", "signalled",
	"travelled", "learnt", "spelt",
}

func TestSpellingIsAmerican(t *testing.T) {
	faults, files, err := britishLines(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
	if files < 100 {
		t.Errorf("saw %d files: the test looks in the wrong place", files)
	}
}

func TestBritishSpellingIsFound(t *testing.T) {
	faults, files, err := britishLines(fstest.MapFS{
		"a.go":              {Data: []byte("package a\n\n// The colour is normalized.\n")},
		"b/c.md":            {Data: []byte("Initialised at the center; analyses, otherwise, promised, exercise.")},
		"testdata/d.go":     {Data: []byte("colour")},
		".cache/e.go":       {Data: []byte("colour")},
		"f.txt":             {Data: []byte("colour")},
		"g/" + spellingTest: {Data: []byte("// Neighbours")},
		spellingTest:        {Data: []byte("colour")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "a.go:3 has colour in British spelling|b/c.md:1 has initialis in British spelling|" +
		"g/" + spellingTest + ":1 has neighbour in British spelling"
	if got := strings.Join(faults, "|"); got != want || files != 3 {
		t.Errorf("found %s in %d files, want %s in 3", got, files, want)
	}
}

// britishLines lists the lines of Go files and Markdown that have British spellings, and counts the files.
func britishLines(tree fs.FS) (faults []string, files int, err error) {
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || name != "." && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || name == spellingTest || path.Ext(name) != ".go" && path.Ext(name) != ".md":
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		files++
		for i, line := range strings.Split(string(text), "\n") {
			line = strings.ToLower(line)
			for _, stem := range britishStems {
				if strings.Contains(line, stem) {
					faults = append(faults, fmt.Sprintf("%s:%d has %s in British spelling", name, i+1, stem))
				}
			}
		}
		return nil
	})
	return faults, files, err
}
