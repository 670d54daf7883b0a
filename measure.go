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

// The default number of images that are measured at a time is DefaultBatch, or fewer if these would take more than
// plentyOfMemory or half of the free memory, in bytes. On a CPU larger batches are hardly faster. A message says how much memory
// they take if that is more than muchMemory.
const (
	DefaultBatch   = 128
	plentyOfMemory = 2e9
	muchMemory     = 5e8
)

// measure runs a model over a data set. Without a batch size it chooses one.
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
	o.Progress = func(done int) { r.progress("measuring", done, set.Len(), "images") }
	return evaluate.Measure(ctx, fitted, image, set, o)
}

// batchWithin returns how many images at a time take no more memory than a batch size that nobody chose should.
func batchWithin(m evaluate.Memory) int {
	bound := int64(plentyOfMemory)
	if m.Free > 0 {
		bound = min(bound, m.Free/2)
	}
	return min(figures.RoundDown(m.Fitting(bound)), DefaultBatch)
}

// fitForMeasuring returns a model as evaluate.Measure takes it, and what memory that will take.
func fitForMeasuring(m *Model, set *dataset.Dataset, o evaluate.Options) (fitted *Model, image string, memory evaluate.Memory, err error) {
	fitted, image, err = fit(m, set, o.BatchSize)
	if err == nil {
		memory, err = evaluate.PlanMemory(fitted, image, o)
	}
	return fitted, image, memory, err
}

// fit returns a model for so many images of a data set at a time, and the name of the input that takes them.
func fit(m *Model, set *dataset.Dataset, images int) (fitted *Model, image string, err error) {
	return specialize.Fit(m, set.Shape.Batch(images))
}

// freeMemory says how much memory is free, if that is known.
func freeMemory(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("; %s are free", figures.Bytes(bytes))
}

// TellsTop5 reports whether top-5 accuracy means anything for a model with so many classes: it needs more than five.
func TellsTop5(classes int) bool { return classes > 5 }
