//go:build unix

package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
)

// statements leaves statements out, one at a time, and exchanges break and continue.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE || allBlank(s.Lhs) {
				continue
			}
			f.leaveOut(s)
		case *ast.IncDecStmt:
			f.leaveOut(s)
		case *ast.ExprStmt:
			if call, ok := s.X.(*ast.CallExpr); ok && !f.calls(call, "panic", "runtime.KeepAlive", "os.Exit", "log.Fatal", "log.Fatalf") {
				f.leaveOut(s)
			}
		case *ast.DeferStmt:
			if name, ok := s.Call.Fun.(*ast.SelectorExpr); !ok || name.Sel.Name != "Close" {
				f.leaveOut(s)
			}
		case *ast.ReturnStmt:
			if _, results := f.enclosing(); len(s.Results) == 0 && results == nil {
				f.leaveOut(s)
			}
		case *ast.BranchStmt:
			f.branch(s)
		}
	}
}

func allBlank(list []ast.Expr) bool {
	return !slices.ContainsFunc(list, func(e ast.Expr) bool {
		name, ok := e.(*ast.Ident)
		return !ok || name.Name != "_"
	})
}

func (f *finder) leaveOut(s ast.Stmt) {
	f.add(s, f.around(s, fmt.Sprintf("if mutate_keep(%d) { ", f.place), " }"), f.text(s), "left out")
}

// branch exchanges break and continue where both are allowed and the loop may still end.
func (f *finder) branch(s *ast.BranchStmt) {
	if s.Tok != token.BREAK && s.Tok != token.CONTINUE {
		return
	}
	other := map[token.Token]string{token.BREAK: "continue", token.CONTINUE: "break"}[s.Tok]
	if s.Label != nil {
		other += " " + s.Label.Name
	}
	loop := f.target(s.Label)
	if endless, ok := loop.(*ast.ForStmt); loop == nil || ok && endless.Cond == nil {
		if s.Tok == token.CONTINUE {
			f.leaveOut(s)
		}
		return
	}
	f.add(s, f.around(s, fmt.Sprintf("if mutate_on(%d, 1) { %s }; ", f.place, other), ""), f.text(s), other)
}

// target returns the loop that both a break and a continue at this place would refer to, or nil.
func (f *finder) target(label *ast.Ident) ast.Node {
	for i := len(f.stack) - 1; i >= 0; i-- {
		n := f.stack[i]
		if label != nil {
			labeled, ok := n.(*ast.LabeledStmt)
			if !ok || labeled.Label.Name != label.Name {
				continue
			}
			n = labeled.Stmt
		}
		switch n := n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			return n
		case *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.FuncLit, *ast.FuncDecl:
			return nil
		}
	}
	return nil
}

// emptyLoop makes a loop over a range do nothing.
func (f *finder) emptyLoop(n *ast.RangeStmt) {
	before := string(f.file.text[f.offset(n.Pos()):f.offset(n.Body.Lbrace)])
	inside := f.offset(n.Body.Lbrace) + 1
	f.add(n, edit{start: inside, end: inside, pre: fmt.Sprintf(" if mutate_on(%d, 1) { break }; ", f.place)}, before, "loop left out")
}

// enclosing returns the body of the function that the current node is in, and its results.
func (f *finder) enclosing() (body *ast.BlockStmt, results *ast.FieldList) {
	for i := len(f.stack) - 1; i >= 0; i-- {
		switch n := f.stack[i].(type) {
		case *ast.FuncLit:
			return n.Body, n.Type.Results
		case *ast.FuncDecl:
			return n.Body, n.Type.Results
		}
	}
	return nil, nil
}

// returned gives back nil for errors and slices, zero for numbers and text, and true or false, in the place of what a
// function returns. Pointers stay: nil for one crashes at once.
func (f *finder) returned(n *ast.ReturnStmt) {
	_, fields := f.enclosing()
	if fields == nil {
		return
	}
	var results []ast.Expr // the type of each
	for _, field := range fields.List {
		for range max(1, len(field.Names)) {
			results = append(results, field.Type)
		}
	}
	if len(results) != len(n.Results) { // of another function that returns several, or bare
		return
	}
	for i, e := range n.Results {
		t, value := f.p.info.TypeOf(results[i]), f.p.info.Types[e]
		if value.IsNil() {
			continue
		}
		zero := ""
		switch under := t.Underlying().(type) {
		case *types.Slice, *types.Map:
			zero = "nil"
		case *types.Interface:
			if types.Identical(t, types.Universe.Lookup("error").Type()) {
				zero = "nil"
			}
		case *types.Basic:
			switch {
			case value.Value != nil && (under.Info()&types.IsString == 0 || constant.StringVal(value.Value) == ""):
				// Numbers and true and false change as constants.
			case under.Info()&types.IsBoolean != 0:
				f.ways[e] |= alwaysTrue | alwaysFalse
			case under.Info()&types.IsNumeric != 0:
				zero = "0"
			case under.Info()&types.IsString != 0:
				zero = `""`
			}
		}
		if zero == "" {
			continue
		}
		after := zero
		if f.isRun(e) {
			after = "runs, but gives " + zero
		}
		f.wrapped(e, "mutate_zero["+oneLine(f.text(results[i]))+"]", after)
	}
}

// isRun reports whether an expression is a call of a function that may do more than give a value, which a mutant does not leave out.
func (f *finder) isRun(e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	callee := f.p.info.Types[call.Fun]
	return !callee.IsBuiltin() && !callee.IsType() && !f.calls(call, "fmt.Errorf", "errors.New")
}
