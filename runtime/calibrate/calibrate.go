// Package calibrate converts models to frozen blocks with the help of images. It runs images through the source and through the
// part that is already converted. For each block, it chooses the 1×1 convolution so that the block's output is as close as
// possible to the source's output at the same place. So every block also corrects the errors of the blocks before it.
//
// Call ort.Init before Convert. Load does not need it.
package calibrate

import (
	"context"
	"fmt"

	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Options says how Convert converts a model and runs it.
type Options struct {
	Convert transform.Options // which convolutions become blocks, and of which kind; Pointwise and Calibration are ignored
	Images  *Images           // at least one; required
	Session ort.Options       // how the networks run
	// Held limits the memory, in bytes, for intermediate values, which are kept so that the run up to the next convolution need not
	// start from the images. The limit holds for each of two networks, the source and the converted one; 0 means 1 GiB. If the
	// values take more, as in the first layers on large images, a larger part of the networks runs again.
	Held int64
	// Progress, if not nil, is called after every batch with the number of finished batches, the total for all convolutions, and
	// the name of the current convolution.
	Progress func(done, total int, layer string)
}

const defaultHeld = 1 << 30

// Convert is like transform.Convert, with pointwise weights that are calibrated on images. If it fails, or when ctx is done, the
// model is unchanged. Call ort.Init first.
func Convert(ctx context.Context, m *onnxgraph.Model, o Options) ([]transform.Conversion, error) {
	f, err := newFollower(ctx, m, o)
	if err != nil {
		return nil, fmt.Errorf("calibrating %s: %w", m.Path(), err)
	}
	o.Convert.Pointwise, o.Convert.Calibration = transform.Calibrate, f
	selected := o.Convert
	selected.MaxError = 0
	planned, err := transform.Plan(m, selected)
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

// follower is a transform.Calibration. It runs the source and a copy of it; in the copy, convolutions that are already converted
// have the combined filters of their blocks.
type follower struct {
	ctx      context.Context // that of the one call of Convert
	options  Options
	source   *trace
	followed *trace

	done, total int // numbers of batches for all convolutions
}

func newFollower(ctx context.Context, m *onnxgraph.Model, o Options) (*follower, error) {
	if err := o.Images.check(); err != nil {
		return nil, err
	}
	fitted, image, err := specialize.Fit(m, append([]int64{1}, o.Images.Shape...))
	if err != nil {
		return nil, err
	}
	size := o.Images.batchSize(affordable(fitted))
	if size > 1 {
		if fitted, image, err = specialize.Fit(m, append([]int64{int64(size)}, o.Images.Shape...)); err != nil {
			return nil, err
		}
	}
	if _, _, err := trainstep.MergeBlocks(fitted, nil); err != nil { // blocks that the source already has
		return nil, err
	}
	batches := o.Images.batches(image, size)
	return &follower{
		ctx: ctx, options: o,
		source:   newTrace(fitted, batches, o),
		followed: newTrace(fitted.Clone(), batches, o),
	}, nil
}

// affordable returns how many images can be measured at a time so that the input of one convolution, copied once for each tap of
// the kernel, takes at most 256 MiB. The model must be fitted to one image.
func affordable(fitted *onnxgraph.Model) int {
	const most, numbers = 32, 1 << 26
	largest := int64(1)
	for _, n := range fitted.Graph.Nodes() {
		if !n.Is("Conv") {
			continue
		}
		x, known := n.Input(0).StaticShape()
		w, isTyped := n.Input(1).StaticShape()
		y, ok := n.Output(0).StaticShape()
		if known && isTyped && ok && len(w) > 2 {
			largest = max(largest, x[1]*onnxgraph.ElementCount(w[2:])*onnxgraph.ElementCount(y[2:]))
		}
	}
	return int(min(most, max(1, numbers/largest)))
}

// Reach implements transform.Calibration.
func (f *follower) Reach(l transform.Layer) error {
	for _, t := range []*trace{f.source, f.followed} {
		if err := t.advance(f.ctx, l.Node.Output(0).Name()); err != nil {
			return err
		}
	}
	return nil
}

// Moments implements transform.Calibration.
func (f *follower) Moments(l transform.Layer) (projection.Moments, error) {
	if err := f.ctx.Err(); err != nil {
		return projection.Moments{}, err
	}
	return f.measure(l)
}

// Replace implements transform.Calibration.
func (f *follower) Replace(l transform.Layer, filters, offset []float64) error {
	return f.followed.replace(l, filters, offset)
}
