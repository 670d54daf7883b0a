package rcfreeze

import (
	"cmp"
	"context"
	"errors"

	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/batchnorm"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform/inference"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// RecalibrateOptions say on which images Recalibrate estimates statistics.
type RecalibrateOptions struct {
	Data      Data   // required
	Images    int    // how many random training images to use; 0 means DefaultRecalibrationImages, a negative number all
	BatchSize int    // images at a time; 0 means DefaultBatch; if there are fewer images, they are one batch
	Seed      uint64 // seed for drawing the images and their order
	Output    Output
	Runtime   Runtime
	Reporter
}

// DefaultRecalibrationImages is the number of images that Recalibrate uses by default.
const DefaultRecalibrationImages = 10000

// Recalibration is the result of Recalibrate.
type Recalibration struct {
	Source    string                `json:"model"`  // its file
	Output    string                `json:"output"` // as Output.Name returns it
	Data      string                `json:"data"`
	Limit     int                   `json:"limit,omitempty"` // as in Data
	Normalize dataset.Normalization `json:"normalize"`       // the one that was used
	*batchnorm.Report
	Model *Model `json:"-"` // the new one
}

// Recalibrate re-estimates the running mean and variance of every BatchNormalization on the training images, and returns the
// model in the form for inference. Each layer gets the average over batches. Meanwhile, all layers normalize by the statistics of
// the batch, as with PyTorch's update_bn, and Dropout is off. Nothing else changes. The model need not be a classifier.
func Recalibrate(ctx context.Context, m *Model, o RecalibrateOptions) (*Recalibration, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	source := m
	m = m.Clone()
	o.untie(m)
	data := o.Data.reader(o.Reporter, m)
	run := batchnorm.Options{
		BatchSize: cmp.Or(o.BatchSize, DefaultBatch), Images: max(0, cmp.Or(o.Images, DefaultRecalibrationImages)), Seed: o.Seed,
		Workers: data.workers(), Unmerged: o.unmerged,
		Progress: func(done, total int) { o.progress("estimating statistics", done, total, "images") },
	}
	var err error
	if run.Session, err = o.Runtime.start(o.Reporter); err != nil {
		return nil, err
	}
	set, err := data.images(dataset.Train)
	if err != nil {
		return nil, err
	}
	if run.Normalize, err = data.normalization(ctx, func() (*dataset.Dataset, error) { return set, nil }); err != nil {
		return nil, err
	}
	r := &Recalibration{Source: m.Path(), Output: o.Output.Name(), Data: o.Data.Path, Limit: o.Data.Limit, Normalize: run.Normalize, Model: m}
	if r.Report, err = batchnorm.Recalibrate(ctx, m, set, run); err != nil {
		return nil, err
	}
	o.tellLeftOut(m, r.Report, run, set.Len())
	if _, err := inference.Switch(m); err != nil {
		return nil, err
	}
	names, err := data.classNames()
	if err != nil {
		return nil, err
	}
	if err := Describe(m, run.Normalize, names); err != nil {
		return nil, err
	}
	if err := o.Output.save(o.Reporter, m, source); err != nil {
		return nil, err
	}
	return r, nil
}

// Validate returns an error that lists what is wrong with the options, independent of the model, and says if the output cannot be
// written.
func (o RecalibrateOptions) Validate() error {
	return errors.Join(o.Output.Check(), options(o.Data.required(), notNegative("--batch-size", o.BatchSize), o.Runtime.check()))
}

// tellLeftOut reports images and nodes that were left out, and the type of the numbers.
func (r Reporter) tellLeftOut(m *Model, report *batchnorm.Report, o batchnorm.Options, images int) {
	if o.Images > 0 && o.Images < images {
		r.tellImages(report.Images, images, "--images")
	} else if report.Images < images {
		r.say("left out %d of the %s training images, which do not fill a batch of %d (--batch-size)", images-report.Images, figures.Count(images), o.BatchSize)
	}
	if len(report.Unmeasured) > 0 {
		r.say("kept the statistics of %s, since no output of the model depends on them", onnxgraph.Listed(report.Unmeasured))
	}
	if !precision.IsAll(m, onnxgraph.Float32) {
		r.say("%s computes not only in float32: its statistics were measured in float32, and stored in their old type", m.Path())
	}
}

// tellImages reports how many of the training images were used, if not all, and which option sets that.
func (r Reporter) tellImages(taken, all int, option string) {
	if taken < all {
		r.say("took %s of the %s training images, drawn at random; %s sets how many", figures.Count(taken), figures.Count(all), option)
	}
}
