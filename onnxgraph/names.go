package onnxgraph

import (
	"cmp"
	"strconv"
)

// names returns names that are free in every scope of a model, so that a new value never clashes with an outer value or one in
// the body of an operator.
type names struct {
	taken map[string]int // how many values and nodes have each name: a file may use a name in several scopes
	next  map[string]int // per hint, the number to try next
}

func newNames() *names { return &names{map[string]int{}, map[string]int{}} }

// add records that one more value or node has the name.
func (n *names) add(name string) { n.taken[name]++ }

// release records that one value or node with the name was removed.
func (n *names) release(name string) { n.taken[name]-- }

// take reserves a name; it reports whether the name was free.
func (n *names) take(name string) bool {
	if n.taken[name] > 0 {
		return false
	}
	n.add(name)
	return true
}

// unique reserves and returns hint, or hint with a number appended. It never returns an empty name, which means an absent value
// in a file.
func (n *names) unique(hint string) string {
	hint = cmp.Or(hint, "unnamed")
	name := hint
	for !n.take(name) {
		n.next[hint]++
		name = hint + "_" + strconv.Itoa(n.next[hint])
	}
	return name
}
