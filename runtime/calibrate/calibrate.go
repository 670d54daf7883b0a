// Package calibrate converts models to frozen blocks by data: it runs images through the source and through the model
// converted so far, and chooses the 1×1 convolutions of each block so that the block's output comes as close as it can to
// what the source has there. So every block also makes up for what the blocks before it lost.
package calibrate

import (
	"context"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/projection"
)

// Options says how Convert converts and how it runs the models.
type Options struct {
	Convert transform.Options // Pointwise and Calibration are set here
	Images  *Images
	Session ort.Options
	// Progress, if not nil, is called after every batch with the number of batches done, over all convolutions, and the name
	// of the convolution.
	Progress func(done, total int, layer string)
}

// Convert is transform.Convert with pointwise weights that are calibrated on images. When ctx is done, or on any other
// error, the model is unchanged.
func Convert(ctx context.Context, m *onnxgraph.Model, o Options) ([]transform.Conversion, error) {
	f, err := newFollower(ctx, m, o)
	if err != nil {
		return nil, fmt.Errorf("calibrating %s: %w", m.Path(), err)
	}
	o.Convert.Pointwise, o.Convert.Calibration = transform.Calibrate, f
	planned, err := transform.Plan(m, o.Convert)
	if err != nil {
		return nil, err
	}
	for _, row := range planned {
		if row.Status == transform.Converted {
			f.total += len(f.source.held)
		}
	}
	return transform.Convert(m, o.Convert)
}

// follower runs the source and, beside it, a copy that follows the conversion: its convolutions get the combined filters.
// It is a transform.Calibration.
type follower struct {
	ctx      context.Context // of the one call of Convert that the follower serves
	options  Options
	source   *trace
	followed *trace

	done, total int // batches, over all convolutions
}

func newFollower(ctx context.Context, m *onnxgraph.Model, o Options) (*follower, error) {
	if err := o.Images.check(); err != nil {
		return nil, err
	}
	size := o.Images.batchSize()
	fitted, image, err := specialize.Fit(m, append([]int64{int64(size)}, o.Images.Shape...))
	if err != nil {
		return nil, err
	}
	batches, err := o.Images.batches(image, fitted.Graph.Value(image).DType(), size)
	if err != nil {
		return nil, err
	}
	return &follower{
		ctx: ctx, options: o,
		source:   newTrace(fitted, batches, o.Session),
		followed: newTrace(fitted.Clone(), batches, o.Session),
	}, nil
}

// Moments implements transform.Calibration.
func (f *follower) Moments(l transform.Layer) (projection.Moments, error) {
	if err := f.ctx.Err(); err != nil {
		return projection.Moments{}, err
	}
	output := l.Node.Output(0).Name()
	for _, t := range []*trace{f.source, f.followed} {
		if err := t.advance(f.ctx, output); err != nil {
			return projection.Moments{}, err
		}
	}
	return f.measure(l)
}

// Replace implements transform.Calibration.
func (f *follower) Replace(l transform.Layer, filters, offset []float64) error {
	return f.followed.replace(l, filters, offset)
}
