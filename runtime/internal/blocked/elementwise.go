package blocked

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// elementwise is the blocked form of an operator on one tensor, perhaps with some numbers, that does not depend on the layout.
func (l *lowering) elementwise(n node) value {
	x := n.Input(0)
	if !l.isBlocked(x) {
		return nil
	}
	if a := activation(n); a != nil && single(x) {
		if fused := l.sum(x.Producer(), a); fused != nil {
			return fused
		}
	}
	inputs := slices.Clone(n.Inputs())
	inputs[0] = l.twins[x]
	return l.Op(n.OpType(), inputs, n.Attributes()...)
}

// activation returns the attributes with which a blocked Conv also applies the activation n, nil if it cannot.
func activation(n node) []onnxgraph.Attribute {
	with := func(params ...float32) []onnxgraph.Attribute {
		return []onnxgraph.Attribute{onnxgraph.Str("activation", n.OpType()), onnxgraph.Floats("activation_params", params...)}
	}
	switch n.OpType() {
	case "Relu", "Sigmoid":
		return with()[:1]
	case "HardSigmoid":
		return with(n.Float("alpha", 0.2), n.Float("beta", 0.5))
	case "Clip":
		low, lowOK := numberOr(n.Input(1), -math.MaxFloat32)
		high, highOK := numberOr(n.Input(2), math.MaxFloat32)
		if lowOK && highOK {
			return with(low, high)
		}
	}
	return nil
}

// numberOr returns the number of a constant with one element, or otherwise if v is nil.
func numberOr(v value, otherwise float32) (x float32, ok bool) {
	if v == nil {
		return otherwise, true
	}
	if t := v.Constant(); t != nil {
		if list, _ := t.Float32s(); len(list) == 1 {
			return list[0], true
		}
	}
	return
}

// binary is the blocked form of an operator on two tensors of one shape, or on a tensor and one number, or one number per
// channel.
func (l *lowering) binary(n node) value {
	a, b := n.Input(0), n.Input(1)
	if !l.fits(n.Output(0)) || !l.isBlocked(a) && !l.isBlocked(b) {
		return nil
	}
	if l.addPhases(n) {
		return l.twins[n.Output(0)]
	}
	if fused := l.sum(n, nil); fused != nil {
		return fused
	}
	shape := shapeOf(n.Output(0))
	channels := shape[1]
	operand := func(v value) value {
		switch {
		case slices.Equal(shapeOf(v), shape):
			return l.blockedForm(v)
		case shapeOf(v) != nil && onnxgraph.ElementCount(shapeOf(v)) == 1:
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
		return l.affine(l.blockedForm(a), channels, ones, b, nil, nil)
	case "Sub":
		return l.affine(l.blockedForm(a), channels, ones, l.Op("Neg", []value{b}), nil, nil)
	case "Mul":
		return l.affine(l.blockedForm(a), channels, b, nil, nil, nil)
	}
	return nil
}

// term is x·scale + shift per channel; shift is nil where there is none.
type term struct{ x, scale, shift value }

// termOf reads an affine term from the portable graph, as far as nothing else reads its parts. Without a scale, it is not a term.
func (l *lowering) termOf(v value, outer bool) term {
	n := v.Producer()
	if n == nil || n.Domain() != "" || !outer && !single(v) {
		return term{}
	}
	switch n.OpType() {
	case "Mul":
		x, s := n.Input(0), n.Input(1)
		if l.fits(x) && slices.Equal(shapeOf(x), shapeOf(v)) && isPerChannel(s, x) {
			return term{x: x, scale: s}
		}
	case "Add":
		x, s := n.Input(0), n.Input(1)
		if l.fits(x) && slices.Equal(shapeOf(x), shapeOf(v)) && isPerChannel(s, x) {
			if t := l.termOf(x, false); t.shift == nil {
				t.shift = s
				return t
			}
		}
	case "Sub": // number - tensor
		number, x := n.Input(0), n.Input(1)
		if a, ok := numberOr(number, 0); ok && l.fits(x) && slices.Equal(shapeOf(x), shapeOf(v)) && l.isBlocked(x) {
			c := shapeOf(x)[1]
			return term{x: x, scale: l.Fill(onnxgraph.Float32, -1, c), shift: l.Fill(onnxgraph.Float32, float64(a), c)}
		}
	}
	return term{}
}

// sum is the blocked form of an affine term, of a sum of two terms, or of a term and a tensor. It takes one pass over memory for
// each term, and applies an activation to the result.
func (l *lowering) sum(n node, activation []onnxgraph.Attribute) value {
	if n == nil || n.OpType() != "Add" && (n.OpType() != "Sub" || activation == nil) {
		return nil
	}
	shape := shapeOf(n.Output(0))
	if t := l.termOf(n.Output(0), true); t.scale != nil {
		return l.affine(l.blockedForm(t.x), shape[1], t.scale, t.shift, nil, activation)
	}
	if n.Is("Sub") {
		return nil
	}
	a, b := n.Input(0), n.Input(1)
	if !slices.Equal(shapeOf(a), shapeOf(b)) {
		return nil
	}
	for range 2 {
		if t := l.termOf(a, false); t.scale != nil {
			return l.addTo(t, b, activation)
		}
		a, b = b, a
	}
	return nil
}

// addTo adds an affine term to a tensor. A blocked Conv adds its result to a tensor in place. If something else also reads the
// tensor, ONNX Runtime first copies it, on one core. Then the tensor is added to the term instead.
func (l *lowering) addTo(t term, b value, activation []onnxgraph.Attribute) value {
	x, y, channels := l.blockedForm(t.x), l.blockedForm(b), shapeOf(b)[1]
	if single(b) {
		return l.affine(x, channels, t.scale, t.shift, y, activation)
	}
	return l.affine(y, channels, l.Fill(onnxgraph.Float32, 1, channels), nil, l.affine(x, channels, t.scale, t.shift, nil, nil), activation)
}

// concat is the blocked form of a concatenation along the channels.
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
