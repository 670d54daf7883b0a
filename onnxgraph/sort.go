package onnxgraph

import (
	"container/heap"
)

// sorting is the result of sortNodes: the nodes in an order in which each follows what it reads, and
// those for which there is no such order, since they are on a cycle or behind one.
type sorting struct {
	order  []*Node
	cyclic []*Node
}

// sortNodes sorts topologically by Kahn's algorithm. Of the nodes that may come next, the one that
// stands first in the list does: a list that is in order already stays as it is.
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
	for i, w := range waiting {
		if w > 0 {
			s.cyclic = append(s.cyclic, nodes[i])
		}
	}
	return s
}

// Reads returns every value that the node depends on: its inputs, and what the graphs in its attributes
// read or output.
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

// Sorted returns the graph's nodes in an order in which each follows what it reads.
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
