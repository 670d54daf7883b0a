package onnxgraph

import (
	"container/heap"
	"slices"
)

// sorting is the result of sortNodes: an order in which each node comes after the nodes whose outputs it reads, and the cycles.
// Nodes on a cycle, or after one, are not in the order. Cycles with common nodes count as one.
type sorting struct {
	order  []*Node
	cycles [][]*Node
}

// sortNodes sorts topologically by Kahn's algorithm. If several nodes can come next, it takes the first of them in the list, so
// that a sorted list stays as it is.
func sortNodes(nodes []*Node) sorting {
	position := make(map[*Node]int, len(nodes))
	for i, n := range nodes {
		position[n] = i
	}
	waiting := make([]int, len(nodes)) // how many producers each node waits for
	readers := make([][]int, len(nodes))
	for i, n := range nodes {
		for _, v := range n.Reads() {
			if p, ok := position[v.producer]; v.producer != nil && ok {
				waiting[i]++
				readers[p] = append(readers[p], i)
			}
		}
	}
	ready := &intHeap{}
	for i, w := range waiting {
		if w == 0 {
			heap.Push(ready, i)
		}
	}
	var s sorting
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		s.order = append(s.order, nodes[i])
		for _, r := range readers[i] {
			if waiting[r]--; waiting[r] == 0 {
				heap.Push(ready, r)
			}
		}
	}
	if len(s.order) < len(nodes) {
		for _, circle := range circles(readers) {
			s.cycles = append(s.cycles, mapSlice(circle, func(i int) *Node { return nodes[i] }))
		}
	}
	return s
}

// circles returns sets of nodes in which each node leads to itself and to all others. It uses Tarjan's algorithm for strongly
// connected components. next[i] lists the nodes that node i leads to.
func circles(next [][]int) [][]int {
	const done = -1
	number := make([]int, len(next)) // order of visits, from 1; 0 before the visit; done when the node's set is known
	var found [][]int
	var open []int // nodes whose set is not known yet
	var visit func(i int) int
	visits := 0
	visit = func(i int) int { // returns the lowest number of an open node that i leads to
		visits++
		own := visits
		number[i] = own
		lowest, first := own, len(open)
		open = append(open, i)
		for _, j := range next[i] {
			switch number[j] {
			case done:
			case 0:
				lowest = min(lowest, visit(j))
			default:
				lowest = min(lowest, number[j])
			}
		}
		if lowest < own {
			return lowest
		}
		set := slices.Sorted(slices.Values(open[first:]))
		open = open[:first]
		for _, j := range set {
			number[j] = done
		}
		if len(set) > 1 || slices.Contains(next[i], i) {
			found = append(found, set)
		}
		return lowest
	}
	for i := range next {
		if number[i] == 0 {
			visit(i)
		}
	}
	slices.SortFunc(found, func(a, b []int) int { return a[0] - b[0] })
	return found
}

// Reads returns every value that the node depends on: its inputs, and the values that graphs in its attributes read or output.
func (n *Node) Reads() []*Value {
	var all []*Value
	for _, v := range n.inputs {
		if v != nil {
			all = append(all, v)
		}
	}
	for _, body := range n.bodies() {
		all = append(all, body.Outputs()...)
		for _, inner := range body.nodes {
			all = append(all, inner.Reads()...)
		}
	}
	return all
}

// ReadsAny reports whether the node depends on one of the values: whether Reads has one.
func (n *Node) ReadsAny(values map[*Value]bool) bool {
	return slices.ContainsFunc(n.Reads(), func(v *Value) bool { return values[v] })
}

// Dependents returns the given start values, without nil, and all values of the graph that depend on them. The outputs of a node
// depend on everything that it Reads, so also on what its bodies read from the graphs around them. If through is not nil, the
// walk stops at nodes for which it returns false: their outputs do not count as dependent.
func (g *Graph) Dependents(start []*Value, through func(*Node) bool) map[*Value]bool {
	found := map[*Value]bool{}
	add := func(list []*Value) {
		for _, v := range list {
			if v != nil {
				found[v] = true
			}
		}
	}
	add(start)
	for _, n := range g.Sorted() {
		if (through == nil || through(n)) && n.ReadsAny(found) {
			add(n.outputs)
		}
	}
	return found
}

// Sorted returns the graph's nodes in an order in which each comes after the nodes whose outputs it reads. Nodes that are in
// such an order already keep it. If nodes depend on each other in a cycle, these and all that depend on them are left out; Load
// and Save refuse such models.
func (g *Graph) Sorted() []*Node { return sortNodes(g.nodes).order }

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
