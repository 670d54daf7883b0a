package transform_test

import (
	"fmt"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
)

// TestSquareBanks has banks of just as many filters as are needed to span all: random ones of that kind may be so badly
// conditioned that roundings show. For every seed the block must compute what the source does, and be merged without loss.
func TestSquareBanks(t *testing.T) {
	orttest.Init(t)
	const seeds = 12
	for _, c := range convcases.Cases {
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			t.Run(fmt.Sprintf("%s/%s", c.Name, layout), func(t *testing.T) {
				for seed := range seeds {
					bank := filterbank.Names()[seed%len(filterbank.Names())]
					checkSquare(t, c, layout, bank, uint64(seed))
				}
			})
		}
	}
}

func checkSquare(t *testing.T, c convcases.Case, layout transform.Layout, bank string, seed uint64) {
	t.Helper()
	m := c.Model()
	o := spanning(c, layout, transform.None)
	o.Bank, o.Seed = bank, seed
	o.Expansion -= 3
	if layout == transform.Dense && product(c.Kernel)*c.Input[1]%c.Filters == 0 {
		o.Expansion-- // with any remainder one more is needed
	}
	dtype := m.Graph.Outputs()[0].DType()
	bound := transformtest.Tolerance[dtype] / 2
	want := transformtest.Evaluate(t, m, c.Data())
	rows, err := transform.Convert(m, o)
	if err != nil {
		t.Fatal(err)
	}
	if d := transformtest.Difference(t, transformtest.Evaluate(t, m, c.Data()), want); d > bound {
		t.Errorf("seed %d, bank %s, condition %.3g: the block differs from the source by %.2g", seed, bank, *rows[0].Condition, d)
	}
	if c.Runs() && dtype == onnxgraph.Float32 {
		if d := transformtest.Difference(t, transformtest.Execute(t, m, c.Data()), want); d > bound {
			t.Errorf("seed %d, bank %s, condition %.3g: on ONNX Runtime the block differs from the source by %.2g", seed, bank, *rows[0].Condition, d)
		}
	}
}

func product(sizes []int64) int64 {
	p := int64(1)
	for _, n := range sizes {
		p *= n
	}
	return p
}
