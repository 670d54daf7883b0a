package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/secondopinion"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
	"github.com/spf13/cobra"
)

// exportCommand makes the model to deploy.
type exportCommand struct {
	*printer
	output    outputFlags
	runtime   runtimeFlags
	source    string
	fold      bool
	skip      bool // the verification
	second    bool
	time      bool
	size      batchFlag
	inputs    string     // file of arrays to verify on, "" to draw
	limits    limitFlags // of inputs
	on        verify.Options
	runs      int
	tolerance float64
	byType    bool // the tolerance follows from the model's type
}

// exportResult is what export prints as JSON.
type exportResult struct {
	Model         string                    `json:"model"`
	Output        string                    `json:"output"`
	Merged        []transform.Outcome       `json:"merged"` // one per frozen block
	Folded        []transform.Outcome       `json:"folded"` // one per batch normalisation
	Tolerance     float64                   `json:"tolerance"`
	VerifiedOn    []string                  `json:"verified_on,omitempty"`    // the shapes of the inputs, and the values that decide something
	Differences   []verify.Difference       `json:"differences,omitempty"`    // of the outputs, of what was written from the model
	SecondOpinion *secondopinion.Difference `json:"second_opinion,omitempty"` // of the second engine's output from ONNX Runtime's
	Models        []modelFacts              `json:"models"`                   // the source, if given, the model, what was written
}

func newExport(p *printer) *cobra.Command {
	c := exportCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "export MODEL -o OUT",
		Short: "Merge frozen blocks into plain convolutions, and check the result",
		Long: `Merge every frozen block into one plain convolution, and fold BatchNorm into the convolution before it, so that the
model is as fast as one without blocks. The model is written only if its outputs are the same as before. A model in training
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
	c.size.add(cmd.Flags())
	flags := cmd.Flags()
	flags.StringVar(&c.source, "source", "", "the model from before convert, to compare size and speed with")
	flags.BoolVar(&c.fold, "fold-batchnorm", true, "fold BatchNorm into the convolutions before it")
	flags.BoolVar(&c.skip, "no-verify", false, "do not check that the exported model gives the same outputs")
	flags.Float64Var(&c.tolerance, "tolerance", 1e-4, "how much outputs may differ, relative to the largest (default 0.0001; 0.01 if the model is in float16, 0.1 in bfloat16)")
	flags.BoolVar(&c.second, "second-opinion", false, "also run the exported model in a second engine, rcfreeze-second-opinion, and compare outputs")
	flags.BoolVar(&c.time, "time", false, "measure how fast the models run")
	flags.Int64Var(&c.on.Batch, "verify-batch", 0, "images per batch when verifying and timing (0: up to 8, as memory allows)")
	flags.StringVar(&c.inputs, "inputs", "", "verify on the arrays in this .npz file, one for each input, by its name, instead of on random numbers")
	c.limits.addArrays(flags)
	flags.IntVar(&c.runs, "time-runs", 20, "how often to run each model for --time")
	return cmd
}

func (c *exportCommand) run(ctx context.Context, path string) error {
	if err := errors.Join(c.output.check(c.printer), usage(c.size.check())); err != nil {
		return err
	}
	if c.second {
		if _, err := secondopinion.Find(); err != nil {
			return err
		}
	}
	if c.inputs != "" {
		var err error
		if c.on.Inputs, err = dataset.Arrays(c.inputs, c.limits.limits()); err != nil {
			return err
		}
	}
	m, err := c.load(path)
	if err != nil {
		return err
	}
	c.output.source = m.Clone()
	if err := c.toInference(m); err != nil {
		return err
	}
	if err := c.resize(m); err != nil {
		return err
	}
	if c.byType {
		if c.tolerance, err = usualTolerance(m); err != nil {
			return err
		}
	}
	deployed := m.Clone()
	r := exportResult{Model: m.Path(), Output: c.output.name(), Tolerance: c.tolerance}
	if r.Merged, err = transform.Merge(deployed); err != nil {
		return err
	}
	if c.fold {
		if r.Folded, err = transform.FoldBatchNorm(deployed); err != nil {
			return err
		}
	}
	staged, err := c.output.stage(c.printer, deployed)
	if err != nil {
		return err
	}
	defer staged.Abandon()
	if deployed, err = onnxgraph.Load(staged.Path()); err != nil {
		return err
	}
	models := []*onnxgraph.Model{m, deployed}
	names := []string{"as trained", "exported"}
	if c.source != "" {
		source, err := c.load(c.source)
		if err != nil {
			return err
		}
		if err := c.toInference(source); err != nil {
			return err
		}
		models, names = append([]*onnxgraph.Model{source}, models...), append([]string{"source"}, names...)
	}
	if r.Models, err = describeModels(names, models); err != nil {
		return err
	}
	if err := c.execute(ctx, &r, m, deployed, models); err != nil {
		return err
	}
	if err := staged.commit(c.printer); err != nil {
		return err
	}
	c.warnOfBlocks(m.Path(), r.Merged)
	return c.result(r, func() { c.print(r) })
}

// toInference brings a model that was exported in training mode into the form to deploy, and says so.
func (c *exportCommand) toInference(m *onnxgraph.Model) error {
	changed, err := trainstep.InferenceMode(m)
	if err != nil {
		return fmt.Errorf("bringing %s, which is in training mode, into the form for inference: %w", m.Path(), err)
	}
	if changed > 0 {
		c.say("%s is in training mode: its %d BatchNormalization and Dropout nodes are taken as for inference", m.Path(), changed)
	}
	return nil
}

// resize gives the model the batch size that was asked for.
func (c *exportCommand) resize(m *onnxgraph.Model) error {
	if c.size.value == "" {
		return nil
	}
	if _, err := c.runtime.start(c.printer); err != nil {
		return fmt.Errorf("setting the batch size of %s, which needs a run to check it: %w", m.Path(), err)
	}
	return c.size.apply(m)
}

// execute does all that needs ONNX Runtime. An error means that the model is not to be written.
func (c *exportCommand) execute(ctx context.Context, r *exportResult, m, deployed *onnxgraph.Model, models []*onnxgraph.Model) error {
	if c.skip && !c.second && !c.time {
		return nil
	}
	options, err := c.runtime.start(c.printer)
	if err != nil {
		return fmt.Errorf("verifying the export of %s, which --no-verify leaves out: %w", r.Model, err)
	}
	if !c.skip {
		report, err := verify.Outputs(ctx, m, deployed, c.on)
		if err != nil {
			return fmt.Errorf("verifying the export of %s, which --no-verify leaves out: %w", r.Model, err)
		}
		r.Differences, r.VerifiedOn = report.Differences, report.Inputs
		c.on.Batch = cmp.Or(c.on.Batch, report.Batch)
		if err := c.judge(r); err != nil {
			return err
		}
	}
	if c.second {
		d, err := verify.SecondOpinion(ctx, deployed, c.on)
		if err != nil {
			return fmt.Errorf("verifying the export of %s in a second engine, which is done for --second-opinion only: %w", r.Model, err)
		}
		if r.SecondOpinion = &d; !(d.MaxRel <= c.tolerance) {
			return fmt.Errorf("verifying the export of %s: ONNX Runtime and the second engine differ by %.3g, relative to the largest output, more than --tolerance %g: nothing was written",
				r.Model, d.MaxRel, c.tolerance)
		}
	}
	if !c.time {
		return nil
	}
	timings, err := verify.Latency(ctx, models, c.on, c.runs, options)
	if err != nil {
		return fmt.Errorf("timing the export of %s: %w", r.Model, err)
	}
	for i := range timings {
		r.Models[i].Latency = &timings[i]
	}
	return nil
}

// judge returns an error that lists the outputs which are too far apart.
func (c *exportCommand) judge(r *exportResult) error {
	var faults []error
	for _, d := range r.Differences {
		if d.Compared == 0 && d.MaxAbs == 0 {
			c.say("output %q has no finite number on these inputs, so it is not verified: --inputs gives others", d.Output)
		}
		if !(d.MaxRel <= c.tolerance) {
			faults = append(faults, fmt.Errorf("output %q differs by %.3g, relative to its largest value, more than --tolerance %g", d.Output, d.MaxRel, c.tolerance))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("verifying the export of %s: it does not compute what the model did, and nothing was written: %w", r.Model, errors.Join(faults...))
}
