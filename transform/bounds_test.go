package transform

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// TestMemoryBound converts two convolutions with just enough memory for both 1×1 weights and for solving for the larger one, and
// with a byte less.
func TestMemoryBound(t *testing.T) {
	for _, c := range []struct {
		dtype onnxgraph.DType
		bytes int64 // of a number
	}{{onnxgraph.Float16, 2}, {onnxgraph.Float32, 4}, {onnxgraph.Float64, 8}} {
		row := convcases.Case{Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, DType: c.dtype}
		m := row.Model()
		small := m.Graph.AddNode("Conv", []*onnxgraph.Value{m.Graph.Value(convcases.X), m.Graph.AddConstant("small", convcases.Draw(c.dtype, 1, 2, 3, 3, 3))})
		m.Graph.AddOutput(small.Output(0), c.dtype, nil)
		o := Options{Expansion: 5}
		candidates, err := prepare(m, o.WithDefaults())
		if err != nil || len(candidates) != 2 {
			t.Fatal(candidates, err)
		}
		weights := int64(4*4*5 + 2*2*5) // out × out·expansion
		o.Memory = weights*c.bytes + max(candidates[0].workspace(), candidates[1].workspace())
		if _, err := Convert(m.Clone(), o); err != nil {
			t.Errorf("%v: with all that it needs: %v", c.dtype, err)
		}
		o.Memory--
		if _, err := Convert(m, o); err == nil {
			t.Errorf("%v: with a byte less: no error", c.dtype)
		}
	}
}

// TestWorkspaceOfChosen plans for the largest expansion that may be chosen, and not for the smallest.
func TestWorkspaceOfChosen(t *testing.T) {
	for _, layout := range []Layout{Dense, Depthwise} {
		c := convcases.Case{Input: []int64{1, 16, 8, 8}, Filters: 16, Kernel: []int64{3, 3}}
		workspace := func(o Options) int64 {
			candidates, err := prepare(c.Model(), o.WithDefaults())
			if err != nil {
				t.Fatal(err)
			}
			return candidates[0].workspace()
		}
		if chosen, nine := workspace(Options{Layout: layout, MaxError: 0.1}), workspace(Options{Layout: layout, Expansion: 9}); chosen != nine {
			t.Errorf("%s: it is to take %d bytes, and those of the largest expansion %d", layout, chosen, nine)
		}
	}
}
