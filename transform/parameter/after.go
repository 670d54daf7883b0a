package parameter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// FindNode returns the node of the main graph that has the given name, or that produces a value of that name. It fails if there
// is no such node, and lists similar names, or if there are several, and lists what these produce.
func FindNode(m *onnxgraph.Model, name string) (*onnxgraph.Node, error) {
	var found []*onnxgraph.Node
	var names []string
	for _, n := range m.Graph.Nodes() {
		produces := slices.ContainsFunc(n.Outputs(), func(v *onnxgraph.Value) bool { return v != nil && v.Name() == name })
		if n.Name() == name || produces {
			found = append(found, n)
		}
		if !n.Is("Constant") {
			names = append(names, n.Label())
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("finding node %q of %s: there is none; similar names are %q", name, m.Path(), similar(name, names))
	case 1:
		return found[0], nil
	}
	var outputs []string
	for _, n := range found {
		for _, v := range n.Outputs() {
			if v != nil {
				outputs = append(outputs, v.Name())
			}
		}
	}
	return nil, fmt.Errorf("finding node %q of %s: %d nodes have that name: choose one by what it produces, %q", name, m.Path(), len(found), outputs)
}

// After returns those of the named constants of the main graph that influence only values downstream of the node n, which are its
// outputs and what is computed from them. The node's own constants are not among them, nor those of branches beside the node.
// Train these alone, and everything up to n stays as it is. After fails if n does not depend on the images, or if no constant is
// left.
func After(m *onnxgraph.Model, n *onnxgraph.Node, names []string) ([]string, error) {
	images := slices.DeleteFunc(m.Graph.Inputs(), func(v *onnxgraph.Value) bool { return v.Constant() != nil })
	fromImages := m.Graph.Dependents(images, nil)
	if !n.ReadsAny(fromImages) {
		return nil, fmt.Errorf("choosing what trains after node %s: it does not depend on the images", n)
	}
	behind := m.Graph.Dependents(n.Outputs(), nil)
	var kept []string
	for _, name := range names {
		if v := m.Graph.Value(name); v != nil && onlyReadBy(v, fromImages, behind) {
			kept = append(kept, name)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("choosing what trains after node %s: no parameter that trains comes after it", n)
	}
	return kept, nil
}

// onlyReadBy reports whether each node that depends on the images and reads v also depends on some of the given values. A node
// counts as reading v, too, if it reads what other nodes compute from v and constants only.
func onlyReadBy(v *onnxgraph.Value, fromImages, some map[*onnxgraph.Value]bool) bool {
	for _, u := range v.Uses() {
		if u.Node.Graph() != v.Graph() {
			return false // a node in a body reads it, which may run at any time
		}
		if u.Node.ReadsAny(fromImages) {
			if !u.Node.ReadsAny(some) {
				return false
			}
			continue
		}
		if slices.ContainsFunc(u.Node.Outputs(), func(o *onnxgraph.Value) bool { return o != nil && !onlyReadBy(o, fromImages, some) }) {
			return false
		}
	}
	return true
}

// similar returns the few names that are most like one: those that contain it, then by edit distance.
func similar(name string, names []string) []string {
	const few = 5
	contains := func(other string) int {
		if strings.Contains(strings.ToLower(other), strings.ToLower(name)) {
			return 0
		}
		return 1
	}
	sorted := slices.SortedStableFunc(slices.Values(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(contains(a), contains(b)), cmp.Compare(editDistance(name, a), editDistance(name, b)))
	})
	return sorted[:min(few, len(sorted))]
}

// editDistance is the Levenshtein distance: how many bytes to insert, remove or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
