package main

import (
	"context"
	"errors"

	"github.com/rcfreeze/rcfreeze"
	"github.com/spf13/cobra"
)

// recalibrateCommand re-estimates running statistics.
type recalibrateCommand struct {
	*printer
	options rcfreeze.RecalibrateOptions
	output  outputFlags
	data    dataFlags
	runtime runtimeFlags
}

func newRecalibrate(p *printer) *cobra.Command {
	c := recalibrateCommand{printer: p}
	o := &c.options
	cmd := &cobra.Command{
		Use:     "recalibrate MODEL -o OUT --data PATH",
		Aliases: []string{"calibrate"}, // its name in older versions
		Short:   "Estimate the running statistics of BatchNorm again",
		Long: `Estimate the running mean and variance of every BatchNorm again, on training images, and write the model in the form
for inference. This helps if weights were changed without training, or if the model gets other images than it was
trained on. The model need not be a classifier.

Each BatchNorm gets the average of mean and variance over batches. While they are measured, every BatchNorm normalizes by the
statistics of the batch, as with PyTorch's update_bn, and Dropout is off. Nothing else changes.`,
		Example: `# Estimate the statistics on up to 10,000 training images
rcfreeze recalibrate resnet20.onnx -o recalibrated.onnx --data images
# Use 1,000 images, in batches of 32
rcfreeze recalibrate resnet20.onnx -o recalibrated.onnx --data images --images 1000 -b 32`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.output.add(cmd)
	c.data.add(cmd)
	cmd.Flags().IntVar(&o.Images, "images", rcfreeze.DefaultRecalibrationImages, "training images to use, drawn at random (0: all)")
	cmd.Flags().IntVarP(&o.BatchSize, "batch-size", "b", rcfreeze.DefaultBatch, "images per batch")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 0, "seed for drawing the images (default 0)")
	c.runtime.add(cmd.Flags())
	return cmd
}

func (c *recalibrateCommand) run(ctx context.Context, path string) error {
	o := c.options
	o.Runtime, o.Reporter = c.runtime.options, c.reporter()
	if o.Images == 0 {
		o.Images = -1 // all
	}
	err := errors.Join(c.data.settle(&o.Data), c.output.settle(c.printer, &o.Output))
	return perform(ctx, c.printer, path, err, o, rcfreeze.Recalibrate, c.print)
}

func (c *recalibrateCommand) print(r *rcfreeze.Recalibration) {
	var rows []tableRow
	for _, change := range r.Changes {
		rows = append(rows, tableRow{change.Node, count(change.Channels), decimal(change.MeanShift), decimal(change.VarianceRatio)})
	}
	c.table(tableRow{"BatchNorm", "channels", "mean shift / deviation", "variance new / old"}, rows)
	c.facts([2]string{"images", string(count(r.Images))}, [2]string{"written", r.Output})
}
