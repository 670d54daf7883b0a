package calibrate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// TestLoad draws images from a data set: as many as asked for, or all, each once, by the seed, and normalized.
func TestLoad(t *testing.T) {
	const held, side = 10, datasettest.Side
	set, _ := datasettest.OpenCorners(t, held, 4)
	o := dataset.LoaderOptions{Seed: 5, BatchSize: 3, Normalize: dataset.Normalization{Mean: []float64{0.5}, Std: []float64{0.25}}}
	var all [][]float32 // of the data set
	for i := range held {
		pixels := make([]uint8, side*side)
		if err := set.Pixels(i, pixels); err != nil {
			t.Fatal(err)
		}
		var image []float32
		for _, v := range pixels {
			image = append(image, float32((float64(v)/255-0.5)/0.25))
		}
		all = append(all, image)
	}
	load := func(count int) (order []int) {
		images, err := calibrate.Load(t.Context(), set, count, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(images.Shape, []int64{1, side, side}) || images.Count() != min(count, held) || len(images.Data) != images.Count()*side*side {
			t.Errorf("%d images: %d of shape %v, %d numbers", count, images.Count(), images.Shape, len(images.Data))
		}
		for image := range slices.Chunk(images.Data, side*side) {
			order = append(order, slices.IndexFunc(all, func(other []float32) bool { return slices.Equal(image, other) }))
		}
		return order
	}
	whole := load(50)
	if sorted := slices.Sorted(slices.Values(whole)); !slices.Equal(sorted, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) || slices.IsSorted(whole) {
		t.Errorf("all images come in the order %v", whole)
	}
	for _, count := range []int{1, 4, held, held + 1} {
		if order := load(count); !slices.Equal(order, whole[:min(count, held)]) {
			t.Errorf("%d images are %v, the first of all are %v", count, order, whole)
		}
	}
	if o.Seed = 6; slices.Equal(load(50), whole) {
		t.Error("another seed draws in the same order")
	}
	if _, err := calibrate.Load(t.Context(), set, 0, o); err == nil || !strings.Contains(err.Error(), "needs at least 1") {
		t.Errorf("no images: error %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := calibrate.Load(stopped, set, 5, o); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: error %v", err)
	}
	o.Normalize.Mean = []float64{0, 0}
	if _, err := calibrate.Load(t.Context(), set, 5, o); err == nil || !strings.Contains(err.Error(), "2 means") {
		t.Errorf("two means for one channel: error %v", err)
	}
}
