package batchnorm

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// measurement holds the average of every statistic over the batches.
type measurement struct {
	images int
	values map[string][]float64 // by the name of the running statistic, one number per channel
}

// measure runs the model over the images of a data set.
func measure(ctx context.Context, m *onnxgraph.Model, set *dataset.Dataset, o Options, what trainstep.MeasurementOptions) (*measurement, error) {
	if !precision.IsAll(m, onnxgraph.Float32) {
		m = m.Clone() // in a copy in float32, the statistics keep their names
		if _, err := precision.Convert(m, onnxgraph.Float32); err != nil {
			return nil, err
		}
	}
	if _, err := batch.Input(m); err != nil {
		return nil, err
	}
	size, batches := o.plan(set.Len())
	loader, err := dataset.NewLoader(set, dataset.LoaderOptions{
		BatchSize: size, Shuffle: true, DropLast: true, Workers: o.Workers, Seed: o.Seed, Normalize: o.Normalize,
	})
	if err != nil {
		return nil, err
	}
	fitted, image, segments, err := measuring(m, set.Shape.Batch(size), o, what)
	if err != nil {
		return nil, err
	}
	stepper, err := ort.OpenStepper(fitted, nil, nil, o.Session)
	if err != nil {
		return nil, err
	}
	sums, err := sum(ctx, stepper, image, loader, batches, o.Progress)
	if err = errors.Join(err, stepper.Close()); err != nil {
		return nil, err
	}
	result := &measurement{images: batches * size, values: map[string][]float64{}}
	for _, segment := range segments {
		values := sums[segment.Offset : segment.Offset+segment.Len()]
		for i := range values {
			values[i] /= float64(batches)
			if math.IsNaN(values[i]) || math.IsInf(values[i], 0) {
				return nil, fmt.Errorf("%q would be %v in channel %d: the weights or the images are damaged", segment.Name, values[i], i)
			}
		}
		result.values[segment.Name] = values
	}
	return result, nil
}

// measuring returns the graph that measures a batch of the given shape, and the name of its input.
func measuring(m *onnxgraph.Model, shape []int64, o Options, what trainstep.MeasurementOptions) (fitted *onnxgraph.Model, image string, segments []trainstep.Segment, err error) {
	if fitted, image, err = specialize.Fit(m, shape); err != nil {
		return nil, "", nil, err
	}
	if _, _, err := trainstep.MergeBlocks(fitted, what.Measures); err != nil && o.Unmerged != nil {
		o.Unmerged(err)
	}
	if segments, err = trainstep.Measurement(fitted, what); err != nil {
		return nil, "", nil, err
	}
	if len(segments) == 0 {
		return nil, "", nil, errNone
	}
	return fitted, image, segments, nil
}

// plan returns the size and the number of batches for the given number of images.
func (o Options) plan(images int) (size, batches int) {
	if o.Images > 0 {
		images = min(images, o.Images)
	}
	size = max(1, min(o.BatchSize, images))
	return size, images / size
}

// sum adds up the outputs of a measuring graph over the given number of batches.
func sum(ctx context.Context, stepper *ort.Stepper, image string, loader *dataset.Loader, batches int, progress func(done, total int)) ([]float64, error) {
	images, err := ort.InputData[float32](stepper, image)
	if err != nil {
		return nil, err
	}
	var sums []float64
	for batch, err := range loader.Batches(ctx, 0, 0) {
		if err != nil {
			return nil, err
		}
		copy(images, batch.Images)
		if err := stepper.Step(); err != nil {
			return nil, err
		}
		measured, err := ort.OutputData[float32](stepper, trainstep.MeasuredOutput)
		if err != nil {
			return nil, err
		}
		if sums == nil {
			sums = make([]float64, len(measured))
		}
		for i, v := range measured {
			sums[i] += float64(v)
		}
		done := batch.Step + 1
		if progress != nil {
			progress(done*len(batch.Labels), batches*len(batch.Labels))
		}
		if done == batches {
			break
		}
	}
	return sums, nil
}
