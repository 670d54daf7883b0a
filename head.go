package rcfreeze

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// checkHead says what is wrong with a number of classes for a new last layer, 0 for none.
func checkHead(classes int) error {
	if classes < 0 || classes == 1 {
		return fmt.Errorf("--num-classes %d: needs 2 or more, or 0 to keep the last layer", classes)
	}
	return nil
}

// replaceHead gives the model a new last layer for so many classes, and tells; for 0 it keeps the one it has. before names what
// the new layer reads, for --train-from, "" if nothing does.
func (r Reporter) replaceHead(m *Model, classes int, seed uint64) (before string, err error) {
	if classes == 0 {
		return "", nil
	}
	old, err := head.Replace(m, classes, seed)
	if err != nil {
		return "", err
	}
	m.RemoveMetadata(classesKey)
	r.say("%s: the last layer %s is new, for %d classes instead of %d", m.Path(), old.Node, classes, old.Classes)
	return nodeBefore(m, old.Node), nil
}

// nodeBefore returns by which name --train-from finds the node whose output a layer reads, "" if there is none.
func nodeBefore(m *Model, layer string) string {
	n, err := parameter.FindNode(m, layer)
	if err != nil {
		return ""
	}
	for _, v := range n.Inputs() {
		if v == nil || v.Constant() != nil || v.Producer() == nil || v.Producer().Is("Constant") {
			continue
		}
		if name := v.Producer().Name(); name != "" {
			return name
		}
		return v.Name()
	}
	return ""
}

// untie gives every layer constants of its own where the file stores equal ones of several layers once, and tells.
func (r Reporter) untie(m *Model) {
	var names []string
	for _, s := range parameter.Separate(m) {
		names = append(names, fmt.Sprintf("%s (now %d)", s.Name, s.Copies))
	}
	if len(names) > 0 {
		r.say("%s stores equal constants of different layers once, as exporters do; now each layer has its own copy: %s", m.Path(), onnxgraph.Listed(names))
	}
}
