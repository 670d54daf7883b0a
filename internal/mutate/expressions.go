//go:build unix

package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"
)

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
