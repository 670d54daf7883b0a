package transform_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestLinear checks by what is allocated that the work of converting and merging grows as the number of convolutions does.
func TestLinear(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	allocated := func(convolutions int) uint64 {
		m := onnxgraph.New("chain", 8, 18)
		v, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 2, 4, 4))
		if err != nil {
			t.Fatal(err)
		}
		for i := range convolutions {
			n := m.Graph.AddNode("Conv", []*onnxgraph.Value{v, m.Graph.AddConstant(fmt.Sprint("w", i), convcases.Draw(onnxgraph.Float32, uint64(i), 2, 2, 2, 2))},
				onnxgraph.Ints("pads", 0, 0, 1, 1))
			n.Rename(fmt.Sprint("conv", i))
			v = n.Output(0)
		}
		m.Graph.AddOutput(v, onnxgraph.Float32, nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rows, err := transform.Convert(m, transform.Options{Pointwise: transform.Random, Expansion: 1})
		if err != nil || len(rows) != convolutions || rows[0].Status != transform.Converted {
			t.Fatal(rows, err)
		}
		if _, err := parameter.List(m); err != nil {
			t.Fatal(err)
		}
		merged, err := transform.Merge(m)
		if err != nil || merged[convolutions-1].Status != transform.Merged {
			t.Fatal(merged, err)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	allocated(10) // what is allocated once
	few, many := allocated(100), allocated(800)
	if most := 9 * few; many > most {
		t.Errorf("%d allocations for 100 convolutions, %d for 800, more than %d", few, many, most)
	}
}
