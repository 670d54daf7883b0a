// Package blocked replaces operators of a model by ONNX Runtime's blocked operators for CPUs.
//
// Stock ONNX Runtime has an internal operator domain, com.microsoft.nchwc. Its tensors store channels in blocks as wide as the
// machine's vectors: [N, C, H, W] is [N, C/B, H, W, B] in memory. ONNX Runtime itself uses these operators only if filters are
// constants, which they are not in training. But if a model names the operators, they also take computed filters.
package blocked

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Domain is the domain of the blocked operators.
const Domain = "com.microsoft.nchwc"

type (
	value = *onnxgraph.Value
	node  = *onnxgraph.Node
)

// Lower changes the main graph of a model, in place, to blocked operators with blocks of the given size. All values must have
// static types. convs lists convolutions with their gradients; the computation of each gradient is replaced as a whole. Operators
// without a blocked form stay as they are, and operators that change the layout are added around them.
func Lower(m *onnxgraph.Model, convs []gradient.Convolution, block int64) {
	l := &lowering{
		Builder: onnxgraph.NewBuilder(m.Graph), block: block,
		twins: map[value]value{}, done: map[node]bool{}, weights: map[value]gradient.Convolution{}, inputs: map[value]gradient.Convolution{},
		constants: map[string]value{}, phases: map[value]phaseGrid{},
	}
	for _, c := range convs {
		l.weights[c.DW], l.inputs[c.DX] = c, c // nil if there is none
	}
	m.SetOpset(Domain, 1)
	for _, n := range m.Graph.Sorted() {
		l.lower(n)
	}
	l.finish()
	m.Graph.Prune()
}

// lowering is the state of Lower.
type lowering struct {
	*onnxgraph.Builder
	block     int64
	twins     map[value]value // values of the portable graph in blocked layout
	done      map[node]bool   // nodes whose outputs all have twins, or are no longer read
	weights   map[value]gradient.Convolution
	inputs    map[value]gradient.Convolution
	constants map[string]value    // by their content
	phases    map[value]phaseGrid // gradients of strided convolutions, before their parts are interleaved
}

// lower finds a blocked form for a node, if there is one.
func (l *lowering) lower(n node) {
	y := n.Output(0)
	if y == nil || y.IsOutput() || n.Domain() != "" {
		return // an output of the graph keeps its layout and its name
	}
	if c, ok := l.weights[y]; ok {
		l.weightGradient(c)
	}
	if c, ok := l.inputs[y]; ok && l.inputGradient(c) {
		l.done[n] = true
		return
	}
	if rule, ok := rules[n.OpType()]; ok {
		if twin := rule(l, n); twin != nil {
			l.twins[y] = twin
			l.done[n] = true
		}
	}
	if rule, ok := plainRules[n.OpType()]; ok {
		if out := rule(l, n); out != nil {
			onnxgraph.ReplaceUses(y, out)
			l.done[n] = true
		}
	}
}

// rules return the output of a node in blocked layout, nil if they do not apply.
var rules = map[string]func(l *lowering, n node) value{
	"Conv":              (*lowering).conv,
	"Relu":              (*lowering).elementwise,
	"HardSigmoid":       (*lowering).elementwise,
	"Clip":              (*lowering).elementwise,
	"Sigmoid":           (*lowering).elementwise,
	"Neg":               (*lowering).elementwise,
	"Add":               (*lowering).binary,
	"Sub":               (*lowering).binary,
	"Mul":               (*lowering).binary,
	"Div":               (*lowering).binary,
	"Concat":            (*lowering).concat,
	"Expand":            (*lowering).expand,
	"GlobalAveragePool": (*lowering).globalAveragePool,
}

// plainRules return the output, in plain layout, of a node with an input in blocked layout, nil if they do not apply.
var plainRules = map[string]func(l *lowering, n node) value{
	"ReduceSum":  (*lowering).reduce,
	"ReduceMean": (*lowering).reduce,
}

// finish gives the remaining nodes of the portable graph inputs in plain layout.
func (l *lowering) finish() {
	for _, n := range l.Graph.Nodes() {
		v := n.Output(0)
		if l.twins[v] == nil {
			continue
		}
		for _, u := range v.Uses() {
			if !l.done[u.Node] {
				u.Node.SetInput(u.Index, l.plain(v))
			}
		}
	}
}

// plain returns a value of the portable graph in plain layout, computed from its twin if it has one.
func (l *lowering) plain(v value) value {
	twin := l.twins[v]
	if twin == nil {
		return v
	}
	shape := shapeOf(v)
	return l.plainLayout(l.typed(twin, shape...))
}

// plainLayout converts a tensor [N, C, H, W] from blocked to plain layout.
func (l *lowering) plainLayout(v value) value {
	shape := shapeOf(v)
	if onnxgraph.ElementCount(shape[2:]) == 1 {
		return v // the two layouts are the same
	}
	return l.typed(l.nchwc("ReorderOutput", []value{v}, onnxgraph.Int("channels", shape[1])), shape...)
}

// typed declares the shape of a value that is not a graph output.
func (l *lowering) typed(v value, shape ...int64) value {
	v.SetType(onnxgraph.Float32, onnxgraph.Static(shape...))
	return v
}

// fits reports whether a value can have blocked layout.
func (l *lowering) fits(v value) bool {
	shape := shapeOf(v)
	return v.DType() == onnxgraph.Float32 && len(shape) == 4 && shape[1]%l.block == 0
}

// blockedForm returns a value of the portable graph in blocked layout.
func (l *lowering) blockedForm(v value) value {
	if twin := l.twins[v]; twin != nil {
		return twin
	}
	s := shapeOf(v)
	return l.reorderInput(v, s[2]*s[3])
}

func (l *lowering) isBlocked(v value) bool { return l.twins[v] != nil }

// nchwc adds a blocked operator.
func (l *lowering) nchwc(opType string, inputs []value, attrs ...onnxgraph.Attribute) value {
	return l.OpOf(Domain, opType, inputs, attrs...)
}

func (l *lowering) reshape(v value, shape ...int64) value {
	return l.typed(l.Op("Reshape", []value{v, l.Ints(shape...)}), shape...)
}

func (l *lowering) transpose(v value, perm ...int64) value {
	s := shapeOf(v)
	var shape []int64
	for _, i := range perm {
		shape = append(shape, s[i])
	}
	return l.typed(l.Op("Transpose", []value{v}, onnxgraph.Ints("perm", perm...)), shape...)
}

func (l *lowering) sumOver(v value, keep int64, axes ...int64) value {
	return l.Op("ReduceSum", []value{v, l.Ints(axes...)}, onnxgraph.Int("keepdims", keep))
}

func (l *lowering) scale(v value, factor float64) value {
	if factor == 1 {
		return v
	}
	return l.Op("Mul", []value{v, l.Fill(onnxgraph.Float32, factor)})
}

// shapeOf returns the static shape of a value, nil if it is not known.
func shapeOf(v value) []int64 {
	shape, ok := v.StaticShape()
	if !ok {
		return nil
	}
	return shape
}

// single reports whether exactly one node reads v.
func single(v value) bool { return len(v.Uses()) == 1 && !v.IsOutput() }

// isPerChannel reports whether v has one element per channel of x.
func isPerChannel(v, x value) bool {
	channels := shapeOf(x)[1]
	s := shapeOf(v)
	switch len(s) {
	case 4:
		return slices.Equal(s, []int64{1, channels, 1, 1})
	case 3:
		return slices.Equal(s, []int64{channels, 1, 1})
	}
	return false
}
