package trainstep_test

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestOddMomentum names the norms whose statistics training does not move, or forgets, and no others.
func TestOddMomentum(t *testing.T) {
	n := newNet(t, 2, 3)
	x := n.image
	for i, a := range [][]onnxgraph.Attribute{nil, {onnxgraph.Float("momentum", 1)}, {onnxgraph.Float("momentum", 0)}, {onnxgraph.Float("momentum", 0.5)},
		{onnxgraph.Float("momentum", 1)}, {onnxgraph.Float("momentum", 0)}} {
		x = n.norm(string(rune('a'+i)), x, 3, a...)
		x.Producer().Rename([]string{"norm0", "norm1", "norm2", "norm3", "", "norm5"}[i])
		n.model.Graph.Rename(x, "out"+string(rune('0'+i)))
	}
	n.output(n.op("LRN", []*onnxgraph.Value{x}, onnxgraph.Float("momentum", 1)))
	stay, forget := trainstep.OddMomentum(n.model)
	if !slices.Equal(stay, []string{"norm1", "out4"}) || !slices.Equal(forget, []string{"norm2", "norm5"}) {
		t.Errorf("stay: %q, forget: %q", stay, forget)
	}
}
