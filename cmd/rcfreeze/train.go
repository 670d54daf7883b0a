package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/spf13/cobra"
)

// trainCommand trains a model.
type trainCommand struct {
	*printer
	output  outputFlags
	data    dataFlags
	logits  logitsFlag
	recipe  recipeFlags
	head    headFlags
	runtime runtimeFlags
	variant string
	reinit  bool
	resume  bool
	saving  time.Duration
	keep    string
	folder  string
	epsilon fraction
	splits  trainingSplits

	scratch bool // so the model is trained: where all weights, or those of some layers, are random
}

// trainResult is what train prints as JSON.
type trainResult struct {
	Model  string `json:"model"`
	Output string `json:"output"`
	Folder string `json:"run_dir"`
	measuredOn
	Variant   string          `json:"variant"`
	Recipe    train.Recipe    `json:"recipe"`
	Normalize normalization   `json:"normalize"`
	Epsilon   float64         `json:"epsilon,omitempty"`
	Result    evaluate.Result `json:"result"` // of the model that was written
	Start     evaluate.Result `json:"start"`  // of the model before the first step
	// HistorySplit is what Start and History are measured on.
	HistorySplit dataset.Split `json:"history_split"`
	History      []train.Row   `json:"history"`
}

func newTrain(p *printer) *cobra.Command {
	c := trainCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "train MODEL -o OUT --data PATH",
		Short: "Fine-tune a model, or train it from scratch",
		Long: `Fine-tune a classifier, with or without frozen blocks, or train it from scratch with --reinit. The fixed filters of
blocks stay as they are, unless --variant learned trains them, too.

Defaults are for fine-tuning: small steps that keep what the model has learned. Where weights start at random, they are those
for training from scratch. A run that was stopped continues with --resume, to the same result.`,
		Example: `# Fine-tune a model with frozen blocks for 5 epochs
rcfreeze train blocks.onnx -o trained.onnx --data images --epochs 5
# Continue, if that was stopped
rcfreeze train blocks.onnx -o trained.onnx --data images --epochs 5 --resume
# Train a model from scratch, and keep the weights that did best
rcfreeze train resnet20.onnx -o scratch.onnx --data images --reinit --epochs 30 --keep best
# Fine-tune a model for other classes than it was trained on
rcfreeze train model.onnx -o flowers.onnx --data images --num-classes 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.output.add(cmd)
	c.data.add(cmd)
	c.logits.add(cmd.Flags())
	c.recipe.add(cmd.Flags())
	c.recipe.addSeed(cmd.Flags())
	c.head.add(cmd.Flags())
	c.runtime.add(cmd.Flags())
	flags := cmd.Flags()
	flags.StringVar(&c.variant, "variant", "", "what trains: frozen (all but the fixed filters of blocks), learned (these, too), baseline (a model without blocks), "+
		"frozen-baseline (without blocks; its spatial filters are drawn at random and stay fixed) (default frozen if the model has blocks, else baseline)")
	flags.BoolVar(&c.reinit, "reinit", false, "train from scratch: first set everything that trains to new random values")
	flags.BoolVar(&c.resume, "resume", false, "continue from the last checkpoint in --run-dir; without one, start")
	addSaveEvery(flags, &c.saving)
	flags.StringVar(&c.keep, "keep", string(train.KeepLast), "which weights to write: last (of the last epoch), best (with the highest accuracy on val, or on test without val; those from before training count, too)")
	flags.StringVar(&c.folder, "run-dir", "", "folder for checkpoints and metrics.csv (default: named like the output, with .run at its end)")
	addEpsilon(cmd, &c.epsilon)
	return cmd
}

// check says what is wrong with the flags that only train has.
func (c *trainCommand) check() error {
	faults := []error{checkSaveEvery(c.saving)}
	if keep := train.Keep(c.keep); keep != train.KeepLast && keep != train.KeepBest {
		faults = append(faults, fmt.Errorf("--keep %q: choose last or best", c.keep))
	}
	if c.output.path == standardStream && c.folder == "" {
		faults = append(faults, errors.New("-o - leaves the run's folder without a name: give one by --run-dir"))
	}
	if c.variant != "" {
		faults = append(faults, transform.Variant(c.variant).Validate())
	}
	return errors.Join(faults...)
}

func variantList() string {
	var names []string
	for _, v := range transform.Variants() {
		names = append(names, string(v))
	}
	return strings.Join(names, ", ")
}

func (c *trainCommand) run(ctx context.Context, path string) error {
	if err := errors.Join(c.output.check(c.printer), usage(c.data.check(), c.recipe.check(), c.head.check(), c.check())); err != nil {
		return err
	}
	if err := c.runFolder().Check(c.resume); err != nil {
		return err
	}
	m, err := c.load(path)
	if err != nil {
		return err
	}
	c.output.source = m.Clone()
	if err := c.logits.apply(m); err != nil {
		return err
	}
	if err := c.head.apply(c.printer, m, c.recipe.recipe.Seed); err != nil {
		return err
	}
	variant, err := chooseVariant(m, transform.Variant(c.variant))
	if err != nil {
		return err
	}
	c.untie(m)
	run, err := c.prepare(ctx, m, variant)
	if err != nil {
		return err
	}
	if err := c.announce(m.Path(), variant, run); err != nil {
		return err
	}
	if err := c.tellTrained(m, run.Recipe, c.verbose); err != nil {
		return err
	}
	c.adviseFew(run)
	trained, err := run.Do(ctx)
	if err != nil {
		return fmt.Errorf("training %s: %w", m.Path(), withTrainFrom(err, m, variant))
	}
	if n := len(trained.Unreached); n > 0 {
		c.say("%d parameters stayed as they are, since the loss does not depend on them: %s", n, onnxgraph.Listed(trained.Unreached))
	}
	if err := describe(trained.Model, run.Normalize, run.Train.Classes); err != nil {
		return err
	}
	if err := c.output.save(c.printer, trained.Model); err != nil {
		return fmt.Errorf("%w; the weights are in %s: --resume writes them again", err, run.Folder)
	}
	r := trainResult{
		Model: m.Path(), Output: c.output.name(), Folder: string(run.Folder), measuredOn: c.data.measuredOn(c.splits.test, c.splits.train), Variant: string(variant), Recipe: run.Recipe,
		Normalize: normalization(run.Normalize), Epsilon: float64(c.epsilon), Start: trained.Start, HistorySplit: run.Test.Split, History: trained.History,
	}
	r.Result, err = c.measure(ctx, trained.Model, c.splits.test, evaluate.Options{
		BatchSize: run.Recipe.BatchSize, Normalize: run.Normalize, Workers: run.Workers, Epsilon: r.Epsilon, Session: run.Session,
	}, false)
	if err != nil {
		return fmt.Errorf("measuring %s: %w", c.output.name(), err)
	}
	c.sayIfWorse(trained, run, r.Result)
	return c.result(r, func() {
		facts := append(r.facts(), measuredFacts(r.Result, r.ModelClasses, r.Epsilon)...)
		c.facts(append(facts, [2]string{"written", r.Output}, [2]string{"checkpoints", r.Folder})...)
	})
}

// chooseVariant returns the variant asked for, or that which fits the model, if it fits the model.
func chooseVariant(m *onnxgraph.Model, asked transform.Variant) (transform.Variant, error) {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return "", err
	}
	switch has := len(blocks) > 0; {
	case asked == "" && has:
		return transform.Frozen, nil
	case asked == "":
		return transform.Baseline, nil
	case asked.HasBlocks() && !has:
		return "", fmt.Errorf("--variant %s: %s has no frozen blocks: make them with `rcfreeze convert` first", asked, m.Path())
	case !asked.HasBlocks() && has:
		return "", fmt.Errorf("--variant %s: %s has frozen blocks: train the source model, or choose frozen or learned", asked, m.Path())
	}
	return asked, nil
}

// runFolder is where the run keeps its files.
func (c *trainCommand) runFolder() train.Folder {
	if c.folder != "" {
		return train.Folder(c.folder)
	}
	return train.Folder(strings.TrimSuffix(c.output.path, ".onnx") + ".run")
}

// prepare gathers all that a run needs.
func (c *trainCommand) prepare(ctx context.Context, m *onnxgraph.Model, variant transform.Variant) (*train.Run, error) {
	run := &train.Run{
		Model: m, Workers: c.asMany("--workers", c.data.workers), Resume: c.resume, Keep: train.Keep(c.keep), Folder: c.runFolder(), SaveEvery: c.saving,
		Warned: func(line string) { c.say("%s", line) },
	}
	if c.resume && !run.Folder.HasRun() {
		c.say("%s holds no checkpoint to go on from: the run starts anew", run.Folder)
	}
	var err error
	if run.Session, err = c.runtime.start(c.printer); err != nil {
		return nil, err
	}
	if err := checkAttack(m, c.epsilon); err != nil {
		return nil, err
	}
	if c.splits, err = c.data.forTraining(c.printer, m); err != nil {
		return nil, err
	}
	run.Train, run.Test = c.splits.train, c.splits.choose
	if run.Keep == train.KeepBest && run.Test.Split != dataset.Val {
		c.say("--keep best chooses by the %s images, which measure in the end, too: the result flatters; a val split would not", run.Test.Split)
	}
	if run.Normalize, err = c.data.normalization(ctx, c.printer, m, func() (*dataset.Dataset, error) { return run.Train, nil }); err != nil {
		return nil, err
	}
	drawn, err := transform.HasDrawn(m)
	if err != nil {
		return nil, err
	}
	c.scratch = c.reinit || drawn || variant == transform.FrozenBaseline
	if run.Recipe, run.Augment, err = c.recipe.settle(c.printer, run.Train.Format, run.Train.Len(), c.scratch, c.head.classes > 0); err != nil {
		return nil, err
	}
	if err := run.Recipe.Select(m, variant); err != nil {
		return nil, err
	}
	w := &watcher{progress: c.progress(), epochs: run.Recipe.Epochs, batchSize: run.Recipe.BatchSize, measures: run.Test.Split, classes: len(run.Train.Classes)}
	run.Outlined = func(o train.Outline) { c.outline(o, c.verbose) }
	run.Begun, run.Progress, run.Measuring, run.Measured, run.Recalibrating = w.begun, w.step, w.measuring, w.measured, w.recalibrating
	return run, variant.Start(m, run.Recipe.Seed, c.reinit)
}

// announce tells what a run trains, and by which settings.
func (c *trainCommand) announce(path string, variant transform.Variant, run *train.Run) error {
	all, trained, err := train.Count(run.Model, run.Recipe.Trained)
	if err != nil {
		return err
	}
	c.say("%s as %s, seed %d: %s of %s parameters train, in %s tensors", path, variant, run.Recipe.Seed, count(trained), count(all), count(len(run.Recipe.Trained)))
	c.settings(run.Recipe, c.scratch, run.Train, run.Session)
	return nil
}
