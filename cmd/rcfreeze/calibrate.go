package main

import (
	"context"
	"errors"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/batchnorm"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
	"github.com/spf13/cobra"
)

// calibrateCommand re-estimates running statistics.
type calibrateCommand struct {
	*printer
	output  outputFlags
	data    dataFlags
	sample  sampleFlags
	runtime runtimeFlags
}

// calibrateResult is what calibrate prints as JSON.
type calibrateResult struct {
	Model     string        `json:"model"`
	Output    string        `json:"output"`
	Data      string        `json:"data"`
	Normalize normalization `json:"normalize"`
	*batchnorm.Report
}

func newCalibrate(p *printer) *cobra.Command {
	c := calibrateCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "calibrate MODEL -o OUT --data PATH",
		Short: "Estimate the running statistics of BatchNorm again",
		Long: `Estimate the running mean and variance of every BatchNorm again, on training images, and write the model in the form
for inference. This helps after weights were changed by other means than training, or for other images than those that the
model was trained on. The model need not be a classifier.

Each BatchNorm gets the average over batches, while all of them normalize by the statistics of the batch, as with PyTorch's
update_bn. Dropout does nothing. Nothing else changes.`,
		Example: `# Estimate the statistics on up to 10,000 training images
rcfreeze calibrate resnet20.onnx -o calibrated.onnx --data images
# Use 1,000 images, in batches of 32
rcfreeze calibrate resnet20.onnx -o calibrated.onnx --data images --images 1000 --batch-size 32`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.output.add(cmd)
	c.data.add(cmd)
	c.sample.add(cmd)
	c.runtime.add(cmd.Flags())
	return cmd
}

// sampleFlags say on how many of the training images something is estimated.
type sampleFlags struct {
	images    int
	batchSize int
	seed      uint64
}

func (f *sampleFlags) add(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.images, "images", 10000, "training images to use, drawn at random (0: all)")
	cmd.Flags().IntVarP(&f.batchSize, "batch-size", "b", 128, "images per batch")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed for drawing the images")
}

// options returns how a model is run over the sample.
func (f *sampleFlags) options(bar *progress) batchnorm.Options {
	return batchnorm.Options{BatchSize: f.batchSize, Images: f.images, Seed: f.seed, Progress: func(done, total int) {
		bar.show("estimating statistics", done, total, "images")
	}}
}

func (c *calibrateCommand) run(ctx context.Context, path string) error {
	if err := errors.Join(c.output.check(c.printer), usage(c.data.check())); err != nil {
		return err
	}
	m, err := c.load(path)
	if err != nil {
		return err
	}
	c.output.source = m.Clone()
	c.untie(m)
	bar := c.progress()
	defer bar.clear()
	o := c.sample.options(bar)
	o.Workers, o.Unfolded = c.asMany("--workers", c.data.workers), c.unfolded
	if o.Session, err = c.runtime.start(c.printer); err != nil {
		return err
	}
	set, err := c.data.images(c.printer, m, dataset.Train)
	if err != nil {
		return err
	}
	if o.Normalize, err = c.data.normalization(ctx, c.printer, m, func() (*dataset.Dataset, error) { return set, nil }); err != nil {
		return err
	}
	r := calibrateResult{Model: m.Path(), Output: c.output.name(), Data: c.data.path, Normalize: normalization(o.Normalize)}
	if r.Report, err = batchnorm.Recalibrate(ctx, m, set, o); err != nil {
		return err
	}
	bar.clear()
	c.tellLeftOut(m, r.Report, set.Len())
	if _, err := trainstep.InferenceMode(m); err != nil {
		return err
	}
	names, err := c.data.classNames(m)
	if err != nil {
		return err
	}
	if err := describe(m, o.Normalize, names); err != nil {
		return err
	}
	if err := c.output.save(c.printer, m); err != nil {
		return err
	}
	return c.result(r, func() { c.print(r) })
}

// tellLeftOut tells of images and nodes that were left out, and of the type of the numbers.
func (c *calibrateCommand) tellLeftOut(m *onnxgraph.Model, r *batchnorm.Report, images int) {
	if asked := c.sample.images; asked > 0 && asked < images {
		c.tellImages(r.Images, images, "--images")
	} else if r.Images < images {
		c.say("left out %d of the %s training images, which fill no batch of %d: --batch-size says how many fill one", images-r.Images, count(images), c.sample.batchSize)
	}
	if len(r.Unmeasured) > 0 {
		c.say("kept the statistics of %s, which nothing that the model puts out depends on", onnxgraph.Listed(r.Unmeasured))
	}
	if !precision.IsAll(m, onnxgraph.Float32) {
		c.say("%s does not compute in float32 throughout: its statistics were measured in float32, and stored in the type that they had", m.Path())
	}
}

// tellImages tells how many of the training images were taken, if not all, and which flag says so.
func (p *printer) tellImages(taken, all int, flag string) {
	if taken < all {
		p.say("took %s of the %s training images, drawn at random: %s says how many", count(taken), count(all), flag)
	}
}

func (c *calibrateCommand) print(r calibrateResult) {
	var rows []tableRow
	for _, change := range r.Changes {
		rows = append(rows, tableRow{change.Node, count(change.Channels), decimal(change.MeanShift), decimal(change.VarianceRatio)})
	}
	c.table(tableRow{"BatchNorm", "channels", "mean shift / deviation", "variance new / old"}, rows)
	c.facts([2]string{"images", string(count(r.Images))}, [2]string{"written", r.Output})
}
