package parameter

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
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
		return nil, fmt.Errorf("finding node %q of %s: there is none; %s", name, m.Path(), similar(name, names))
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
	return nil, fmt.Errorf("finding node %q of %s: %d nodes have that name: choose one by what it produces, %s", name, m.Path(), len(found), quoted(outputs))
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

// similar tells which few names are most like one: those that contain it, then by edit distance, up to half of the letters. If none
// is like it, it tells the first few.
func similar(name string, names []string) string {
	const few = 5
	if len(names) == 0 {
		return "there are no names"
	}
	lower := strings.ToLower(name)
	distance := func(other string) int {
		if strings.Contains(strings.ToLower(other), lower) {
			return 0
		}
		return editDistance(lower, strings.ToLower(other))
	}
	like := slices.DeleteFunc(slices.Clone(names), func(other string) bool { return distance(other) > len(name)/2 })
	if len(like) == 0 {
		return "the first names are " + quoted(names[:min(few, len(names))])
	}
	slices.SortStableFunc(like, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(editDistance(name, a), editDistance(name, b)))
	})
	return "similar names are " + quoted(like[:min(few, len(like))])
}

// quoted lists names in quotes.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strconv.Quote(name)
	}
	return strings.Join(list, ", ")
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
