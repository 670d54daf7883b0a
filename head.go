package rcfreeze

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// checkHead checks the number of classes for a new last layer; 0 means no new layer.
func checkHead(classes int) error {
	if classes < 0 || classes == 1 {
		return fmt.Errorf("--num-classes %d: needs 2 or more, or 0 to keep the last layer", classes)
	}
	return nil
}

// replaceHead gives the model a new last layer for the given number of classes, and reports it. If classes is 0, it does nothing.
// before is a name for --train-from of the node before the new layer, "" if it has none.
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

// nodeBefore returns a name for --train-from of the node whose output a layer reads, "" if there is none.
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

// untie gives every layer its own constants if the file stores equal constants of several layers only once, and reports it.
func (r Reporter) untie(m *Model) {
	var names []string
	for _, s := range parameter.Separate(m) {
		names = append(names, fmt.Sprintf("%s (now %d)", s.Name, s.Copies))
	}
	if len(names) > 0 {
		r.say("%s stores equal constants of different layers once, as exporters do; now each layer has its own copy: %s", m.Path(), onnxgraph.Listed(names))
	}
}
