package parameter

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// ties tells one layer that is used at several places from layers that read one constant because an exporter writes equal
// constants once. This is the rule:
//
//   - A constant whose numbers differ from each other is one parameter, wherever it is read: no two layers have the same by
//     chance. Only what layers begin with, one number all over, may have been merged.
//   - Nodes apply one layer if they read all their parameters together, and one of these is such a constant, or the layers in
//     front of them, whose outputs they read, are one layer, used at two places. Where no single layer is in front, layers
//     behind decide, which read one weight.
//   - If the file names the constants of two nodes differently, by Identity nodes, then so it must name those in front or
//     behind: else these are one layer, and the nodes are not.
//   - The bank and the 1×1 weight of a frozen block are one parameter, whatever their numbers: the block's record says who has it.
//   - A slope that PRelu nodes read by one name is one parameter: networks use one activation all over.
type ties struct {
	*finder
	layerOf map[*onnxgraph.Node]*layer
	starts  map[*onnxgraph.Value]bool // what isStart said of a constant
}

func newTies(f *finder) ties {
	t := ties{f, map[*onnxgraph.Node]*layer{}, map[*onnxgraph.Value]bool{}}
	for _, l := range f.layers {
		t.layerOf[l.node] = l
	}
	return t
}

// isStart reports whether two layers could begin with the constant by chance: it has one number all over or, if it holds a
// single number, one as people write.
func (t ties) isStart(v *onnxgraph.Value) bool {
	known, ok := t.starts[v]
	if !ok {
		_, tensor, reason := weights.Resolve(v)
		known = reason == "" && isStart(tensor)
		t.starts[v] = known
	}
	return known
}

func isStart(t *onnxgraph.Tensor) bool {
	data, err := t.Float64s()
	if err != nil {
		return false
	}
	if len(data) == 1 {
		return isWritten(data[0])
	}
	return !slices.ContainsFunc(data, func(x float64) bool { return x != data[0] })
}

// isOne reports whether two nodes apply one layer.
func (t ties) isOne(a, b *layer) bool {
	if a == b {
		return true
	}
	if !t.readsSame(a, b) {
		return false
	}
	if t.isAnchored(a) || a.node.Is("PRelu") && namesSame(a, b) {
		return true
	}
	frontA, frontB := t.front(a), t.front(b)
	if frontA != nil && frontB != nil {
		return frontA != frontB && t.isOne(frontA, frontB) && (namesSame(a, b) || !namesSame(frontA, frontB))
	}
	behind := t.behind(b)
	return slices.ContainsFunc(t.behind(a), func(x *layer) bool {
		return slices.ContainsFunc(behind, func(y *layer) bool {
			return t.readsSame(x, y) && t.isAnchored(x) && (namesSame(a, b) || !namesSame(x, y))
		})
	})
}

// readsSame reports whether two nodes of one operator read all their parameters from the same constants.
func (t ties) readsSame(a, b *layer) bool {
	return a.node.OpType() == b.node.OpType() && slices.EqualFunc(a.parameters, b.parameters, func(p, q parameterInput) bool {
		return p.index == q.index && len(p.sources) > 0 && slices.Equal(p.sources, q.sources)
	})
}

// namesSame reports whether two nodes that read the same constants read them by the same names.
func namesSame(a, b *layer) bool {
	return slices.EqualFunc(a.parameters, b.parameters, func(p, q parameterInput) bool { return p.value == q.value })
}

// isAnchored reports whether a layer has a parameter that no other has by chance.
func (t ties) isAnchored(l *layer) bool {
	return slices.ContainsFunc(l.parameters, func(p parameterInput) bool {
		return slices.ContainsFunc(p.sources, func(v *onnxgraph.Value) bool { return !t.isStart(v) })
	})
}

// front returns the layer that a layer reads the output of, perhaps through nodes that change it; nil if it reads the
// model's input, or what nodes make of several values.
func (t ties) front(l *layer) *layer {
	for n := l.node; ; {
		var data []*onnxgraph.Value
		for _, v := range n.Inputs() {
			if v != nil && !t.isFixed(v) {
				data = append(data, v)
			}
		}
		if len(data) != 1 || data[0].Producer() == nil {
			return nil
		}
		n = data[0].Producer()
		if f := t.layerOf[n]; f != nil && !n.Is("PRelu") {
			return f
		}
	}
}

// behind returns the layers that read the output of a layer, perhaps through nodes that change it and nothing else.
func (t ties) behind(l *layer) []*layer {
	var found []*layer
	seen := map[*onnxgraph.Node]bool{}
	var follow func(*onnxgraph.Node)
	follow = func(n *onnxgraph.Node) {
		for _, v := range n.Outputs() {
			if v == nil {
				continue
			}
			for _, u := range v.Uses() {
				next := t.layerOf[u.Node]
				switch {
				case seen[u.Node]:
				case next != nil && !u.Node.Is("PRelu"):
					found = append(found, next)
				case !slices.ContainsFunc(u.Node.Inputs(), func(other *onnxgraph.Value) bool { return other != nil && other != v && !t.isFixed(other) }):
					seen[u.Node] = true
					follow(u.Node)
				}
			}
		}
	}
	follow(l.node)
	return found
}
