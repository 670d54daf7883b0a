package main

import (
	"context"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/spf13/cobra"
)

// exportCommand makes the model to deploy.
type exportCommand struct {
	*printer
	options rcfreeze.ExportOptions
	output  outputFlags
	runtime runtimeFlags
	source  string
	fold    bool
	inputs  string     // file of arrays to verify on, "" to draw
	limits  limitFlags // of inputs
	byType  bool       // the tolerance follows from the model's type
}

func newExport(p *printer) *cobra.Command {
	c := exportCommand{printer: p}
	o := &c.options
	cmd := &cobra.Command{
		Use:   "export MODEL -o OUT",
		Short: "Merge frozen blocks into plain convolutions, and check the result",
		Long: `Merge every frozen block into one plain convolution, and fold BatchNorm into the convolution before it, so that the
model is as fast as one without blocks. It is written only if its outputs stay the same, within --tolerance. A model in training
mode is written in the form for inference.`,
		Example: `# Merge the blocks
rcfreeze export trained.onnx -o merged.onnx
# Also compare size and speed with the model from before convert
rcfreeze export trained.onnx -o merged.onnx --source model.onnx --time
# Give the model a fixed batch size
rcfreeze export trained.onnx -o merged.onnx --batch 1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.byType = !cmd.Flags().Changed("tolerance")
			return c.run(cmd.Context(), args[0])
		},
	}
	c.output.add(cmd)
	c.runtime.add(cmd.Flags())
	flags := cmd.Flags()
	flags.StringVar(&o.Batch, "batch", "", "batch size of the exported model: a number, or dynamic for any (default: as it is)")
	flags.StringVar(&c.source, "source", "", "the model from before convert, to compare size and speed with")
	flags.BoolVar(&c.fold, "fold-batchnorm", true, "fold BatchNorm into the convolutions before it")
	flags.BoolVar(&o.NoVerify, "no-verify", false, "do not check that the exported model gives the same outputs")
	flags.Float64Var(&o.Tolerance, "tolerance", 1e-4, "how much an output may differ, relative to its largest value (default 0.0001; 0.01 if the model is in float16, 0.1 in bfloat16)")
	flags.BoolVar(&o.SecondOpinion, "second-opinion", false, "also run the exported model in a second engine, rcfreeze-second-opinion, and compare outputs")
	flags.BoolVar(&o.Time, "time", false, "measure how fast the models run")
	flags.Int64Var(&o.Verify.Batch, "verify-batch", 0, "images per batch when verifying and timing (0: up to 8, as memory allows)")
	flags.StringVar(&c.inputs, "inputs", "", "verify with the arrays in this .npz file instead of random numbers; each array has the name of an input")
	c.limits.addArrays(flags, "in the file of --inputs")
	flags.IntVar(&o.TimeRuns, "time-runs", rcfreeze.DefaultTimeRuns, "how often to run each model for --time")
	return cmd
}

func (c *exportCommand) run(ctx context.Context, path string) error {
	o := c.options
	o.KeepBatchNorm, o.Runtime, o.Reporter = !c.fold, c.runtime.options, c.reporter()
	if c.byType {
		o.Tolerance = 0
	} else if o.Tolerance == 0 {
		o.Tolerance = -1 // outputs must be equal
	}
	err := c.output.settle(c.printer, &o.Output)
	return perform(ctx, c.printer, path, err, o, c.export, c.print)
}

// export exports the model, after it has read what else the flags name.
func (c *exportCommand) export(ctx context.Context, m *rcfreeze.Model, o rcfreeze.ExportOptions) (_ *rcfreeze.Exported, err error) {
	if c.inputs != "" {
		if o.Verify.Inputs, err = dataset.Arrays(c.inputs, c.limits.limits()); err != nil {
			return nil, err
		}
	}
	if c.source != "" {
		if o.Source, err = c.load(c.source); err != nil {
			return nil, err
		}
	}
	return rcfreeze.Export(ctx, m, o)
}
