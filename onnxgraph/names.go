package onnxgraph

import (
	"cmp"
	"strconv"
)

// names hands out names that are free in every scope of a model, so that a new value can clash neither
// with an outer one nor with one in the body of an operator.
type names struct {
	taken map[string]int // how many values and nodes have the name: a file may use it in several scopes
	next  map[string]int // per hint, the number to try next
}

func newNames() *names { return &names{map[string]int{}, map[string]int{}} }

// add notes that one more value or node has the name.
func (n *names) add(name string) { n.taken[name]++ }

// release notes that one of those that have the name is gone.
func (n *names) release(name string) { n.taken[name]-- }

// take reserves a name; it reports whether the name was free.
func (n *names) take(name string) bool {
	if n.taken[name] > 0 {
		return false
	}
	n.add(name)
	return true
}

// unique reserves and returns hint, or hint with a number behind it. In a file, an empty name stands for a value that is
// absent.
func (n *names) unique(hint string) string {
	hint = cmp.Or(hint, "unnamed")
	name := hint
	for !n.take(name) {
		n.next[hint]++
		name = hint + "_" + strconv.Itoa(n.next[hint])
	}
	return name
}
