package parameter

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// finder looks for parameters, node by node in topological order.
type finder struct {
	found   map[*onnxgraph.Value]Parameter
	fixed   map[*onnxgraph.Value]bool // values that depend on constants only
	learned map[*onnxgraph.Value]bool // values that depend on a weight, and not on constants only
	data    map[*onnxgraph.Value]bool // values that depend on the numbers in the model's inputs
	aside   aside

	initializers bool // the file has weights as initializers, not in Constant nodes

	layers  []*layer
	readers map[*onnxgraph.Value][]reading // of each constant, in the order of the layers
	order   []*onnxgraph.Value             // the keys of readers, in the order in which they were found
}

// layer is a node that applies parameters to its other inputs.
type layer struct {
	node       *onnxgraph.Node
	parameters []parameterInput
}

// parameterInput is an input of a layer that is a parameter, or is computed from parameters.
type parameterInput struct {
	index   int
	value   *onnxgraph.Value
	sources []*onnxgraph.Value // the constants that it is computed from, without the single numbers of formulas
}

// reading says that a layer has a constant as a parameter.
type reading struct {
	layer *layer
	index int           // number of the layer's input
	at    onnxgraph.Use // what reads the constant itself: the layer, or the first node on the way to it
	role  Role
}

func newFinder() *finder {
	return &finder{
		found: map[*onnxgraph.Value]Parameter{}, fixed: map[*onnxgraph.Value]bool{}, learned: map[*onnxgraph.Value]bool{},
		data: map[*onnxgraph.Value]bool{}, readers: map[*onnxgraph.Value][]reading{},
	}
}

// find looks for the parameters in all graphs of a model.
func find(m *onnxgraph.Model) *finder {
	f := newFinder()
	f.initializers = hasInitializers(m)
	for _, g := range m.Graphs() {
		for _, n := range g.Sorted() {
			f.read(n)
		}
	}
	return f
}

// read records the parameters that n reads, and what its outputs depend on.
func (f *finder) read(n *onnxgraph.Node) {
	fixed, learned, data := len(n.Inputs()) > 0 && !n.HasBody(), n.HasBody(), n.HasBody()
	for _, v := range n.Inputs() {
		fixed = fixed && (v == nil || f.isFixed(v))
		learned = learned || f.learned[v]
		data = data || v != nil && (f.data[v] || v.IsInput() && v.Constant() == nil)
	}
	if n.Is("Shape") || n.Is("Size") {
		learned, data = false, false
	}
	roles := readings[n.OpType()]
	if n.Domain() != "" {
		roles = nil
	}
	l := &layer{node: n}
	for i, role := range roles {
		v := n.Input(i)
		if role.Trains() && !isElementwise(n) && isSparse(v) {
			f.aside.unsuited = append(f.aside.unsuited, v)
		}
		if role == "" || fixed || v == nil || !f.isFixed(v) || isElementwise(n) && !f.looksLearned(n, v) {
			continue
		}
		learned = true
		p := parameterInput{index: i, value: v}
		f.spread(&p, l, v, role, onnxgraph.Use{Node: n, Index: i}, map[*onnxgraph.Value]bool{})
		l.parameters = append(l.parameters, p)
	}
	if len(l.parameters) > 0 {
		f.layers = append(f.layers, l)
	}
	if data {
		f.putAside(n)
	}
	for _, v := range n.Outputs() {
		f.fixed[v], f.learned[v], f.data[v] = fixed, learned, data
	}
}

// isFixed reports whether a value depends on constants only.
func (f *finder) isFixed(v *onnxgraph.Value) bool { return v.Constant() != nil || f.fixed[v] }

// spread gives a role to the constant v, or to the constants that v is computed from, for input p of a layer. Single numbers that
// nodes on the way combine with others are part of a formula, and get no role. use says what reads v on the way to the layer, and
// done holds the values that were seen before.
func (f *finder) spread(p *parameterInput, l *layer, v *onnxgraph.Value, role Role, use onnxgraph.Use, done map[*onnxgraph.Value]bool) {
	n := v.Producer()
	if v.Constant() != nil || n.Is("ConstantOfShape") {
		if v.Constant() != nil && !v.DType().IsFloat() {
			return // a shape or indices
		}
		f.note(v, role, onnxgraph.Use{Node: l.node, Index: p.index})
		if f.readers[v] == nil {
			f.order = append(f.order, v)
		}
		f.readers[v] = append(f.readers[v], reading{l, p.index, use, role})
		p.sources = append(p.sources, v)
		if v.Constant() == nil && role.Trains() {
			f.aside.unsuited = append(f.aside.unsuited, v)
		}
		return
	}
	if done[v] {
		return
	}
	done[v] = true
	if n.Is("DequantizeLinear") {
		if role.Trains() {
			f.aside.quantized = append(f.aside.quantized, n.Input(0))
		}
		return
	}
	for i, input := range n.Inputs() {
		if input != nil && (len(n.Inputs()) == 1 || !IsSingle(input)) {
			f.spread(p, l, input, role, onnxgraph.Use{Node: n, Index: i}, done)
		}
	}
}

// note sets the role of a constant, unless it already has a role that comes earlier in rank.
func (f *finder) note(v *onnxgraph.Value, role Role, reading onnxgraph.Use) {
	old := f.found[v]
	for _, r := range rank {
		if r == old.Role {
			return
		}
		if r == role {
			f.found[v] = Parameter{v, role, reading}
			return
		}
	}
}
