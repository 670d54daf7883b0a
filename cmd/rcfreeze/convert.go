package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// convertCommand rewrites a model into frozen blocks.
type convertCommand struct {
	*printer
	conversion  conversionFlags
	calibration calibrationFlags
	output      outputFlags
	head        headFlags
	precision   precisionFlags
	reinit      bool
	addNorm     bool
}

// convertResult is what convert prints as JSON.
type convertResult struct {
	Model        string                 `json:"model"`
	Output       string                 `json:"output"`
	Precision    *precision.Report      `json:"precision,omitempty"` // with --precision, what it changed
	Converted    int                    `json:"converted"`
	Before       parameterCount         `json:"parameters_before"`
	After        parameterCount         `json:"parameters_after"`
	Convolutions []transform.Conversion `json:"convolutions"`
	Norms        []transform.AddedNorm  `json:"batchnorms,omitempty"` // with --add-batchnorm, one per block
}

func newConvert(p *printer) *cobra.Command {
	c := convertCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "convert MODEL -o OUT",
		Short: "Rewrite convolutions as frozen blocks",
		Long: `Rewrite every spatial convolution (with a kernel larger than 1) as a frozen block: a convolution with fixed filters,
followed by a 1×1 convolution that trains. The fixed filters of a block are its bank. All else stays as it is; the table says
what became of each convolution, and why.

With --pointwise project, calibrate or identity, the new model does about what the old one did; train then makes up for the
rest. With --pointwise random it starts from scratch.`,
		Example: `# Make blocks with 4 fixed filters for each filter of the source
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
	onBlock.BoolVar(&c.addNorm, "add-batchnorm", false, "add a trainable BatchNorm after every block that has none, for models whose own were folded away; "+
		"with --data it is initialized from the data, so that outputs stay the same")
	onBlock.BoolVar(&c.reinit, "reinit", false, "set everything that trains to new random values, to train from scratch")
	cmd.Flags().AddFlagSet(onBlock)
	c.precision.add(cmd.Flags(), onBlock)
	c.head.add(cmd.Flags())
	c.calibration.add(cmd.Flags())
	return cmd
}

func (c *convertCommand) run(ctx context.Context, path string) error {
	err := errors.Join(c.output.check(c.printer), usage(c.head.check(), c.conversion.settle(), c.precision.check(), c.calibration.check(c.conversion.options.Pointwise, c.addNorm)))
	if err != nil {
		return err
	}
	m, err := c.load(path)
	if err != nil {
		return err
	}
	c.output.source = m.Clone()
	result := convertResult{Model: m.Path(), Output: c.output.name()}
	if result.Before, err = countParameters(m); err != nil {
		return err
	}
	if result.Precision, err = c.precision.apply(c.printer, m); err != nil {
		return err
	}
	if err := c.head.apply(c.printer, m, c.conversion.options.Seed); err != nil {
		return err
	}
	if !c.precision.makesBlocks() {
		c.say("no frozen blocks were made: --blocks, or a flag on blocks such as --expansion, makes some")
	} else if err := c.makeBlocks(ctx, m, &result); err != nil {
		return err
	}
	if result.After, err = countParameters(m); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("converting %s: %w", m.Path(), err)
	}
	if err := c.output.save(c.printer, m); err != nil {
		return err
	}
	return c.result(result, func() { c.print(result) })
}

// makeBlocks makes the frozen blocks, and what goes with them.
func (c *convertCommand) makeBlocks(ctx context.Context, m *onnxgraph.Model, result *convertResult) error {
	data, err := c.calibration.open(ctx, c.printer, m)
	if err != nil {
		return err
	}
	if err := c.calibration.describe(m, data); err != nil {
		return err
	}
	if result.Convolutions, err = c.convert(ctx, m, data); err != nil {
		return err
	}
	for _, row := range result.Convolutions {
		if row.Status == transform.Converted {
			result.Converted++
		}
	}
	if len(result.Convolutions) == 0 {
		return fmt.Errorf("converting %s: it has no convolution, so there is nothing to make frozen blocks of, and nothing was written", m.Path())
	}
	if result.Converted == 0 {
		return errors.Join(fmt.Errorf("converting %s: none of its %d convolutions becomes a frozen block, and nothing was written:",
			m.Path(), len(result.Convolutions)), reasons(result.Convolutions))
	}
	c.tellConversions(result.Convolutions, !c.reinit && c.conversion.options.MaxError == 0)
	if unknown := unknownMACs(result.Convolutions); unknown > 0 && anyMACs(result.Convolutions) { // else the table has no such column
		c.say("the MACs of %d convolutions are not known, as the model does not say its shapes: `rcfreeze inspect` works them out", unknown)
	}
	if training, _ := trainstep.InferenceMode(m.Clone()); training > 0 {
		c.say("%s is in training mode, and what is written is, too: train, eval and export take its %d BatchNormalization and Dropout nodes as they need them", m.Path(), training)
	}
	if c.reinit {
		if _, err := transform.Reinit(m, transform.ReinitOptions{Seed: c.conversion.options.Seed}); err != nil {
			return err
		}
	}
	if c.addNorm {
		result.Norms, err = c.addNorms(ctx, m, data)
	}
	return err
}

func (c *convertCommand) print(r convertResult) {
	facts := [][2]string{{"before", r.Before.String()}, {"after", r.After.String()}}
	written := r.Output
	if c.precision.makesBlocks() {
		c.conversions(r.Convolutions)
		facts = append(append(facts, normFacts(r.Norms)...), conditionFact(r.Convolutions)...)
		written += ", " + blockCount(r.Convolutions)
	}
	c.facts(append(facts, [2]string{"written", written})...)
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

// reasons returns an error that says why convolutions were skipped, with one line for each operator and reason.
func reasons(list []transform.Conversion) error {
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

func (c *convertCommand) convert(ctx context.Context, m *onnxgraph.Model, data *calibrationData) ([]transform.Conversion, error) {
	o := c.conversion.options
	o.Memory = ort.FreeMemory()
	if o.Pointwise == transform.Calibrate {
		return data.convert(ctx, c.printer, m, o)
	}
	if o.Pointwise == transform.Project {
		o.Progress = c.progress().projecting(ctx)
	}
	return transform.Convert(m, o)
}

// addNorms adds batch normalisations behind the blocks, which start by data if there is some.
func (c *convertCommand) addNorms(ctx context.Context, m *onnxgraph.Model, data *calibrationData) ([]transform.AddedNorm, error) {
	norms, err := transform.AddBatchNorm(m)
	if err != nil {
		return nil, err
	}
	var means []string
	for _, row := range norms {
		if row.Status == transform.Added {
			means = append(means, row.Mean)
		}
	}
	scratch := c.reinit || c.conversion.options.Pointwise == transform.Random
	switch {
	case len(means) == 0:
		c.say("no BatchNorm was added: every block has one already")
	case data != nil:
		err = data.adopt(ctx, c.printer, m, means, c.conversion.options.Seed)
	case !scratch:
		c.say("the %d BatchNorms that were added start with mean 0 and variance 1, as for training from scratch: to fine-tune, give --data, so that they start with what they read", len(means))
	}
	return norms, err
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
	return [][2]string{{"worst bank", fmt.Sprintf("that of %s, with a condition number of about %s", worst.Node, count(int64(math.Ceil(*worst.Condition))))}}
}

// normFacts tells how many batch normalisations were added, if any were asked for.
func normFacts(norms []transform.AddedNorm) [][2]string {
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
