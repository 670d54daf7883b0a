// Package cuda replaces operators that are slow in ONNX Runtime's CUDA provider by other standard operators that compute the
// same.
package cuda

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

type (
	value = *onnxgraph.Value
	node  = *onnxgraph.Node
)

// Lower changes the main graph of a model, whose values all have static types, in place.
func Lower(m *onnxgraph.Model) {
	a := &lowering{onnxgraph.NewBuilder(m.Graph)}
	for _, n := range m.Graph.Sorted() {
		rule, ok := rules[n.OpType()]
		if ok && n.Domain() == "" && !slices.ContainsFunc(n.Outputs(), isFixed) {
			rule(a, n)
		}
	}
	m.Graph.Prune()
}

// rules replace a node by other operators, or leave it as it is.
var rules = map[string]func(a *lowering, n node){
	"Concat":     (*lowering).concat,
	"Split":      (*lowering).split,
	"ReduceMean": (*lowering).reduce,
	"ReduceSum":  (*lowering).reduce,
}

// isFixed reports whether a node's output cannot be replaced, because it is absent, has no static shape, or is an output of the
// graph, whose name must stay.
func isFixed(v value) bool {
	if v == nil || v.IsOutput() {
		return true
	}
	_, ok := v.StaticShape()
	return !ok
}

// lowering is the state of Lower.
type lowering struct{ *onnxgraph.Builder }

func (a *lowering) typed(v, like value, shape ...int64) value {
	v.SetType(like.DType(), onnxgraph.Static(shape...))
	return v
}

// reshape reshapes a value. If the value comes from a Reshape, it reshapes that node's input instead.
func (a *lowering) reshape(v value, shape ...int64) value {
	from := v
	if n := v.Producer(); n != nil && n.Is("Reshape") {
		from = n.Input(0)
	}
	return a.typed(a.Op("Reshape", []value{from, a.Ints(shape...)}), v, shape...)
}
