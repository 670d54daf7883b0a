package onnxgraph

import "strconv"

// names hands out names that are free in every scope of a model, so that a new value can clash neither
// with an outer one nor with one in the body of an operator.
type names struct {
	taken map[string]bool
	next  map[string]int // per hint, the number to try next
}

func newNames() *names { return &names{map[string]bool{}, map[string]int{}} }

// take reserves a name; it reports whether the name was free.
func (n *names) take(name string) bool {
	if n.taken[name] {
		return false
	}
	n.taken[name] = true
	return true
}

// unique reserves and returns hint, or hint with a number behind it.
func (n *names) unique(hint string) string {
	name := hint
	for !n.take(name) {
		n.next[hint]++
		name = hint + "_" + strconv.Itoa(n.next[hint])
	}
	return name
}
