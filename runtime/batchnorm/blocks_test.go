package batchnorm

import (
	"context"
	"fmt"
	"testing"

	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestBlocks measures what the norms of frozen blocks read, inside and behind them, and checks that no bank runs where nothing
// that is measured is inside.
func TestBlocks(t *testing.T) {
	t.Parallel()
	set, o := newOptions(t)
	images := batches(t, set, o)
	behind := []string{"1.running_mean", "4.running_mean"}
	for _, c := range []struct {
		between transform.Between
		means   []string // of the norms to measure, nil for all
		adopt   bool
		convs   int // that run
	}{
		{transform.None, nil, false, 2},
		{transform.None, behind, true, 2},
		{transform.BatchNorm, nil, false, 4},
		{transform.BatchNorm, behind, false, 2},
		{transform.BatchNorm, behind, true, 2},
		{transform.BatchNormReLU, nil, false, 4},
		{transform.ReLU, nil, false, 4},
	} {
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			t.Run(fmt.Sprintf("%s/%s/%d/%v", c.between, layout, len(c.means), c.adopt), func(t *testing.T) {
				m := newModel(t)
				if _, err := transform.Convert(m, transform.Options{Expansion: 4, Layout: layout, Between: c.between, Pointwise: transform.Random}); err != nil {
					t.Fatal(err)
				}
				o.Means = c.means
				what := trainstep.MeasurementOptions{Means: c.means, Inference: c.adopt}
				graph, _, _, err := measuring(m, []int64{int64(o.BatchSize), 1, side, side}, o, what)
				if err != nil {
					t.Fatal(err)
				}
				convs := 0
				for _, n := range graph.Graph.Nodes() {
					if n.Is("Conv") {
						convs++
					}
				}
				if convs != c.convs {
					t.Errorf("%d convolutions run, want %d", convs, c.convs)
				}
				want := naive(t, m, images, o, c.adopt)
				run := Recalibrate
				if c.adopt {
					run = Adopt
				}
				report, err := run(context.Background(), m, set, o)
				if err != nil {
					t.Fatal(err)
				}
				if c.means == nil && len(report.Changes) != len(want)/2 {
					t.Errorf("%d norms are measured, want %d", len(report.Changes), len(want)/2)
				}
				for name, values := range want {
					near(t, name, constantOf(t, m, name), values)
				}
			})
		}
	}
}
