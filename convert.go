package rcfreeze

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/batchnorm"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/inference"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// ConvertOptions say which convolutions become frozen blocks, of which kind, and what else Convert changes.
type ConvertOptions struct {
	Blocks       transform.Options // which convolutions become blocks, and of which kind
	KeepConvs    bool              // keep all convolutions as they are, to change only the Precision or the last layer (NumClasses)
	AddBatchNorm bool              // put a trainable BatchNorm behind each block that no BatchNorm follows
	Reinit       bool              // like TrainOptions.Reinit, with Blocks.Seed as the seed; banks stay as they are
	Precision    string            // new floating-point type, a name of precision.Types; "" keeps the type
	NumClasses   int               // if above 0, a new random last layer for this many classes; 0 keeps the model's

	// Data gives the images for transform.Calibrate, which needs them, and for AddBatchNorm, which can do without. For other
	// options, Data.Path must be empty. Its Normalize, Channels and Classes are recorded in the model, even without a Path.
	Data Data
	// CalibrationImages is how many training images to use, from 1 to MaxCalibrationImages; 0 means calibrate.DefaultImages. If the
	// data set has fewer, all of them are used.
	CalibrationImages int

	Output  Output
	Runtime Runtime // used only to run the images of Data, and to infer shapes that the model does not state
	Reporter
}

// MaxCalibrationImages is the largest number of images for a calibration, because all of them are in memory at once.
const MaxCalibrationImages = 1000

// Converted is the result of Convert.
type Converted struct {
	Source       string                 `json:"model"`                // its file
	Output       string                 `json:"output"`               // as Output.Name returns it
	Precision    *precision.Report      `json:"precision,omitempty"`  // what Precision changed; nil without Precision
	Converted    int                    `json:"converted"`            // number of convolutions that became blocks
	Before       ParameterCount         `json:"parameters_before"`    // of the model that Convert got
	After        ParameterCount         `json:"parameters_after"`     // of the new model
	Convolutions []transform.Conversion `json:"convolutions"`         // one per convolution of the model; nil with KeepConvs
	Norms        []normalization.Added  `json:"batchnorms,omitempty"` // with AddBatchNorm, one per block
	Model        *Model                 `json:"-"`                    // the new one
}

// Convert replaces the spatial convolutions of a model by frozen blocks. If it cannot convert any, and KeepConvs is false, the
// error is an ErrNotConverted (errors.Is) that lists the reasons, and nothing is written.
func Convert(ctx context.Context, m *Model, o ConvertOptions) (*Converted, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	source := m
	m = m.Clone()
	c := &Converted{Source: m.Path(), Output: o.Output.Name(), Model: m}
	var err error
	if c.Before, err = CountParameters(m); err != nil {
		return nil, err
	}
	if c.Precision, err = o.setPrecision(m); err != nil {
		return nil, err
	}
	if _, err := o.replaceHead(m, o.NumClasses, o.Blocks.Seed); err != nil {
		return nil, err
	}
	if o.KeepConvs {
		if err := o.Data.reader(o.Reporter, m).describe(); err != nil {
			return nil, err
		}
		o.say("no frozen blocks were made; to make some, add --blocks or a flag for blocks, such as --expansion")
	} else if err := o.makeBlocks(ctx, c); err != nil {
		return nil, err
	}
	if c.After, err = CountParameters(m); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("converting %s: %w", m.Path(), err)
	}
	if err := o.Output.save(o.Reporter, m, source); err != nil {
		return nil, err
	}
	return c, nil
}

func (o ConvertOptions) withDefaults() ConvertOptions {
	o.CalibrationImages = cmp.Or(o.CalibrationImages, calibrate.DefaultImages)
	o.Blocks = o.Blocks.WithDefaults()
	return o
}

// Validate returns an error that lists what is wrong with the options, independent of the model, and says if the output cannot be
// written.
func (o ConvertOptions) Validate() error {
	o = o.withDefaults()
	faults := []error{checkHead(o.NumClasses), o.Blocks.Validate(), o.Data.check(), o.Runtime.check()}
	if _, known := precision.Types[o.Precision]; o.Precision != "" && !known {
		faults = append(faults, fmt.Errorf("--precision %q: choose one of %s", o.Precision, strings.Join(slices.Sorted(maps.Keys(precision.Types)), ", ")))
	}
	calibrated := o.Blocks.Pointwise == transform.Calibrate
	switch {
	case o.KeepConvs && (calibrated || o.AddBatchNorm || o.Reinit || o.Data.Path != ""):
		faults = append(faults, errors.New("no frozen blocks are made, and --pointwise calibrate, --add-batchnorm, --reinit and --data are for blocks only: leave them out, or add --blocks"))
	case calibrated && o.Data.Path == "":
		faults = append(faults, errors.New("--pointwise calibrate: needs images: give --data"))
	case !calibrated && !o.AddBatchNorm && o.Data.Path != "":
		faults = append(faults, fmt.Errorf("--data %s: --pointwise %s does not use images; only --pointwise calibrate and --add-batchnorm do", o.Data.Path, o.Blocks.Pointwise))
	}
	if o.CalibrationImages < 1 || o.CalibrationImages > MaxCalibrationImages {
		faults = append(faults, fmt.Errorf("--calibration-images %d: must be from 1 to %d", o.CalibrationImages, MaxCalibrationImages))
	}
	return errors.Join(o.Output.Check(), options(faults...))
}

// setPrecision converts the model to the type Precision, if that is set, and reports it.
func (o ConvertOptions) setPrecision(m *Model) (*precision.Report, error) {
	if o.Precision == "" {
		return nil, nil
	}
	dtype := precision.Types[o.Precision]
	r, err := precision.Convert(m, dtype)
	if err != nil {
		return nil, err
	}
	if !r.Changed() {
		o.say("all floating-point numbers of %s are %v already: --precision %s changes nothing", m.Path(), dtype, o.Precision)
		return r, nil
	}
	text := fmt.Sprintf("%d constants are %v now", r.Constants, dtype)
	if r.Casts > 0 {
		text += fmt.Sprintf(", %d Casts that became useless were removed", r.Casts)
	}
	for _, list := range []struct {
		verb  string
		names []string
	}{{"takes", r.Inputs}, {"gives", r.Outputs}} {
		for _, name := range list.names {
			text += fmt.Sprintf("; %q %s %v", name, list.verb, dtype)
		}
	}
	o.say("%s: %s", m.Path(), text)
	return r, nil
}

// makeBlocks makes the frozen blocks, and their BatchNorms if the options ask for them.
func (o ConvertOptions) makeBlocks(ctx context.Context, c *Converted) error {
	m := c.Model
	images, err := o.openImages(ctx, m)
	if err != nil {
		return err
	}
	typed, unknown := o.withShapes(ctx, m)
	if c.Convolutions, err = o.convert(ctx, m, typed, images); err != nil {
		return err
	}
	for _, row := range c.Convolutions {
		if row.Status == transform.Converted {
			c.Converted++
		}
	}
	if len(c.Convolutions) == 0 {
		return notConverted{fmt.Errorf("converting %s: it has no convolutions, so no frozen blocks can be made, and nothing was written", m.Path())}
	}
	if c.Converted == 0 {
		return notConverted{errors.Join(fmt.Errorf("converting %s: none of its %d convolutions becomes a frozen block, and nothing was written:",
			m.Path(), len(c.Convolutions)), skipReasons(c.Convolutions))}
	}
	o.tellConversions(c.Convolutions, o.Reinit, o.Blocks.MaxError > 0)
	switch n := unknownMACs(c.Convolutions); {
	case n == 0:
	case unknown != nil && !errors.Is(unknown, ErrNoLibrary) && !errors.Is(unknown, errOpenSize):
		o.say("the MACs of %d convolutions are not known: %v", n, unknown)
	case anyMACs(c.Convolutions): // otherwise the table has no such column
		o.say("the MACs of %d convolutions are unknown, since the model does not state its shapes; `rcfreeze inspect` works them out", n)
	}
	if training := inference.TrainingNodes(m); training > 0 {
		o.say("%s is in training mode, and so is the new model; train, eval and export switch its %d BatchNormalization and Dropout nodes as they need", m.Path(), training)
	}
	if o.Reinit {
		if _, err := parameter.Reinit(m, parameter.ReinitOptions{Seed: o.Blocks.Seed}); err != nil {
			return err
		}
	}
	if o.AddBatchNorm {
		c.Norms, err = o.addNorms(ctx, m, images)
	}
	return err
}

// notConverted is an ErrNotConverted with another text.
type notConverted struct{ error }

func (e notConverted) Unwrap() error        { return e.error }
func (e notConverted) Is(target error) bool { return target == ErrNotConverted }

// trainingImages holds the images for a conversion.
type trainingImages struct {
	set       *dataset.Dataset
	normalize dataset.Normalization
	workers   int
	session   ort.Options
}

// openImages opens the images for a conversion, nil if it needs none. It records in the model what the images, or else the
// options, say about its images and classes.
func (o ConvertOptions) openImages(ctx context.Context, m *Model) (*trainingImages, error) {
	data := o.Data.reader(o.Reporter, m)
	if o.Data.Path == "" {
		return nil, data.describe()
	}
	images := &trainingImages{workers: data.workers()}
	var err error
	if images.session, err = o.Runtime.start(o.Reporter); err != nil {
		return nil, err
	}
	if images.set, err = data.images(dataset.Train); err != nil {
		return nil, err
	}
	if images.normalize, err = data.normalization(ctx, func() (*dataset.Dataset, error) { return images.set, nil }); err != nil {
		return nil, err
	}
	names, err := data.classNames()
	if err != nil {
		return nil, err
	}
	return images, Describe(m, images.normalize, names)
}

// describe records in the model what the options say about its images and classes.
func (r *reader) describe() error {
	names, err := r.classNames()
	if err != nil {
		return err
	}
	n, known, err := r.toldNormalization()
	if err != nil {
		return err
	}
	if !known && r.Channels != "" {
		return fmt.Errorf("--channels %s: is recorded only together with a normalization: also give --normalize, or --pixels, --mean and --std", r.Channels)
	}
	if known {
		if n, err = normalizationFor(r.m, n); err != nil {
			return err
		}
		return Describe(r.m, n, names)
	}
	if names == nil {
		return nil
	}
	return record(r.m, classesKey, names)
}

func (o ConvertOptions) convert(ctx context.Context, m, typed *Model, images *trainingImages) ([]transform.Conversion, error) {
	blocks := o.Blocks
	blocks.Memory, blocks.Shapes = ort.FreeMemory(), typed
	if blocks.Pointwise != transform.Calibrate {
		if blocks.Pointwise == transform.Project {
			blocks.Progress = o.projecting(ctx)
		}
		return transform.Convert(m, blocks)
	}
	loaded, err := calibrate.Load(ctx, images.set, o.CalibrationImages, dataset.LoaderOptions{Seed: blocks.Seed, Normalize: images.normalize, Workers: images.workers})
	if err != nil {
		return nil, err
	}
	o.tellImages(loaded.Count(), images.set.Len(), "--calibration-images")
	return calibrate.Convert(ctx, m, calibrate.Options{
		Convert: blocks, Images: loaded, Session: images.session,
		Progress: func(done, total int, layer string) { o.progress("calibrating", done, total, layer) },
	})
}

// withShapes returns a copy of the model to which it adds the missing sizes that ONNX Runtime can infer without running the
// model. unknown says why some are still missing. typed is nil if no size is missing.
func (o ConvertOptions) withShapes(ctx context.Context, m *Model) (typed *Model, unknown error) {
	if len(openOutputs(m)) == 0 {
		return nil, nil
	}
	typed = m.Clone()
	return typed, inferShapes(ctx, typed, o.Runtime.Library, nil)
}

// addNorms adds a BatchNormalization after each block, and initializes them from images, if there are any.
func (o ConvertOptions) addNorms(ctx context.Context, m *Model, images *trainingImages) ([]normalization.Added, error) {
	norms, err := normalization.Add(m)
	if err != nil {
		return nil, err
	}
	var means []string
	for _, row := range norms {
		if row.Status == transform.Added {
			means = append(means, row.Mean)
		}
	}
	scratch := o.Reinit || o.Blocks.Pointwise == transform.Random
	switch {
	case len(means) == 0:
		o.say("no BatchNorm was added: every block has one already")
	case images != nil:
		err = o.adoptStatistics(ctx, m, means, images)
	case !scratch:
		o.say("the %d added BatchNorms start with mean 0 and variance 1, which suits training from scratch; to fine-tune, give --data, so that they start with the statistics of their inputs", len(means))
	}
	return norms, err
}

// adoptStatistics initializes BatchNormalizations that were just added by the statistics of training images.
func (o ConvertOptions) adoptStatistics(ctx context.Context, m *Model, means []string, images *trainingImages) error {
	const batchSize = 64 // statistics in inference hardly depend on it
	report, err := batchnorm.Adopt(ctx, m, images.set, batchnorm.Options{
		BatchSize: batchSize, Images: o.CalibrationImages, Means: means, Normalize: images.normalize, Workers: images.workers, Seed: o.Blocks.Seed, Session: images.session,
		Progress: func(done, total int) { o.progress("measuring what BatchNorm reads", done, total, "images") },
	})
	if err != nil {
		return err
	}
	o.tellImages(report.Images, images.set.Len(), "--calibration-images")
	return nil
}

// unknownMACs returns how many convolutions have weights, but an output of unknown size.
func unknownMACs(list []transform.Conversion) int {
	unknown := 0
	for _, c := range list {
		if c.Out > 0 && c.Before.MACs == 0 {
			unknown++
		}
	}
	return unknown
}

func anyMACs(list []transform.Conversion) bool {
	return slices.ContainsFunc(list, func(c transform.Conversion) bool { return c.Before.MACs > 0 })
}

// skipReasons returns an error that says why convolutions were skipped, with one line for each operator and reason.
func skipReasons(list []transform.Conversion) error {
	const most = 10
	type kind struct{ operator, reason string }
	var kinds []kind
	of := map[kind][]string{}
	for _, c := range list {
		k := kind{c.Operator, c.Reason}
		if of[k] == nil {
			kinds = append(kinds, k)
		}
		of[k] = append(of[k], c.Node)
	}
	var faults []error
	for i, k := range kinds {
		if i == most {
			faults = append(faults, errors.New("and so on: `rcfreeze inspect`, with the same flags for convolutions, lists all"))
			break
		}
		example := fmt.Sprintf("%q", of[k][0])
		if n := len(of[k]); n > 1 {
			example = fmt.Sprintf("%q and %d more", of[k][0], n-1)
		}
		faults = append(faults, fmt.Errorf("%s %s: %s", k.operator, example, k.reason))
	}
	return errors.Join(faults...)
}

// largeError is the error of a block above which the user gets a warning. The square of the error is the share of the energy, of
// filters or outputs, that is lost: here a quarter.
const largeError = 0.5

// someBlocks names a few of all frozen blocks.
func someBlocks(names []string, all int) string {
	switch {
	case all == 1:
		return "the frozen block " + names[0]
	case len(names) == all:
		return "all frozen blocks"
	}
	return fmt.Sprintf("%d of %d frozen blocks (%s)", len(names), all, onnxgraph.Listed(names))
}

// tellConversions reports what the user should know about a conversion besides the table. scratch says that the model will be
// trained from scratch, bounded that the user has limited the errors: then the errors are no news.
func (r Reporter) tellConversions(list []transform.Conversion, scratch, bounded bool) {
	if len(list) == 0 {
		r.say("the model has no convolutions, so no frozen blocks can be made")
		return
	}
	var blocks, noted int
	var large, growing []string
	var before, after int64
	lossy, expands := "filters", false
	for _, c := range list {
		if c.Note != "" {
			noted++
		}
		if c.Status != transform.Converted || c.SharedWith != "" {
			continue
		}
		blocks++
		lost := c.Error
		if c.OutputError != nil {
			lost, lossy = c.OutputError, "outputs"
		}
		if lost != nil && *lost > largeError {
			large = append(large, c.Node)
		}
		if c.After.Trainable > c.Before.Trainable {
			growing = append(growing, c.Node)
			before, after = before+c.Before.Trainable, after+c.After.Trainable
			expands = expands || c.Expansion > 1
		}
	}
	if len(large) > 0 && !scratch && !bounded {
		r.say("the %s of %s have a relative error above %g: the model will not work as before until it is trained; "+
			"-E auto --max-error 0.3 takes more fixed filters, as many as this error needs, and --skip NAME leaves a convolution as it is", lossy, someBlocks(large, blocks), largeError)
	}
	if len(growing) > 0 {
		remedy := "--layout depthwise may train fewer"
		switch {
		case expands && bounded:
			remedy = "a larger --max-error takes fewer fixed filters, so that fewer train"
		case expands:
			remedy = "with a smaller -E fewer train, but the error is larger"
		}
		r.say("more parameters train in %s than in the original, %s instead of %s: %s, and --skip NAME leaves a convolution as it is",
			someBlocks(growing, blocks), figures.Count(after), figures.Count(before), remedy)
	}
	if noted > 0 {
		r.say("to keep convolutions that are fixed on purpose as they are, use --skip NAME or --min-in-channels")
	}
}
