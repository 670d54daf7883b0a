package onnxgraph

import (
	"fmt"
	"math"
)

// ONNX Runtime puts the nodes of a function in the place of each call of it, and so on in these. It does not notice that there is no
// end to it: functions that call themselves end the process, and so does a deep nest. A small file may unfold to any number of
// nodes.

// The limits to what functions unfold to, far above what exporters write: a function per layer, called some times.
const (
	mostNodes  = 100_000 // from functions, in the whole model
	mostLevels = 200     // of functions that call others, and of the bodies of operators in them
)

// operator is what a node calls and a function defines.
type operator struct{ domain, name, overload string }

// callFaults says which functions call themselves, and if functions unfold to too many nodes.
func (m *Model) callFaults() []error {
	if len(m.Functions) == 0 {
		return nil
	}
	u := unfolding{defined: map[operator][]int{}, unfolded: make([]unfolded, len(m.Functions))}
	next := make([][]int, len(m.Functions))
	for i, f := range m.Functions {
		key := operator{f.Domain(), f.Name(), f.proto.GetOverload()}
		u.defined[key] = append(u.defined[key], i)
	}
	for i, f := range m.Functions {
		u.bodies = append(u.bodies, f.Body)
		for _, n := range f.Body.AllNodes() {
			next[i] = append(next[i], u.called(n)...)
		}
	}
	var faults []error
	for _, circle := range circles(next) {
		names := mapSlice(circle, func(i int) string { return fmt.Sprintf("%q", m.Functions[i].Name()) })
		faults = append(faults, fmt.Errorf("functions that call themselves, directly or by way of others: %s", Listed(names)))
	}
	if len(faults) > 0 {
		return faults
	}
	main := u.graph(m.Graph)
	if main.nodes > mostNodes {
		faults = append(faults, fmt.Errorf("functions: their nodes, put in the place of each call, are %s, must be at most %d: "+
			"export the model without functions, or with fewer calls", manyNodes(main.nodes), mostNodes))
	}
	if main.levels > mostLevels {
		faults = append(faults, fmt.Errorf("functions: they call each other %d levels deep, with the bodies of operators in them, must be at most %d: "+
			"export the model without functions", main.levels, mostLevels))
	}
	return faults
}

func manyNodes(n int64) string {
	if n == math.MaxInt64 {
		return "over 10^18"
	}
	return fmt.Sprint(n)
}

// unfolding finds out what functions unfold to without unfolding them.
type unfolding struct {
	defined  map[operator][]int // the numbers of the functions that define an operator; a damaged file may have several
	bodies   []*Graph           // of the functions
	unfolded []unfolded         // what they unfold to, zero if that is not known yet
}

// unfolded is how many nodes the calls in a graph bring, and how many levels of calls and bodies are below it.
type unfolded struct {
	nodes  int64 // the largest number stands for all above
	levels int
}

// called returns the numbers of the functions that a node may call.
func (u *unfolding) called(n *Node) []int {
	return u.defined[operator{n.Domain(), n.OpType(), n.proto.GetOverload()}]
}

func (u *unfolding) function(i int) unfolded {
	if u.unfolded[i] == (unfolded{}) {
		r := u.graph(u.bodies[i])
		u.unfolded[i] = unfolded{addNodes(r.nodes, int64(len(u.bodies[i].AllNodes()))), r.levels + 1}
	}
	return u.unfolded[i]
}

// graph counts what the calls in a graph unfold to, those in the bodies of its operators too.
func (u *unfolding) graph(g *Graph) (r unfolded) {
	for _, n := range g.nodes {
		for _, i := range u.called(n) {
			f := u.function(i)
			r = unfolded{addNodes(r.nodes, f.nodes), max(r.levels, f.levels)}
		}
		for _, body := range n.bodies() {
			b := u.graph(body)
			r = unfolded{addNodes(r.nodes, b.nodes), max(r.levels, b.levels+1)}
		}
	}
	return r
}

// addNodes adds counts, and stays at the largest number.
func addNodes(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
