package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// convertCommand rewrites a model into frozen blocks.
type convertCommand struct {
	*printer
	options     rcfreeze.ConvertOptions
	conversion  conversionFlags
	calibration calibrationFlags
	precision   precisionFlags
	output      outputFlags
	runtime     runtimeFlags
}

func newConvert(p *printer) *cobra.Command {
	c := convertCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "convert MODEL -o OUT",
		Short: "Rewrite convolutions as frozen blocks",
		Long: `Rewrite every spatial convolution (with a kernel larger than 1) as a frozen block: a convolution with fixed filters,
followed by a 1×1 convolution that trains. The fixed filters of a block are its bank. Everything else stays as it is; the
table says what happened to each convolution, and why.

With --pointwise project or calibrate, a block comes as close to the original convolution as its fixed filters allow, and
training corrects the rest. For a trained model, calibrate keeps much more of its accuracy than project; it needs images. With identity, a block computes the same as the original; with random, it must be trained from
scratch.`,
		Example: `# Make blocks with 4 fixed filters per filter of the original
rcfreeze convert model.onnx -o blocks.onnx -E 4
# Keep outputs as close as possible, measured on some training images
rcfreeze convert model.onnx -o blocks.onnx -E 4 --pointwise calibrate --data images
# Take as many filters as the error allows, and leave one convolution as it is
rcfreeze convert model.onnx -o blocks.onnx -E auto --max-error 0.1 --skip conv1
# Make a float32 model of a float16 one, without blocks
rcfreeze convert half.onnx -o single.onnx --precision fp32`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.output.add(cmd)
	onBlock := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.conversion.add(onBlock)
	onBlock.BoolVar(&c.options.AddBatchNorm, "add-batchnorm", false, "add a trainable BatchNorm after every block that has none, for models whose own were folded away; "+
		"with --data it is initialized from the data, so that outputs stay the same")
	onBlock.BoolVar(&c.options.Reinit, "reinit", false, "set everything that trains (so all but the fixed filters) to new random values, to train from scratch")
	cmd.Flags().AddFlagSet(onBlock)
	c.precision.add(cmd.Flags(), onBlock)
	addNumClasses(cmd.Flags(), &c.options.NumClasses)
	c.calibration.add(cmd.Flags(), &c.runtime)
	return cmd
}

func addNumClasses(flags *pflag.FlagSet, classes *int) {
	flags.IntVar(classes, "num-classes", 0, "replace the last layer with a new, random one for this many classes (0: keep the one that is there)")
}

func (c *convertCommand) run(ctx context.Context, path string) error {
	wrong := usage(c.conversion.settle(), c.precision.check(), c.calibration.checkUnused())
	o := c.options
	o.Blocks, o.Precision, o.KeepConvs = c.conversion.options, c.precision.name, !c.precision.makesBlocks()
	o.CalibrationImages, o.Runtime, o.Reporter = c.calibration.images, c.runtime.options, c.reporter()
	err := errors.Join(wrong, c.calibration.data.settle(&o.Data), c.output.settle(c.printer, &o.Output))
	return perform(ctx, c.printer, path, err, o, rcfreeze.Convert, c.print)
}

func (c *convertCommand) print(r *rcfreeze.Converted) {
	facts := [][2]string{{"before", r.Before.String()}, {"after", r.After.String()}}
	written := r.Output
	if c.precision.makesBlocks() {
		c.conversions(r.Convolutions, isConverted)
		facts = append(append(facts, normFacts(r.Norms)...), conditionFact(r.Convolutions)...)
		written += ", " + blockCount(r.Convolutions)
	}
	c.facts(append(facts, [2]string{"written", written})...)
}

// blockCount says how many blocks were made, and for how many convolutions if some share one.
func blockCount(list []transform.Conversion) string {
	blocks, converted := 0, 0
	for _, row := range list {
		if row.Status == transform.Converted {
			converted++
			if row.SharedWith == "" {
				blocks++
			}
		}
	}
	if blocks < converted {
		return fmt.Sprintf("%d frozen blocks for %d convolutions", blocks, converted)
	}
	return fmt.Sprintf("%d frozen blocks", blocks)
}

// conditionFact tells which bank is the worst to combine filters of, if any was projected on.
func conditionFact(list []transform.Conversion) [][2]string {
	var worst *transform.Conversion
	for i, row := range list {
		if row.Condition != nil && (worst == nil || *row.Condition > *worst.Condition) {
			worst = &list[i]
		}
	}
	if worst == nil {
		return nil
	}
	return [][2]string{{"worst bank", fmt.Sprintf("that of %s: combining its filters magnifies rounding errors up to about %s times", worst.Node, count(int64(math.Ceil(*worst.Condition))))}}
}

// normFacts tells how many batch normalizations were added, if any were asked for.
func normFacts(norms []normalization.Added) [][2]string {
	if norms == nil {
		return nil
	}
	added := 0
	for _, row := range norms {
		if row.Status == transform.Added {
			added++
		}
	}
	return [][2]string{{"added", fmt.Sprintf("%d BatchNorms behind %d frozen blocks", added, len(norms))}}
}
