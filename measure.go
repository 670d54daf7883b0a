package rcfreeze

import (
	"cmp"
	"context"
	"fmt"

	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
)

// DefaultBatch is how many images Evaluate runs at a time by default, or fewer if these would take more than 2 GB or half of the
// free memory. On a CPU, larger batches are hardly faster. It is also the default of Recalibrate, which does not reduce it.
const DefaultBatch = 128

const (
	plentyOfMemory = 2e9 // bytes: the most that a default batch may take
	muchMemory     = 5e8 // bytes: if a batch takes more, a message says how much
)

// measure runs a model over a data set. It chooses the batch size if o has none.
func (r Reporter) measure(ctx context.Context, m *Model, set *dataset.Dataset, o evaluate.Options) (evaluate.Result, error) {
	chooses := o.BatchSize == 0
	o.BatchSize = cmp.Or(o.BatchSize, DefaultBatch)
	fitted, image, memory, err := fitForMeasuring(m, set, o)
	if err != nil {
		return evaluate.Result{}, err
	}
	if n := batchWithin(memory); chooses && n < DefaultBatch {
		r.say("measuring %d images at a time, since %d would take about %s of memory; --batch-size sets another number", n, DefaultBatch, figures.Bytes(memory.Needed()))
		o.BatchSize = n
		if fitted, image, memory, err = fitForMeasuring(m, set, o); err != nil {
			return evaluate.Result{}, err
		}
	}
	if r.Verbose || memory.Needed() > muchMemory {
		r.say("memory for %d images at a time: about %s%s", o.BatchSize, figures.Bytes(memory.Needed()), freeMemory(memory.Free))
	}
	o.Outlined = r.outlined
	o.Progress = func(done, total int) { r.progress("measuring", done, total, "images") }
	return evaluate.Measure(ctx, fitted, image, set, o)
}

// batchWithin returns a default batch size that does not take too much memory.
func batchWithin(m evaluate.Memory) int {
	bound := int64(plentyOfMemory)
	if m.Free > 0 {
		bound = min(bound, m.Free/2)
	}
	return min(figures.RoundDown(m.Fitting(bound)), DefaultBatch)
}

// fitForMeasuring returns a model in the form that evaluate.Measure needs, and an estimate of the memory that it will take.
func fitForMeasuring(m *Model, set *dataset.Dataset, o evaluate.Options) (fitted *Model, image string, memory evaluate.Memory, err error) {
	fitted, image, err = fit(m, set, o.BatchSize)
	if err == nil {
		memory, err = evaluate.PlanMemory(fitted, image, o)
	}
	return fitted, image, memory, err
}

// fit returns a model for batches of the given number of images of a data set, and the name of its input for images.
func fit(m *Model, set *dataset.Dataset, images int) (fitted *Model, image string, err error) {
	return specialize.Fit(m, set.Shape.Batch(images))
}

// freeMemory returns a text that says how much memory is free, if that is known.
func freeMemory(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("; %s are free", figures.Bytes(bytes))
}

// TellsTop5 reports whether top-5 accuracy is meaningful for the given number of classes: there must be more than five, because
// with fewer it is always 1.
func TellsTop5(classes int) bool { return classes > 5 }
