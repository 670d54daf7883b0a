//go:build unix

package main

import (
	"fmt"
	"go/ast"
	"go/constant"
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
// Left out, because no user relies on it or it cannot show: text of errors and panics, methods String and Error, capacities in
// make, what keeps memory alive, and what only makes a program hang: the post statement of loops, their condition made true,
// go statements and sends.
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

// constant mutates numbers that stand in the code, and true and false. Named constants stay: they are in comparisons, which
// have their own mutants, or tell kinds apart.
func (f *finder) constant(e ast.Expr, value types.TypeAndValue) {
	t := value.Type
	if t == types.Typ[types.UntypedInt] { // how far to shift
		t = types.Typ[types.Int]
	}
	basic, ok := t.Underlying().(*types.Basic)
	if !ok || basic.Info()&types.IsUntyped != 0 {
		return
	}
	if name, ok := e.(*ast.Ident); ok {
		if _, predeclared := types.Universe.Lookup(name.Name).(*types.Const); predeclared && basic.Kind() == types.Bool {
			other := map[string]string{"true": "false", "false": "true"}[name.Name]
			if other == "true" {
				f.wrapped(e, "mutate_bool", other)
			} else {
				f.wrapped(e, "mutate_bool", "", other)
			}
		}
		return
	}
	typeText, ok := f.typeText(t)
	if !ok || !hasNumber(e) {
		return
	}
	switch {
	case basic.Info()&types.IsInteger != 0:
		v := constant.ToInt(value.Value)
		next := constant.BinaryOp(v, token.ADD, constant.MakeInt64(1))
		if constant.Sign(v) > 0 {
			next = constant.BinaryOp(v, token.SUB, constant.MakeInt64(1))
		}
		f.wrapped(e, "mutate_integral["+typeText+"]", next.ExactString())
	case basic.Info()&types.IsFloat != 0:
		after := "2*" + f.text(e)
		if constant.Sign(value.Value) == 0 {
			after = "1"
		}
		f.wrapped(e, "mutate_float["+typeText+"]", after)
	}
}

// hasNumber reports whether a number is written in an expression.
func hasNumber(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && (literal.Kind == token.INT || literal.Kind == token.FLOAT) {
			found = true
		}
		return true
	})
	return found
}

// typeText returns the name of a type in the file, if it has one there.
func (f *finder) typeText(t types.Type) (string, bool) {
	ok := true
	text := types.TypeString(t, func(other *types.Package) string {
		if other.Path() == f.p.path {
			return ""
		}
		for _, spec := range f.file.ast.Imports {
			if strings.Trim(spec.Path.Value, "`\"") == other.Path() {
				if spec.Name != nil {
					return spec.Name.Name
				}
				return other.Name()
			}
		}
		ok = false
		return ""
	})
	return text, ok
}

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

// binary mutates operators, and the operands of && and ||.
func (f *finder) binary(n *ast.BinaryExpr) {
	if n.Op == token.LAND || n.Op == token.LOR {
		f.logic(n)
		return
	}
	switch n.Op {
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		if f.ways[n] == 0 {
			f.ways[n] = alwaysTrue | alwaysFalse
		}
	}
	change, ok := operators[n.Op]
	if !ok {
		return
	}
	hook := change.hook
	after := f.text(n.X) + " " + change.other.String() + " " + f.text(n.Y)
	if basic, ok := f.p.info.TypeOf(n).Underlying().(*types.Basic); ok && n.Op == token.ADD && basic.Info()&types.IsString != 0 {
		hook, after = "mutate_concat", f.text(n.X)
	}
	// A condition is changed as a whole before its parts: edits of the same text nest in the order in which they come.
	f.condition(n)
	e := f.around(n, fmt.Sprintf("%s(%d, ", hook, f.place), ")")
	e.operator, e.operatorLen = f.offset(n.OpPos), len(n.Op.String())
	if value := f.p.info.Types[n.X]; (n.Op == token.SHL || n.Op == token.SHR) && value.Value != nil {
		t, ok := f.typeText(value.Type)
		if !ok {
			return
		}
		f.add(n, e, f.text(n), after)
		converted := f.around(n.X, t+"(", ")")
		converted.place = f.place - 1
		f.edits = append(f.edits, converted)
		return
	}
	f.add(n, e, f.text(n), after)
}

// operators has the hook for each operator, and the operator that it puts in its place.
var operators = map[token.Token]struct {
	hook  string
	other token.Token
}{
	token.LSS:     {"mutate_lt", token.LEQ},
	token.LEQ:     {"mutate_le", token.LSS},
	token.GTR:     {"mutate_gt", token.GEQ},
	token.GEQ:     {"mutate_ge", token.GTR},
	token.ADD:     {"mutate_add", token.SUB},
	token.SUB:     {"mutate_sub", token.ADD},
	token.MUL:     {"mutate_mul", token.QUO},
	token.QUO:     {"mutate_div", token.MUL},
	token.REM:     {"mutate_rem", token.QUO},
	token.AND:     {"mutate_and", token.OR},
	token.OR:      {"mutate_or", token.AND},
	token.XOR:     {"mutate_xor", token.OR},
	token.AND_NOT: {"mutate_andnot", token.AND},
	token.SHL:     {"mutate_shl", token.SHR},
	token.SHR:     {"mutate_shr", token.SHL},
}

// logic exchanges && and ||, and takes away each operand. By de Morgan's rule, a || b is !(!a && !b): so !=, which negates where
// the change is on, makes one of the other and evaluates no operand twice.
func (f *finder) logic(n *ast.BinaryExpr) {
	if f.ways[n] == 0 {
		f.ways[n] = alwaysTrue | alwaysFalse
	}
	other, neutral := token.LOR, alwaysTrue
	if n.Op == token.LOR {
		other, neutral = token.LAND, alwaysFalse
	}
	for _, operand := range []ast.Expr{n.X, n.Y} {
		f.ways[operand] = neutral
		if same, ok := ast.Unparen(operand).(*ast.BinaryExpr); ok && same.Op == n.Op {
			f.ways[operand] = settled
		}
	}
	f.condition(n)
	flip := fmt.Sprintf(") != mutate_on(%d, 1)", f.place)
	f.add(n, f.around(n, "(", flip), f.text(n), f.text(n.X)+" "+other.String()+" "+f.text(n.Y))
	for _, operand := range []ast.Expr{n.X, n.Y} {
		e := f.around(operand, "(", flip)
		e.place = f.place - 1
		f.edits = append(f.edits, e)
	}
}

// condition makes an expression true or false, as its parent allows. It does so once.
func (f *finder) condition(e ast.Expr) {
	w := f.ways[e]
	if w&(alwaysTrue|alwaysFalse) == 0 {
		return
	}
	f.ways[e] = settled
	after := []string{"", ""}
	if w&alwaysTrue != 0 {
		after[0] = "true"
	}
	if w&alwaysFalse != 0 {
		after[1] = "false"
	}
	f.wrapped(e, "mutate_bool", after...)
}
