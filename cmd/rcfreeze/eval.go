package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/spf13/cobra"
)

// evalCommand measures a model on a data set.
type evalCommand struct {
	*printer
	data      dataFlags
	logits    logitsFlag
	runtime   runtimeFlags
	split     string
	batchSize int
	perClass  bool
	epsilon   fraction
}

// evalResult is what eval prints as JSON.
type evalResult struct {
	Model string `json:"model"`
	measuredOn
	Normalize normalization `json:"normalize"`
	Epsilon   float64       `json:"epsilon,omitempty"`
	evaluate.Result
	classResults
}

func newEval(p *printer) *cobra.Command {
	c := evalCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "eval MODEL --data PATH",
		Short: "Measure loss and accuracy on a data set",
		Long: `Measure the loss of a classifier, and its accuracy: how often the right class is the most probable one (top-1), or
one of the five most probable (top-5). With --epsilon, also measure how often it is still right under attack.`,
		Example: `# Measure on the test images
rcfreeze eval model.onnx --data images
# Also print each class, and the accuracy under attack
rcfreeze eval model.onnx --data images --per-class --epsilon 1/255
# For a model that takes pixels from -1 to 1
rcfreeze eval model.onnx --data images --pixels -1:1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.data.add(cmd)
	c.logits.add(cmd.Flags())
	c.runtime.add(cmd.Flags())
	cmd.Flags().StringVar(&c.split, "split", string(dataset.Test), "which images to measure: test (val if there is no test), val, train")
	cmd.Flags().IntVarP(&c.batchSize, "batch-size", "b", 0, fmt.Sprintf("images per batch (0: %d, or fewer if they would take too much memory)", defaultBatch))
	cmd.Flags().BoolVar(&c.perClass, "per-class", false, "also print the accuracy of each class, and which classes are taken for which")
	addEpsilon(cmd, &c.epsilon)
	return cmd
}

func addEpsilon(cmd *cobra.Command, epsilon *fraction) {
	cmd.Flags().Var(epsilon, "epsilon", "also measure the accuracy under attack: FGSM changes each pixel, from 0 to 1, by up to this, such as 1/255 (0: no attack)")
}

func (c *evalCommand) run(ctx context.Context, path string) error {
	if err := usage(c.data.check(), c.check()); err != nil {
		return err
	}
	m, err := c.load(path)
	if err != nil {
		return err
	}
	if err := errors.Join(c.logits.apply(m), checkAttack(m, c.epsilon)); err != nil {
		return err
	}
	if err := c.useFloat32(m); err != nil {
		return err
	}
	o := evaluate.Options{BatchSize: c.batchSize, Workers: c.asMany("--workers", c.data.workers), Epsilon: float64(c.epsilon)}
	if o.Session, err = c.runtime.start(c.printer); err != nil {
		return err
	}
	set, err := c.data.open(c.printer, m, dataset.Split(c.split))
	if err != nil {
		return err
	}
	if c.split == string(dataset.Val) && set.Split == dataset.Test {
		c.say("%s: there is no val split: test takes its place", set.Path)
	}
	o.Normalize, err = c.data.normalization(ctx, c.printer, m, func() (*dataset.Dataset, error) {
		if set.Split == dataset.All || set.Split == dataset.Train {
			return set, nil
		}
		return c.data.open(c.printer, m, dataset.Train)
	})
	if err != nil {
		return err
	}
	var confusion evaluate.Confusion
	if c.perClass {
		o.Classified = confusion.Add
	}
	measured, err := c.measure(ctx, m, set, o, c.verbose)
	if err != nil {
		return fmt.Errorf("measuring %s: %w", m.Path(), err)
	}
	r := evalResult{Model: m.Path(), measuredOn: c.data.measuredOn(set, nil), Normalize: normalization(o.Normalize), Epsilon: o.Epsilon, Result: measured}
	if c.perClass {
		r.classResults = resultsByClass(&confusion, set.Classes)
	}
	return c.result(r, func() {
		c.facts(append(r.facts(), measuredFacts(measured, r.ModelClasses, o.Epsilon)...)...)
		if c.perClass {
			c.printClasses(r.classResults, &confusion, set.Classes)
		}
	})
}

// useFloat32 makes a model that takes or gives other floating-point numbers one of float32, and says so.
func (c *evalCommand) useFloat32(m *onnxgraph.Model) error {
	isOther := func(v *onnxgraph.Value) bool { return v.DType().IsFloat() && v.DType() != onnxgraph.Float32 }
	if !slices.ContainsFunc(slices.Concat(m.Graph.Inputs(), m.Graph.Outputs()), isOther) {
		return nil
	}
	if _, err := precision.Convert(m, onnxgraph.Float32); err != nil {
		return err
	}
	c.say("%s does not take and give float32: its numbers are taken as float32 to measure it", m.Path())
	return nil
}

// check says what is wrong with the flags that only eval has.
func (c *evalCommand) check() error {
	var faults []error
	if c.batchSize < 0 {
		faults = append(faults, fmt.Errorf("--batch-size %d: needs at least 1, or 0 to choose it by the memory that it takes", c.batchSize))
	}
	if !slices.Contains(dataset.Splits(), dataset.Split(c.split)) {
		faults = append(faults, fmt.Errorf("--split %q: choose test, val or train", c.split))
	}
	return errors.Join(faults...)
}

// How many images at a time are measured, if the user does not say: defaultBatch, if these take no more than plentyOfMemory
// and half of what is free. On a CPU more at a time are hardly faster. Above muchMemory it is told how much that is.
const (
	defaultBatch   = 128
	plentyOfMemory = 2e9
	muchMemory     = 5e8
)

// measure runs a model over a data set. Without a batch size it chooses one.
func (p *printer) measure(ctx context.Context, m *onnxgraph.Model, set *dataset.Dataset, o evaluate.Options, verbose bool) (evaluate.Result, error) {
	chooses := o.BatchSize == 0
	o.BatchSize = cmp.Or(o.BatchSize, defaultBatch)
	fitted, image, memory, err := fitForMeasuring(m, set, o)
	if err != nil {
		return evaluate.Result{}, err
	}
	if n := batchWithin(memory); chooses && n < defaultBatch {
		p.say("measuring %d images at a time, as %d would take about %s of memory; --batch-size chooses otherwise", n, defaultBatch, size(memory.Needed()))
		o.BatchSize = n
		if fitted, image, memory, err = fitForMeasuring(m, set, o); err != nil {
			return evaluate.Result{}, err
		}
	}
	if verbose || memory.Needed() > muchMemory {
		p.say("memory for %d images at a time: about %s%s", o.BatchSize, size(memory.Needed()), freeMemory(memory.Free))
	}
	o.Outlined = func(outline evaluate.Outline) {
		if verbose {
			p.say("%s", blockForms(outline.TwoConv, outline.Folded))
		}
		if outline.Fault != nil {
			p.unfolded(outline.Fault)
		}
	}
	bar := p.progress()
	defer bar.clear()
	o.Progress = func(done int) { bar.show("measuring", done, set.Len(), "images") }
	return evaluate.Measure(ctx, fitted, image, set, o)
}

// measuredFacts returns what people read of a result for a model that tells so many classes apart.
func measuredFacts(r evaluate.Result, classes int, epsilon float64) [][2]string {
	facts := [][2]string{
		{"loss", fmt.Sprintf("%.4f", r.Loss)},
		{"top-1", string(percent(r.Top1))},
	}
	if tellsTop5(classes) {
		facts = append(facts, [2]string{"top-5", string(percent(r.Top5))})
	}
	if r.RobustTop1 != nil {
		facts = append(facts, [2]string{"robust top-1", fmt.Sprintf("%s (FGSM, epsilon %.3g)", percent(*r.RobustTop1), epsilon)})
	}
	return facts
}

// batchWithin returns how many images at a time take no more memory than a batch size that nobody chose should.
func batchWithin(m evaluate.Memory) int {
	bound := int64(plentyOfMemory)
	if m.Free > 0 {
		bound = min(bound, m.Free/2)
	}
	return min(roundDown(m.Fitting(bound)), defaultBatch)
}

// fitForMeasuring returns a model as evaluate.Measure takes it, and what memory that will take.
func fitForMeasuring(m *onnxgraph.Model, set *dataset.Dataset, o evaluate.Options) (fitted *onnxgraph.Model, image string, memory evaluate.Memory, err error) {
	fitted, image, err = fit(m, set, o.BatchSize)
	if err == nil {
		memory, err = evaluate.PlanMemory(fitted, image, o)
	}
	return fitted, image, memory, err
}

// fit returns a model for so many images of a data set at a time, and the name of the input that takes them.
func fit(m *onnxgraph.Model, set *dataset.Dataset, images int) (fitted *onnxgraph.Model, image string, err error) {
	return specialize.Fit(m, []int64{int64(images), int64(set.Shape.Channels), int64(set.Shape.Height), int64(set.Shape.Width)})
}

// freeMemory says how much memory is free, if that is known.
func freeMemory(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("; %s are free", size(bytes))
}

// tellsTop5 reports whether the share of images whose class is among five says anything.
func tellsTop5(classes int) bool { return classes > 5 }
