package parameter

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// ties decides whether nodes that read the same constant apply one layer at several places of the network, or are different
// layers whose equal constants an exporter stored once. These are the rules:
//
//   - A constant whose numbers differ from each other is one parameter, wherever it is read: no two layers have the same numbers
//     by chance. Only a constant with one number all over, as new layers have, may stand for several parameters (see isStart).
//   - Two nodes apply one layer if they share all their parameters, and in addition one of these has numbers that differ; or the
//     layers in front of the nodes, whose outputs they read, are one layer at two places. If a node has no single layer in
//     front, layers behind the two nodes that share such a parameter decide instead.
//   - Identity nodes can give a shared constant different names for two nodes. If these names differ, but those for the layers
//     in front (or behind) are the same, then the nodes are two layers.
//   - The bank and the 1×1 weight of a frozen block are one parameter, whatever their numbers, because the block's record names
//     them.
//   - A slope that PRelu nodes read under one name is one parameter: many networks use one activation everywhere.
type ties struct {
	*finder
	layerOf map[*onnxgraph.Node]*layer
	starts  map[*onnxgraph.Value]bool // results of isStart
}

func newTies(f *finder) ties {
	t := ties{f, map[*onnxgraph.Node]*layer{}, map[*onnxgraph.Value]bool{}}
	for _, l := range f.layers {
		t.layerOf[l.node] = l
	}
	return t
}

// isStart reports whether two new layers could both have this constant by chance. So it is if all its numbers are equal or, for a
// constant of a single number, if people write such a number (see isWritten).
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

// isOne reports whether two nodes apply one layer, by the rules of ties.
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

// namesSame reports whether two nodes that read the same constants read them under the same names.
func namesSame(a, b *layer) bool {
	return slices.EqualFunc(a.parameters, b.parameters, func(p, q parameterInput) bool { return p.value == q.value })
}

// isAnchored reports whether a layer has a parameter that no other layer has by chance.
func (t ties) isAnchored(l *layer) bool {
	return slices.ContainsFunc(l.parameters, func(p parameterInput) bool {
		return slices.ContainsFunc(p.sources, func(v *onnxgraph.Value) bool { return !t.isStart(v) })
	})
}

// front returns the layer whose output a layer reads, perhaps through nodes without parameters and PRelu nodes. It returns nil if
// there is none, because the layer reads the model's input, or something that is computed from several values.
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

// behind returns the layers that read the output of a layer, perhaps through nodes whose other inputs are all constants.
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
