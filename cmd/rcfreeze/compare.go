package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/spf13/cobra"
)

// compareCommand trains variants of a model side by side.
type compareCommand struct {
	*printer
	folder     string
	variants   []string
	expansions []int
	seeds      []uint
	data       dataFlags
	logits     logitsFlag
	recipe     recipeFlags
	head       headFlags
	conversion conversionFlags
	runtime    runtimeFlags
	reinit     bool
	resume     bool
	saving     time.Duration
	epsilon    fraction
}

// compareResult is what compare prints as JSON.
type compareResult struct {
	Model  string `json:"model"`
	Folder string `json:"output"`
	measuredOn
	Recipe    train.Recipe      `json:"recipe"`
	Normalize normalization     `json:"normalize"`
	Epsilon   float64           `json:"epsilon,omitempty"`
	Summary   []compare.Summary `json:"summary"`
	Runs      []compare.Row     `json:"runs"`
}

func newCompare(p *printer) *cobra.Command {
	c := compareCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "compare MODEL --data PATH -o FOLDER",
		Short: "Train and measure variants of a model side by side",
		Long: `Train a model in several variants (with its own filters, with fixed and with learned blocks), with each expansion and
each seed, and measure them all on the same images. All runs have the same settings. Each run keeps its model, checkpoints and
metrics in the folder; the table there, comparison.csv, has a row for each.`,
		Example: `# Compare the model with its frozen and learned blocks
rcfreeze compare model.onnx -o comparison --data images --epochs 5
# Continue, if that was stopped
rcfreeze compare model.onnx -o comparison --data images --epochs 5 --resume
# Compare frozen blocks of two sizes, each trained twice
rcfreeze compare model.onnx -o sizes --data images --variants frozen -E 1,4 --seeds 0,1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&c.folder, "output", "o", "", "folder for the table, and for the model and the checkpoints of each run")
	cmd.MarkFlagRequired("output")
	flags.StringSliceVar(&c.variants, "variants", []string{"baseline", "frozen", "learned"}, "what to compare, of "+variantList())
	flags.IntSliceVarP(&c.expansions, "expansions", "E", []int{1}, "for variants with frozen blocks, the expansions to compare (see convert --expansion), such as 1,8,64")
	flags.UintSliceVar(&c.seeds, "seeds", []uint{0}, "train each of them once with each of these seeds, such as 0,1,2,3 (default 0)")
	c.data.add(cmd)
	c.logits.add(cmd.Flags())
	c.recipe.add(flags)
	c.head.add(flags)
	c.conversion.addKind(flags)
	c.runtime.add(flags)
	flags.BoolVar(&c.reinit, "reinit", false, "train from scratch: first set everything that trains to new random values")
	flags.BoolVar(&c.resume, "resume", false, "continue the comparison in the folder: keep its finished runs, also in the table, and continue one that was stopped")
	addSaveEvery(flags, &c.saving)
	addEpsilon(cmd, &c.epsilon)
	return cmd
}

func (c *compareCommand) run(ctx context.Context, path string) error {
	if err := usage(c.data.check(), c.recipe.check(), c.head.check(), c.conversion.options.Validate(), c.check()); err != nil {
		return err
	}
	if err := compare.Check(c.folder); err != nil {
		return err
	}
	m, err := c.load(path)
	if err != nil {
		return err
	}
	if _, err := chooseVariant(m, transform.Baseline); err != nil {
		return err
	}
	if err := c.logits.apply(m); err != nil {
		return err
	}
	if err := c.head.apply(c.printer, m, 0); err != nil {
		return err
	}
	c.untie(m)
	plan, err := c.plan(ctx, m)
	if err != nil {
		return err
	}
	if err := c.tellLeftOut(m, plan.Recipe); err != nil {
		return err
	}
	rows, err := plan.Do(ctx)
	if err != nil {
		if len(rows) > 0 {
			err = fmt.Errorf("%w; %d finished runs are in %s: --resume keeps them", err, len(rows), c.folder)
		}
		return withTrainFrom(err, m, transform.Baseline)
	}
	r := compareResult{
		Model: m.Path(), Folder: c.folder, measuredOn: c.data.measuredOn(plan.Test, plan.Train), Recipe: plan.Recipe, Normalize: normalization(plan.Normalize),
		Epsilon: plan.Epsilon, Summary: compare.Summarize(rows), Runs: rows,
	}
	return c.result(r, func() { c.print(r) })
}

// check says what is wrong with the flags that only compare has.
func (c *compareCommand) check() error {
	faults := []error{checkSaveEvery(c.saving)}
	for _, v := range c.variants {
		faults = append(faults, transform.Variant(v).Validate())
	}
	return errors.Join(faults...)
}

// plan gathers all that a comparison needs.
func (c *compareCommand) plan(ctx context.Context, m *onnxgraph.Model) (*compare.Plan, error) {
	plan := &compare.Plan{
		Model: m, Expansions: c.expansions, Convert: c.conversion.options, Reinit: c.reinit, Workers: c.asMany("--workers", c.data.workers),
		Epsilon: float64(c.epsilon), Folder: c.folder, Resume: c.resume, Classes: c.head.classes,
		SaveEvery: c.saving, Warned: func(line string) { c.say("%s", line) },
	}
	for _, v := range c.variants {
		plan.Variants = append(plan.Variants, transform.Variant(v))
	}
	for _, s := range c.seeds {
		plan.Seeds = append(plan.Seeds, uint64(s))
	}
	plan.Convert.Memory = ort.FreeMemory()
	var err error
	if plan.Session, err = c.runtime.start(c.printer); err != nil {
		return nil, err
	}
	if err := checkAttack(m, c.epsilon); err != nil {
		return nil, err
	}
	splits, err := c.data.forTraining(c.printer, m)
	if err != nil {
		return nil, err
	}
	plan.Train, plan.Choose, plan.Test = splits.train, splits.choose, splits.test
	if plan.Normalize, err = c.data.normalization(ctx, c.printer, m, func() (*dataset.Dataset, error) { return plan.Train, nil }); err != nil {
		return nil, err
	}
	scratch := c.fromScratch(plan)
	if plan.Recipe, plan.Augment, err = c.recipe.settle(c.printer, plan.Train.Format, plan.Train.Len(), scratch, c.head.classes > 0); err != nil {
		return nil, err
	}
	c.settings(plan.Recipe, scratch, plan.Train, plan.Session)
	w := &watcher{progress: c.progress(), batchSize: plan.Recipe.BatchSize, epochs: plan.Recipe.Epochs, measures: plan.Choose.Split, classes: len(plan.Train.Classes)}
	plan.Describe = func(trained *onnxgraph.Model) error { return describe(trained, plan.Normalize, plan.Train.Classes) }
	plan.Kept = func(runs int) { c.say("kept: %d finished runs of %s", runs, c.folder) }
	plan.Started = func(name string, number, total int) {
		w.clear()
		c.say("run %d/%d: %s", number, total, name)
	}
	plan.Outlined = func(o train.Outline) { c.outline(o, c.verbose) }
	plan.Begun, plan.Progress, plan.Measuring, plan.Measured, plan.Recalibrating = w.begun, w.step, w.measuring, w.measured, w.recalibrating
	return plan, nil
}

// fromScratch reports whether all runs have the settings for training from scratch: if some start with random weights. Blocks
// count even if none are asked for this time: a comparison may get more variants later.
func (c *compareCommand) fromScratch(plan *compare.Plan) bool {
	return c.reinit || plan.Convert.Pointwise == transform.Random || slices.Contains(plan.Variants, transform.FrozenBaseline)
}

func (c *compareCommand) print(r compareResult) {
	header := tableRow{"variant", "trained", "parameters", "deployed", "seeds", "top-1"}
	hasTop5 := tellsTop5(r.ModelClasses)
	if hasTop5 {
		header = append(header, "top-5")
	}
	header = append(header, "loss")
	if r.Epsilon > 0 {
		header = append(header, "robust top-1")
	}
	var rows []tableRow
	for _, s := range r.Summary {
		variant := string(s.Variant)
		if s.Variant.HasBlocks() {
			variant += fmt.Sprintf(" -E %d", s.Expansion)
		}
		row := tableRow{variant, count(s.Trained), count(s.Parameters), count(s.Deployed), count(s.Seeds),
			spread(s.Top1, s.Top1Std, s.Seeds)}
		if hasTop5 {
			row = append(row, percent(s.Top5))
		}
		row = append(row, number(fmt.Sprintf("%.4f", s.Loss)))
		if s.Robust != nil && s.RobustStd != nil {
			row = append(row, spread(*s.Robust, *s.RobustStd, s.Seeds))
		}
		rows = append(rows, append(row, number(fmt.Sprintf("%.1f", s.Seconds))))
	}
	c.table(append(header, "seconds per run"), rows)
	c.facts(append(r.facts(), [2]string{"written", filepath.Join(r.Folder, "comparison.csv")})...)
}

// spread writes a mean share with its standard deviation over seeds, if there are several.
func spread(mean, std float64, seeds int) number {
	if seeds < 2 {
		return percent(mean)
	}
	return number(fmt.Sprintf("%.2f ± %.2f %%", 100*mean, 100*std))
}
