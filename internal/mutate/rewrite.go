//go:build unix

package main

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// hooks is the source of the file that is added to the package: what the edits call.
//
//go:embed hooks.go.txt
var hooks string

// hooksFile is its name there.
const hooksFile = "mutate_hooks.go"

// schemata is the package with all of its mutants in it, of which the environment turns one on.
type schemata struct {
	mutants []mutant
	places  int               // the number of places, which are numbered from 0
	files   map[string][]byte // the changed files by the paths of the originals, and the added one
	unfit   int               // how many mutants were left out because they do not compile
}

// instrument finds all mutants of a package that compile, and writes them all into its code.
func instrument(p *sourcePackage) (*schemata, error) {
	s := &schemata{}
	edits := make([][]edit, len(p.files))
	for i, f := range p.files {
		var found []mutant
		found, edits[i] = find(p, f, s.places)
		s.mutants = append(s.mutants, found...)
		for _, e := range edits[i] {
			s.places = max(s.places, e.place+1)
		}
	}
	for {
		s.files = map[string][]byte{filepath.Join(p.dir, hooksFile): []byte(
			strings.NewReplacer("package PACKAGE", "package "+p.name, "[COUNT]", fmt.Sprintf("[%d]", max(1, s.places))).Replace(hooks))}
		for i, f := range p.files {
			s.files[f.path] = apply(f.text, edits[i])
		}
		unfit, err := p.unfit(s.files, edits)
		if err != nil || len(unfit) == 0 {
			return s, err
		}
		for i := range edits {
			edits[i] = slices.DeleteFunc(edits[i], func(e edit) bool { return unfit[e.place] })
		}
		before := len(s.mutants)
		s.mutants = slices.DeleteFunc(s.mutants, func(m mutant) bool { return unfit[m.place] })
		s.unfit += before - len(s.mutants)
	}
}

// unfit checks the types in changed files and returns the places in lines with errors. Edits add no lines.
func (p *sourcePackage) unfit(files map[string][]byte, edits [][]edit) (map[int]bool, error) {
	fset := token.NewFileSet()
	var asts []*ast.File
	for path, text := range files {
		file, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("adding mutants: %w", err)
		}
		asts = append(asts, file)
	}
	_, faults := p.check(fset, asts)
	unfit := map[int]bool{}
	for _, fault := range faults {
		at := fset.Position(fault.Pos)
		i := slices.IndexFunc(p.files, func(f *sourceFile) bool { return f.path == at.Filename })
		known := len(unfit)
		if i >= 0 {
			tokens := p.fset.File(p.files[i].ast.FileStart)
			for _, e := range edits[i] {
				if tokens.Line(tokens.Pos(e.start)) <= at.Line && at.Line <= tokens.Line(tokens.Pos(e.end)) {
					unfit[e.place] = true
				}
			}
		}
		if len(unfit) == known && len(unfit) == 0 {
			return nil, fmt.Errorf("adding mutants: %w", fault)
		}
	}
	return unfit, nil
}

// apply makes edits in a text. Those of the same part nest in their order, the first outside.
func apply(text []byte, edits []edit) []byte {
	type insertion struct {
		at    int
		rank  [3]int // what comes first at the same offset
		text  string
		drops int // how many bytes of the text it replaces
	}
	var all []insertion
	for i, e := range edits {
		// Ends come before beginnings. Of ends, those of the shortest parts come first, of beginnings those of the longest.
		all = append(all, insertion{e.start, [3]int{1, -e.end, i}, e.pre, 0})
		if e.post != "" {
			all = append(all, insertion{e.end, [3]int{0, -e.start, -i}, e.post, 0})
		}
		if e.operatorLen > 0 {
			all = append(all, insertion{e.operator, [3]int{2, 0, 0}, ",", e.operatorLen})
		}
	}
	slices.SortFunc(all, func(a, b insertion) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return slices.Compare(a.rank[:], b.rank[:])
	})
	var out []byte
	done := 0
	for _, in := range all {
		out = append(out, text[done:in.at]...)
		out = append(out, in.text...)
		done = in.at + in.drops
	}
	return append(out, text[done:]...)
}
