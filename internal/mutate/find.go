//go:build unix

package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one change of the package's code.
type mutant struct {
	place  int   // the number of the place in the code
	change uint8 // which change of that place, from 1

	file          string // its name in the folder of the package
	line, column  int
	function      string // where it is: "Save", "Graph.Sort"; empty outside of functions
	code          string // the line as it is
	before, after string
}

// key names a mutant in a list that outlives changes of the code elsewhere: it has no line number.
func (m mutant) key() string {
	where := ""
	if m.function != "" {
		where = " in " + m.function
	}
	return fmt.Sprintf("%s%s: %s → %s | %s", m.file, where, m.before, m.after, m.code)
}

// edit puts text before and behind a part of a file, from start to end. It may replace an operator within it.
type edit struct {
	place       int
	start, end  int // offsets in the file
	pre, post   string
	operator    int // the offset of an operator of operatorLen bytes that a comma replaces
	operatorLen int
}

// finder walks through one file and collects its mutants and the edits that make them possible.
type finder struct {
	p        *sourcePackage
	file     *sourceFile
	place    int // the next number
	mutants  []mutant
	edits    []edit
	stack    []ast.Node
	function string

	skip map[ast.Node]bool
	ways map[ast.Expr]way // of conditions, as their parents see them
}

// way says which values a condition may be made to have.
type way uint8

const (
	settled way = 1 << iota // the condition is part of one that has its own
	alwaysTrue
	alwaysFalse
)

// find returns all mutants of a file, and the edits for them. Places are numbered from first.
//
// Some changes are left out, because no user relies on the code or no test can see them: texts of errors and panics, methods
// String and Error, capacities in make, and code that keeps memory alive. Changes that only make a program hang are also left
// out: removing the post statement of a loop, a loop condition that is always true, go statements and sends.
func find(p *sourcePackage, file *sourceFile, first int) ([]mutant, []edit) {
	if ast.IsGenerated(file.ast) {
		return nil, nil
	}
	f := &finder{p: p, file: file, place: first, skip: map[ast.Node]bool{}, ways: map[ast.Expr]way{}}
	ast.Inspect(file.ast, func(n ast.Node) bool {
		if n == nil {
			f.stack = f.stack[:len(f.stack)-1]
			return true
		}
		if f.skip[n] || !f.visit(n) {
			return false
		}
		f.stack = append(f.stack, n)
		return true
	})
	return f.mutants, f.edits
}

// visit adds the mutants of a node itself and reports whether its children may have some.
func (f *finder) visit(n ast.Node) bool {
	if e, ok := n.(ast.Expr); ok {
		if value := f.p.info.Types[e]; value.IsType() {
			return false
		} else if value.Value != nil {
			f.constant(e, value)
			return false
		}
	}
	switch n := n.(type) {
	case *ast.GenDecl:
		if len(f.stack) == 1 {
			f.function = ""
		}
		return n.Tok == token.VAR
	case *ast.FuncDecl:
		f.function = functionName(n)
		return !isText(n)
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.CommClause:
		f.statements(n.Body)
	case *ast.IfStmt:
		f.ways[n.Cond] = alwaysTrue | alwaysFalse
	case *ast.ForStmt:
		if n.Cond != nil {
			f.ways[n.Cond] = alwaysFalse
		}
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, clause := range n.Body.List {
				for _, e := range clause.(*ast.CaseClause).List {
					f.ways[e] = alwaysTrue | alwaysFalse
				}
			}
		}
	case *ast.RangeStmt:
		f.emptyLoop(n)
	case *ast.ReturnStmt:
		f.returned(n)
	case *ast.CompositeLit:
		f.fixedKeys(n)
	case *ast.CallExpr:
		return f.call(n)
	case *ast.ParenExpr:
		if w := f.ways[n]; w != 0 {
			f.ways[n.X] = w
			f.ways[n] = settled
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.ways[n.X] = settled
			if f.ways[n] == 0 {
				f.ways[n] = alwaysTrue | alwaysFalse
			}
		}
	case *ast.BinaryExpr:
		f.binary(n)
	}
	if e, ok := n.(ast.Expr); ok {
		f.condition(e)
	}
	return true
}

// functionName returns the name of a function, for a method with the type before it.
func functionName(n *ast.FuncDecl) string {
	if n.Recv == nil || len(n.Recv.List) == 0 {
		return n.Name.Name
	}
	t := n.Recv.List[0].Type
	for {
		switch of := t.(type) {
		case *ast.StarExpr:
			t = of.X
		case *ast.IndexExpr:
			t = of.X
		case *ast.IndexListExpr:
			t = of.X
		case *ast.Ident:
			return of.Name + "." + n.Name.Name
		default:
			return n.Name.Name
		}
	}
}

// isText reports whether a function is a method that only describes its receiver to people.
func isText(n *ast.FuncDecl) bool {
	return n.Recv != nil && (n.Name.Name == "String" || n.Name.Name == "Error" || n.Name.Name == "GoString")
}

// add adds a place: what to write around the part of the file from start to end, and what each change makes of before. Change
// k has number k+1, and an empty text stands for none.
func (f *finder) add(n ast.Node, e edit, before string, after ...string) {
	e.place = f.place
	f.place++
	f.edits = append(f.edits, e)
	at := f.p.fset.Position(n.Pos())
	line := f.file.text[at.Offset-(at.Column-1):]
	if end := slices.Index(line, '\n'); end >= 0 {
		line = line[:end]
	}
	for k, text := range after {
		if text != "" {
			f.mutants = append(f.mutants, mutant{
				place: e.place, change: uint8(k + 1),
				file: filepath.Base(f.file.path), line: at.Line, column: at.Column,
				function: f.function, code: oneLine(string(line)), before: oneLine(before), after: oneLine(after[k]),
			})
		}
	}
}

func (f *finder) offset(p token.Pos) int { return f.p.fset.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.file.text[f.offset(n.Pos()):f.offset(n.End())])
}

// around returns an edit that wraps a node.
func (f *finder) around(n ast.Node, pre, post string) edit {
	return edit{start: f.offset(n.Pos()), end: f.offset(n.End()), pre: pre, post: post}
}

// wrapped adds a place that calls a hook with an expression.
func (f *finder) wrapped(e ast.Expr, hook string, after ...string) {
	f.add(e, f.around(e, fmt.Sprintf("%s(%d, ", hook, f.place), ")"), f.text(e), after...)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// fixedKeys skips the keys of arrays and slices, which must be constants.
func (f *finder) fixedKeys(n *ast.CompositeLit) {
	t := f.p.info.TypeOf(n)
	if t == nil {
		return
	}
	switch t.Underlying().(type) {
	case *types.Array, *types.Slice:
		for _, element := range n.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				f.skip[pair.Key] = true
			}
		}
	}
}

// call skips text for people, and capacities.
func (f *finder) call(n *ast.CallExpr) bool {
	if f.calls(n, "fmt.Errorf", "errors.New", "panic", "log.Fatal", "log.Fatalf") {
		return false
	}
	if f.calls(n, "make") {
		first := 2
		switch f.p.info.TypeOf(n).Underlying().(type) {
		case *types.Map, *types.Chan:
			first = 1
		}
		for _, capacity := range n.Args[min(first, len(n.Args)):] {
			f.skip[capacity] = true
		}
	}
	return true
}

// calls reports whether a call is of one of the functions.
func (f *finder) calls(n *ast.CallExpr, functions ...string) bool {
	switch fun := n.Fun.(type) {
	case *ast.Ident:
		if _, builtin := f.p.info.Uses[fun].(*types.Builtin); builtin {
			return slices.Contains(functions, fun.Name)
		}
	case *ast.SelectorExpr:
		if object := f.p.info.Uses[fun.Sel]; object != nil && object.Pkg() != nil {
			return slices.Contains(functions, object.Pkg().Path()+"."+object.Name())
		}
	}
	return false
}
