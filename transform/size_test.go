package transform_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestSizeOfBlocks refuses dense blocks whose 1×1 weight has more than 2^26 numbers, if that is more than 16 times the source's.
func TestSizeOfBlocks(t *testing.T) {
	for _, c := range []struct {
		filters, channels, groups, side int64
		layout                          transform.Layout
		refused                         bool
	}{
		{1 << 13, 1, 1, 2, transform.Dense, false}, // 2^26
		{1<<13 + 1, 1, 1, 2, transform.Dense, true},
		{1<<13 + 1, 1, 1, 2, transform.Depthwise, false},
		{1 << 14, 256, 1, 2, transform.Dense, false}, // 2^28 is 16 times the source's 2^24
		{1 << 14, 255, 1, 2, transform.Dense, true},
		{1 << 14, 2, 2, 2, transform.Dense, true}, // 2^27 for two groups
		{1 << 14, 4, 4, 2, transform.Dense, false},
	} {
		m := convcases.Case{Input: []int64{1, c.channels, 4, 4}, Filters: 1, Groups: 1, Kernel: []int64{2, 2}}.Model()
		conv, old := m.Graph.Nodes()[0], m.Graph.Value(convcases.Weight)
		none := func() (*onnxgraph.Tensor, error) { return nil, errors.New("a plan reads no filters") }
		dims := []int64{c.filters, c.channels / c.groups, c.side, c.side}
		conv.SetInput(1, m.Graph.AddConstant("w", onnxgraph.NewLazyTensor(onnxgraph.Float32, dims, none)))
		conv.SetAttr(onnxgraph.Int("group", c.groups))
		onnxgraph.RemoveUnused(old)
		rows, err := transform.Plan(m, transform.Options{Layout: c.layout})
		if err != nil {
			t.Fatal(err)
		}
		if refused := strings.Contains(rows[0].Reason, "choose layout depthwise"); refused != c.refused || (rows[0].Status == transform.Skipped) != c.refused {
			t.Errorf("%+v: %s, %s", c, rows[0].Status, rows[0].Reason)
		}
	}
}
