package evaluate

import (
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestConfusion compares what the model takes images for with a naive count.
func TestConfusion(t *testing.T) {
	set := newSet(t)
	images, labels := all(t, set, normalization)
	m := leNet(t)
	want := [classes][classes]int{}
	for i, row := range slices.Collect(slices.Chunk(logits(t, m, images), classes)) {
		want[labels[i]][slices.Index(row, slices.Max(row))]++
	}
	var got Confusion
	measure(t, m, set, Options{BatchSize: 8, Normalize: normalization, Classified: got.Add})
	mistakes := 0
	for label := range want {
		total := 0
		for class, n := range want[label] {
			if got.Count(label, class) != n {
				t.Errorf("%d images of class %d are taken for %d, want %d", got.Count(label, class), label, class, n)
			}
			total += n
			if n > 0 && class != label {
				mistakes++
			}
		}
		if got.Images(label) != total {
			t.Errorf("%d images of class %d, want %d", got.Images(label), label, total)
		}
	}
	list := got.Mistakes()
	if len(list) != mistakes || mistakes == 0 {
		t.Errorf("%d pairs of classes, want %d", len(list), mistakes)
	}
	for i, p := range list {
		if p.Images != want[p.Label][p.Class] || p.Label == p.Class || i > 0 && p.Images > list[i-1].Images {
			t.Errorf("pair %d of the mistakes is %+v", i, p)
		}
	}
}

// TestPlanMemory compares the plan of a linear net, and of its attack, with a count by hand.
func TestPlanMemory(t *testing.T) {
	set := newSet(t)
	for _, batch := range []int{1, 8} {
		for _, epsilon := range []float64{0, 0.1} {
			m, w := linear(t, 0.1)
			fitted := fit(t, m, batch, set.Shape)
			got, err := PlanMemory(fitted, "input", Options{BatchSize: batch, Epsilon: epsilon})
			if err != nil {
				t.Fatal(err)
			}
			weights, sessions := 4*int64(len(w)), 1+int64(math.Ceil(epsilon))
			if got.Images != batch || got.Batches != 4*5*int64(batch)*int64(set.Shape.Size()) || got.Parameters < sessions*weights || got.Parameters > sessions*weights+200 { // beside a few numbers
				t.Errorf("%d images, ε = %g: planned %+v", batch, epsilon, got)
			}
			if scores := 4 * int64(batch) * classes; epsilon == 0 && got.Values > 2*scores || epsilon > 0 && got.Values < scores {
				t.Errorf("%d images, ε = %g: %d bytes for values; the scores take %d", batch, epsilon, got.Values, scores)
			}
			want := int64(0) // what the model computes counts once, and what the gradient does twice
			for i, attacks := range []bool{false, true}[:1+int(math.Ceil(epsilon))] {
				graph, err := lowered(fitted, "input", Options{}, attacks)
				if err != nil {
					t.Fatal(err)
				}
				peak, err := specialize.Peak(graph)
				if err != nil {
					t.Fatal(err)
				}
				want += int64(1+i) * peak
			}
			if got.Values != want {
				t.Errorf("%d images, ε = %g: %d bytes for values, want %d", batch, epsilon, got.Values, want)
			}
			if n := got.Fitting(got.Needed()); n != batch {
				t.Errorf("%d images fit into what %d need", n, batch)
			}
		}
	}
}

// TestPlanMemoryOfBlocks plans for a model of blocks what it plans for the same model without: blocks run as one convolution.
func TestPlanMemoryOfBlocks(t *testing.T) {
	set := newSet(t)
	var plans []Memory
	for _, m := range []*onnxgraph.Model{leNet(t), blocks(t, transform.Options{Expansion: 8})} {
		plan, err := PlanMemory(fit(t, m, 8, set.Shape), "input", Options{BatchSize: 8})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, plan)
	}
	if plain, blocks := plans[0], plans[1]; blocks.Values > plain.Values*13/10 {
		t.Errorf("planned %+v, and %+v without blocks", blocks, plain)
	}
}
