package gradient

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Of adds nodes to the builder's graph that compute the gradient of loss with respect to each of the wanted values. The loss must
// have exactly one element. A wanted value that the loss does not depend on has no entry in the result. Of fails as Check does,
// and then adds nothing; any other error is a fault of a gradient rule.
func Of(b *onnxgraph.Builder, loss *onnxgraph.Value, wanted ...*onnxgraph.Value) (*Gradients, error) {
	return OfBy(nil, b, loss, wanted...)
}

// OfBy is like Of, and uses the given shortcuts.
func OfBy(shortcuts []Shortcut, b *onnxgraph.Builder, loss *onnxgraph.Value, wanted ...*onnxgraph.Value) (*Gradients, error) {
	path := between(wanted, loss)
	if err := path.check(); err != nil {
		return nil, err
	}
	shape, ok := loss.StaticShape()
	if !ok || onnxgraph.ElementCount(shape) != 1 {
		return nil, fmt.Errorf("differentiating %q: it must have exactly one element", loss.Name())
	}
	e := &engine{b: b, path: path, terms: map[*onnxgraph.Value][]*onnxgraph.Value{}, shortcuts: map[*onnxgraph.Node]Shortcut{}}
	for _, s := range shortcuts {
		e.shortcuts[s.Last] = s
	}
	e.terms[loss] = []*onnxgraph.Value{b.Fill(loss.DType(), 1, shape...)}
	for _, n := range slices.Backward(path.nodes) {
		if err := e.differentiate(n); err != nil {
			return nil, err
		}
	}
	gradients := &Gradients{Of: map[*onnxgraph.Value]*onnxgraph.Value{}, Convolutions: e.convolutions}
	for _, v := range wanted {
		if len(e.terms[v]) > 0 {
			gradients.Of[v] = e.gradient(v)
		}
	}
	return gradients, nil
}

// Gradients lists the gradients that Of emitted.
type Gradients struct {
	Of           map[*onnxgraph.Value]*onnxgraph.Value // by wanted value
	Convolutions []Convolution                         // all convolutions that were differentiated
}

// path is the part of a graph between the wanted values and the loss.
type path struct {
	nodes  []*onnxgraph.Node         // in topological order
	on     map[*onnxgraph.Value]bool // the wanted values and those that depend on them
	needed map[*onnxgraph.Value]bool // the loss and what nodes of the path read
}

// between returns the nodes that depend on a wanted value and that the loss depends on. Gradients do not
// flow through operators that have no derivative.
func between(wanted []*onnxgraph.Value, loss *onnxgraph.Value) path {
	g := loss.Graph()
	hasDerivative := func(n *onnxgraph.Node) bool { return !rules[n.OpType()].Zero || n.Domain() != "" }
	p := path{on: g.Dependents(wanted, hasDerivative), needed: map[*onnxgraph.Value]bool{loss: true}}
	for _, n := range slices.Backward(g.Sorted()) {
		if hasDerivative(n) && n.ReadsAny(p.on) && slices.ContainsFunc(n.Outputs(), func(v *onnxgraph.Value) bool { return v != nil && p.needed[v] }) {
			p.nodes = append(p.nodes, n)
			for _, v := range n.Reads() {
				p.needed[v] = true
			}
		}
	}
	slices.Reverse(p.nodes)
	return p
}

type engine struct {
	b     *onnxgraph.Builder
	path  path
	terms map[*onnxgraph.Value][]*onnxgraph.Value // per value, the contributions of its readers to its gradient

	shortcuts    map[*onnxgraph.Node]Shortcut // by their last nodes
	convolutions []Convolution
}

// gradient adds up the terms of v's gradient.
func (e *engine) gradient(v *onnxgraph.Value) *onnxgraph.Value {
	terms := e.terms[v]
	sum := terms[0]
	for _, t := range terms[1:] {
		sum = e.b.Op("Add", []*onnxgraph.Value{sum, t})
	}
	declare(sum, v)
	e.terms[v] = []*onnxgraph.Value{sum}
	return sum
}

// declare gives a gradient the type of the value that it belongs to.
func declare(d, v *onnxgraph.Value) {
	if d.Constant() == nil && d.Producer() != nil {
		shape, _ := v.StaticShape()
		d.SetType(v.DType(), onnxgraph.Static(shape...))
	}
}

// differentiate adds what a node contributes to the gradients of its inputs.
func (e *engine) differentiate(n *onnxgraph.Node) error {
	c := &call{Node: n, b: e.b, on: e.path.on}
	outputs := n.Outputs()
	if s, ok := e.shortcuts[n]; ok {
		n, outputs = s.Node, []*onnxgraph.Value{s.Y}
		c.Node, c.on = n, map[*onnxgraph.Value]bool{n.Input(0): e.path.on[n.Input(0)]}
	}
	for _, v := range outputs {
		var d *onnxgraph.Value
		if v != nil && len(e.terms[v]) > 0 {
			d = e.gradient(v)
		}
		c.incoming = append(c.incoming, d)
	}
	if !slices.ContainsFunc(c.incoming, func(d *onnxgraph.Value) bool { return d != nil }) {
		return nil
	}
	rule := rules[n.OpType()]
	terms, err := rule.backward(c)
	if err != nil {
		return err
	}
	if n.Is("Conv") {
		e.convolutions = append(e.convolutions, Convolution{Node: n, X: n.Input(0), W: n.Input(1), DY: c.dy(), DX: terms[0], DW: terms[1]})
	}
	for i, d := range terms {
		v := n.Input(i)
		if d == nil || !c.on[v] {
			continue
		}
		if rule.Broadcasts {
			d = c.sumTo(d, c.shape(n.Output(0)), c.shape(v))
		}
		declare(d, v)
		e.terms[v] = append(e.terms[v], d)
	}
	return nil
}
