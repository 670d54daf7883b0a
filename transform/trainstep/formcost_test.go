package trainstep_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestMergesFrom checks from which expansion on a block is merged in a training step, and for inference; 0 is for none up to 24.
// Two convolutions cost more with each expansion. What merging costs counts for more where there are fewer places, and what is
// between the convolutions for more where the bank trains, or is depthwise.
func TestMergesFrom(t *testing.T) {
	const most = 24
	for _, c := range []struct {
		channels, filters, kernel, size, groups int64
		layout                                  transform.Layout
		variant                                 parameter.Variant
		isFirst                                 bool // nothing before the block trains
		training, inference                     int
	}{
		{16, 16, 3, 8, 1, transform.Dense, parameter.Frozen, false, 3, 1},
		{16, 16, 3, 8, 1, transform.Dense, parameter.Frozen, true, 3, 1},
		{16, 16, 3, 8, 1, transform.Dense, parameter.Learned, false, 1, 1},
		{16, 16, 3, 8, 1, transform.Dense, parameter.Learned, true, 1, 1},
		{16, 16, 3, 2, 1, transform.Dense, parameter.Frozen, false, 9, 1},
		{64, 64, 3, 8, 1, transform.Dense, parameter.Frozen, false, 3, 1},
		{64, 64, 3, 2, 1, transform.Dense, parameter.Frozen, false, 0, 1},
		{64, 64, 3, 2, 1, transform.Dense, parameter.Learned, false, 0, 1},
		{16, 64, 3, 8, 1, transform.Dense, parameter.Frozen, false, 2, 1},
		{64, 16, 3, 8, 1, transform.Dense, parameter.Frozen, false, 4, 1},
		{3, 32, 3, 8, 1, transform.Dense, parameter.Frozen, true, 2, 1},
		{1, 16, 3, 8, 1, transform.Dense, parameter.Frozen, true, 2, 1},
		{1, 16, 3, 8, 1, transform.Dense, parameter.Frozen, false, 2, 1},
		{16, 16, 5, 8, 1, transform.Dense, parameter.Frozen, false, 3, 1},
		{16, 16, 3, 8, 4, transform.Dense, parameter.Frozen, false, 3, 1},
		{64, 64, 3, 2, 4, transform.Dense, parameter.Frozen, false, 9, 1},
		{16, 16, 3, 8, 1, transform.Depthwise, parameter.Frozen, false, 2, 2},
		{16, 16, 3, 8, 1, transform.Depthwise, parameter.Frozen, true, 2, 2},
		{16, 16, 3, 8, 1, transform.Depthwise, parameter.Learned, false, 1, 2},
		{16, 16, 3, 8, 1, transform.Depthwise, parameter.Learned, true, 1, 2},
		{64, 64, 3, 8, 1, transform.Depthwise, parameter.Frozen, false, 2, 3},
		{64, 64, 3, 8, 1, transform.Depthwise, parameter.Learned, false, 2, 3},
		{64, 64, 3, 2, 1, transform.Depthwise, parameter.Frozen, false, 3, 3},
		{256, 256, 3, 8, 1, transform.Depthwise, parameter.Frozen, false, 5, 6},
		{256, 256, 3, 8, 1, transform.Depthwise, parameter.Learned, false, 4, 6},
		{16, 64, 3, 8, 1, transform.Depthwise, parameter.Frozen, false, 3, 3},
		{64, 16, 3, 8, 1, transform.Depthwise, parameter.Frozen, false, 2, 2},
		{16, 16, 5, 8, 1, transform.Depthwise, parameter.Frozen, false, 2, 3},
		{32, 32, 3, 8, 4, transform.Depthwise, parameter.Frozen, false, 2, 2},
	} {
		name := fmt.Sprintf("%d to %d channels in %d groups, %d×%d filters, %d×%d places, %s %s, first: %v",
			c.channels, c.filters, c.groups, c.kernel, c.kernel, c.size, c.size, c.layout, c.variant, c.isFirst)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			merges := func(expansion int) (training, inference bool) {
				n := newNet(t, 2, c.channels, c.size, c.size)
				x := n.op("Mul", []*onnxgraph.Value{n.image, n.trainable("first", 1, 0.1, c.channels, 1, 1)})
				w := n.trainable("w", 0, 0.3, c.filters, c.channels/c.groups, c.kernel, c.kernel)
				pad := c.kernel / 2
				y := n.op("Conv", []*onnxgraph.Value{x, w}, onnxgraph.Ints("pads", pad, pad, pad, pad), onnxgraph.Int("group", c.groups))
				n.output(n.op("Flatten", []*onnxgraph.Value{n.op("GlobalAveragePool", []*onnxgraph.Value{y})}))
				if _, err := transform.Convert(n.model, transform.Options{Expansion: expansion, Layout: c.layout, Pointwise: transform.Random}); err != nil {
					t.Fatal(err)
				}
				trained, err := c.variant.Trained(n.model)
				if err != nil {
					t.Fatal(err)
				}
				fitted := fit(t, n.model, n.shape)
				_, merged, err := trainstep.MergeBlocks(fitted.Clone(), nil)
				if err != nil {
					t.Fatal(err)
				}
				trained = slices.DeleteFunc(trained, func(name string) bool { return name == "first" })
				if !c.isFirst {
					trained = append(trained, "first")
				}
				step, err := trainstep.Build(fitted, "image", trainstep.Options{Trained: trained, Optimizer: trainstep.SGD{}})
				if err != nil {
					t.Fatal(err)
				}
				return step.Merged == 1, merged == 1
			}
			for _, from := range []int{c.training, c.inference} {
				for _, e := range []int{cmp.Or(from, most+1) - 1, cmp.Or(from, most)} {
					if e == 0 {
						continue
					}
					training, inference := merges(e)
					if training != (c.training > 0 && e >= c.training) || inference != (c.inference > 0 && e >= c.inference) {
						t.Errorf("E = %d: merged in training: %v, for inference: %v", e, training, inference)
					}
				}
			}
		})
	}
}
