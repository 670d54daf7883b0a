package blocked

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// elementwise is an operator of one tensor, with numbers beside it, that is blind to the layout.
func (l *lowering) elementwise(n node) value {
	x := n.Input(0)
	if !l.isBlocked(x) {
		return nil
	}
	if n.Is("Relu") {
		if add := x.Producer(); l.done[add] && single(x) {
			if fused := l.sum(add, true); fused != nil {
				return fused
			}
		}
	}
	inputs := slices.Clone(n.Inputs())
	inputs[0] = l.twins[x]
	return l.Op(n.OpType(), inputs, n.Attributes()...)
}

// binary is an operator of two tensors of one shape, or of one tensor and one number per channel or a single one.
func (l *lowering) binary(n node) value {
	a, b := n.Input(0), n.Input(1)
	if !l.fits(n.Output(0)) || !l.isBlocked(a) && !l.isBlocked(b) {
		return nil
	}
	if fused := l.sum(n, false); fused != nil {
		return fused
	}
	shape := shapeOf(n.Output(0))
	channels := shape[1]
	operand := func(v value) value {
		switch {
		case slices.Equal(shapeOf(v), shape):
			return l.blockedForm(v)
		case shapeOf(v) != nil && count(shapeOf(v)) == 1:
			return v
		}
		return nil
	}
	if pa, pb := operand(a), operand(b); pa != nil && pb != nil {
		return l.Op(n.OpType(), []value{pa, pb})
	}
	if !slices.Equal(shapeOf(a), shape) || !isPerChannel(b, a) {
		if n.OpType() != "Add" && n.OpType() != "Mul" || !slices.Equal(shapeOf(b), shape) || !isPerChannel(a, b) {
			return nil
		}
		a, b = b, a
	}
	ones := l.Fill(onnxgraph.Float32, 1, channels)
	switch n.OpType() {
	case "Add":
		return l.affine(l.blockedForm(a), channels, ones, b, nil, false)
	case "Sub":
		return l.affine(l.blockedForm(a), channels, ones, l.Op("Neg", []value{b}), nil, false)
	case "Mul":
		return l.affine(l.blockedForm(a), channels, b, nil, nil, false)
	}
	return nil
}

// term is x·scale + shift per channel; scale and shift are nil where there is none.
type term struct{ x, scale, shift value }

// termOf reads an affine term from the portable graph as far as nobody else reads its parts.
func (l *lowering) termOf(v value, outer bool) (term, bool) {
	n := v.Producer()
	if n == nil || n.Domain() != "" || !outer && !single(v) {
		return term{}, false
	}
	switch n.OpType() {
	case "Mul":
		x, s := n.Input(0), n.Input(1)
		if l.fits(x) && slices.Equal(shapeOf(x), shapeOf(v)) && isPerChannel(s, x) {
			return term{x: x, scale: s}, true
		}
	case "Add":
		x, s := n.Input(0), n.Input(1)
		if l.fits(x) && slices.Equal(shapeOf(x), shapeOf(v)) && isPerChannel(s, x) {
			if t, ok := l.termOf(x, false); ok && t.shift == nil {
				t.shift = s
				return t, true
			}
		}
	}
	return term{}, false
}

// sum is the blocked form of an affine term, of a sum of two, or of one and a tensor: one pass over memory for each term.
func (l *lowering) sum(n node, relu bool) value {
	if n == nil || n.OpType() != "Add" {
		return nil
	}
	shape := shapeOf(n.Output(0))
	if t, ok := l.termOf(n.Output(0), true); ok && t.scale != nil {
		return l.affine(l.blockedForm(t.x), shape[1], t.scale, t.shift, nil, relu)
	}
	a, b := n.Input(0), n.Input(1)
	if !slices.Equal(shapeOf(a), shapeOf(b)) {
		return nil
	}
	for range 2 {
		if t, ok := l.termOf(a, false); ok && t.scale != nil {
			return l.affine(l.blockedForm(t.x), shape[1], t.scale, t.shift, l.blockedForm(b), relu)
		}
		a, b = b, a
	}
	return nil
}

// concat joins tensors along their channels.
func (l *lowering) concat(n node) value {
	if axis := n.Int("axis", 0); axis != 1 || !slices.ContainsFunc(n.Inputs(), l.isBlocked) {
		return nil
	}
	var parts []value
	for _, v := range n.Inputs() {
		if !l.fits(v) {
			return nil
		}
		parts = append(parts, l.blockedForm(v))
	}
	return l.Op("Concat", parts, n.Attributes()...)
}
