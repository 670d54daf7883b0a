package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestAdviceNamesFlags looks for flags in every text of the program: there must be a command that has them.
func TestAdviceNamesFlags(t *testing.T) {
	known := map[string]bool{"help": true, "version": true}
	for _, command := range newRoot(&printer{stdout: io.Discard, stderr: io.Discard}).Commands() {
		command.InitDefaultHelpFlag()
		for _, set := range []*pflag.FlagSet{command.Flags(), command.InheritedFlags()} {
			set.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		}
	}
	for name := range aliases {
		known[name] = true
	}
	flag := regexp.MustCompile(`(?:^|[\s(;:,])--([a-z][a-z0-9-]*[a-z0-9])`)
	texts := 0
	for _, room := range []string{"../.."} {
		err := filepath.WalkDir(room, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".cache" || d.Name() == "internal" || d.Name() == "bench") {
				return fs.SkipDir
			}
			if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range flag.FindAllStringSubmatch(text, -1) {
					texts++
					if !known[m[1]] {
						t.Errorf("%s: %q names the flag --%s, which no command has", path, text, m[1])
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if texts < 50 {
		t.Errorf("only %d flags were found in texts", texts)
	}
}
