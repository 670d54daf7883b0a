package onnxgraph

import (
	"fmt"
	"math"
)

// ONNX Runtime replaces each call of a function by the function's nodes, and repeats this for calls among these nodes. It does
// not notice if this never ends: a function that calls itself ends the process, and so does a long chain of functions that call
// each other. A small file can unfold to any number of nodes. Also, each nesting level of bodies (of If, Loop and Scan) doubles
// the time that ONNX Runtime takes.

// Limits for unfolded models, far above what exporters write.
const (
	mostNodes  = 100_000 // nodes from functions
	mostCalls  = 200     // length of a chain of functions that call each other
	mostBodies = 12      // bodies nested in each other
)

// operator is what a node calls and a function defines.
type operator struct{ domain, name, overload string }

// operator returns what the node calls.
func (n *Node) operator() operator { return operator{n.Domain(), n.OpType(), n.proto.GetOverload()} }

// operator returns what the function defines.
func (f *Function) operator() operator { return operator{f.Domain(), f.Name(), f.proto.GetOverload()} }

// without returns the default of a function's parameter, nil if calls must give a value.
func (f *Function) without(parameter string) *Attribute {
	for _, p := range f.proto.GetAttributeProto() {
		if p.GetName() == parameter {
			a := &Attribute{proto: p}
			if p.T != nil {
				a.tensor = &Tensor{proto: p.T}
			}
			return a
		}
	}
	return nil
}

// defined returns the functions by the operators that they define.
func (m *Model) defined() map[operator]*Function {
	functions := map[operator]*Function{}
	for _, f := range m.Functions {
		functions[f.operator()] = f
	}
	return functions
}

// nestingFaults lists functions that call themselves, and says if the model unfolds to too many nodes or levels.
func (m *Model) nestingFaults() []error {
	var faults []error
	u := unfolding{model: m, defined: map[operator]int{}, unfolded: make([]unfolded, len(m.Functions))}
	for i, f := range m.Functions {
		key := f.operator()
		if _, twice := u.defined[key]; twice {
			faults = append(faults, fmt.Errorf("function %q of domain %q is defined twice", key.name, key.domain))
		}
		u.defined[key] = i
	}
	next := make([][]int, len(m.Functions))
	for i, f := range m.Functions {
		for _, n := range f.Body.AllNodes() {
			if called, ok := u.called(n); ok {
				next[i] = append(next[i], called)
			}
		}
	}
	for _, circle := range circles(next) {
		names := mapSlice(circle, func(i int) string { return fmt.Sprintf("%q", m.Functions[i].Name()) })
		faults = append(faults, fmt.Errorf("functions that call themselves, directly or by way of others: %s", Listed(names)))
	}
	if len(faults) > 0 {
		return faults
	}
	main := u.graph(m.Graph)
	if main.nodes > mostNodes {
		faults = append(faults, fmt.Errorf("functions: with their nodes in the place of each call, the model has %s nodes more, and at most %d are allowed: "+
			"export the model without functions, or with fewer calls", manyNodes(main.nodes), mostNodes))
	}
	if main.calls > mostCalls {
		faults = append(faults, fmt.Errorf("functions: %d call each other in a chain, must be at most %d: export the model without functions", main.calls, mostCalls))
	}
	if main.bodies > mostBodies {
		faults = append(faults, fmt.Errorf("bodies of operators such as If and Loop are nested %d levels deep, must be at most %d", main.bodies, mostBodies))
	}
	return faults
}

func manyNodes(n int64) string {
	if n == math.MaxInt64 {
		return "over 10^18"
	}
	return fmt.Sprint(n)
}

// unfolding computes the size of unfolded functions without unfolding them.
type unfolding struct {
	model    *Model
	defined  map[operator]int // the number of the function that defines an operator
	unfolded []unfolded       // the sizes of the unfolded functions, zero if not known yet
}

// unfolded is the size of an unfolded graph: how many nodes its calls add, and the largest number of levels of calls and of
// bodies below it.
type unfolded struct {
	nodes         int64 // stays at the largest int64 instead of overflowing
	calls, bodies int
}

// called returns the number of the function that a node calls; ok is false if the node does not call a function.
func (u *unfolding) called(n *Node) (i int, ok bool) {
	i, ok = u.defined[n.operator()]
	return i, ok
}

func (u *unfolding) function(i int) unfolded {
	if u.unfolded[i] == (unfolded{}) {
		body := u.model.Functions[i].Body
		r := u.graph(body)
		r.nodes = addNodes(r.nodes, int64(len(body.AllNodes())))
		r.calls++
		u.unfolded[i] = r
	}
	return u.unfolded[i]
}

// graph computes the size of an unfolded graph.
func (u *unfolding) graph(g *Graph) (r unfolded) {
	add := func(part unfolded) {
		r = unfolded{addNodes(r.nodes, part.nodes), max(r.calls, part.calls), max(r.bodies, part.bodies)}
	}
	for _, n := range g.nodes {
		if i, ok := u.called(n); ok {
			add(u.function(i))
		}
		for _, body := range n.bodies() {
			part := u.graph(body)
			part.bodies++
			add(part)
		}
	}
	return r
}

// addNodes adds counts; the sum stays at the largest int64 instead of overflowing.
func addNodes(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
