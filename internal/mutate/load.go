//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// sourcePackage is the package to mutate, parsed and with its types.
type sourcePackage struct {
	path, name string // the import path, and the name in package clauses
	dir        string // the folder, absolute
	module     string // the folder of the module, absolute
	goVersion  string

	fset     *token.FileSet
	files    []*sourceFile
	info     *types.Info
	importer types.Importer
}

// sourceFile is a Go file of the package, no test.
type sourceFile struct {
	path string // absolute
	text []byte
	ast  *ast.File
}

// listed is what is used of what `go list -json` prints of a package.
type listed struct {
	ImportPath, Name, Dir, Export string
	GoFiles, CgoFiles             []string
	Module                        *struct{ Dir, GoVersion string }
}

// load reads and checks the package that pattern names, as in `go build`.
func load(pattern string) (*sourcePackage, error) {
	found, err := goList(pattern)
	if err != nil {
		return nil, err
	}
	switch {
	case len(found) != 1:
		return nil, fmt.Errorf("looking for a package: %s names %d packages, need one", pattern, len(found))
	case found[0].Module == nil:
		return nil, fmt.Errorf("looking for a package: %s is in no module", pattern)
	case len(found[0].CgoFiles) > 0:
		return nil, fmt.Errorf("reading %s: it uses cgo, which this tool cannot mutate", pattern)
	}
	p := &sourcePackage{
		path: found[0].ImportPath, name: found[0].Name, dir: found[0].Dir,
		module: found[0].Module.Dir, goVersion: "go" + found[0].Module.GoVersion,
		fset: token.NewFileSet(),
	}
	for _, name := range found[0].GoFiles {
		f := &sourceFile{path: filepath.Join(p.dir, name)}
		if f.text, err = os.ReadFile(f.path); err != nil {
			return nil, err
		}
		if f.ast, err = parser.ParseFile(p.fset, f.path, f.text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return nil, err
		}
		p.files = append(p.files, f)
	}
	if p.importer, err = compiledImporter(p.fset, pattern); err != nil {
		return nil, err
	}
	asts := make([]*ast.File, len(p.files))
	for i, f := range p.files {
		asts[i] = f.ast
	}
	var faults []types.Error
	if p.info, faults = p.check(p.fset, asts); len(faults) > 0 {
		return nil, fmt.Errorf("checking %s: %w", pattern, faults[0])
	}
	return p, nil
}

// check returns the types of the files, and the errors in them.
func (p *sourcePackage) check(fset *token.FileSet, files []*ast.File) (*types.Info, []types.Error) {
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Uses:  map[*ast.Ident]types.Object{},
		Defs:  map[*ast.Ident]types.Object{},
	}
	var faults []types.Error
	config := types.Config{
		Importer:  p.importer,
		GoVersion: p.goVersion,
		Sizes:     types.SizesFor("gc", runtime.GOARCH),
		Error: func(err error) {
			var fault types.Error
			if errors.As(err, &fault) {
				faults = append(faults, fault)
			}
		},
	}
	config.Check(p.path, fset, files, info) // its error is the first of faults
	return info, faults
}

// compiledImporter returns an importer of all that the package and the hooks import, from what the go command compiled.
func compiledImporter(fset *token.FileSet, pattern string) (types.Importer, error) {
	deps, err := goList("-export", "-deps", pattern, "os", "strconv", "syscall")
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, dep := range deps {
		exports[dep.ImportPath] = dep.Export
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		file := exports[path]
		if file == "" {
			return nil, fmt.Errorf("importing %s: the go command has not compiled it", path)
		}
		return os.Open(file)
	}), nil
}

func goList(args ...string) ([]listed, error) {
	args = append([]string{"list", "-json=ImportPath,Name,Dir,Export,GoFiles,CgoFiles,Module"}, args...)
	out, err := output(exec.Command("go", args...))
	if err != nil {
		return nil, err
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := decoder.Decode(&p); {
		case err == io.EOF:
			return packages, nil
		case err != nil:
			return nil, fmt.Errorf("reading what go list says: %w", err)
		}
		packages = append(packages, p)
	}
}

// output runs a program and returns its stdout. The error says what it wrote to stderr.
func output(command *exec.Cmd) ([]byte, error) {
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(exit.Stderr))
		}
		return nil, fmt.Errorf("running %s: %w", strings.Join(command.Args[:min(3, len(command.Args))], " "), err)
	}
	return out, nil
}
