package rcfreeze

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/machine"
	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/runtime/compare/report"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// CompareOptions say which variants of a model Compare trains, on what, and how.
type CompareOptions struct {
	// Folder gets the table of all runs, comparison.csv, the report, and a folder for each run with its checkpoints and its model; required. If
	// it holds runs of the same settings, Compare keeps those that are finished, and continues those that were stopped. If it holds
	// runs of other settings, Compare fails.
	Folder   string
	Variants []parameter.Variant // what to train; nil means baseline, frozen and learned
	Seeds    []uint64            // seeds of the runs; nil means 0

	// Axes says which kinds of frozen blocks to compare: every combination of its values. An axis without values has the one value
	// that Blocks has.
	compare.Axes

	Blocks     transform.Options // other options of the blocks; its Seed is not used, since each run uses its own
	Data       Data              // required
	Logits     string            // the output with the logits; "" is the only one, or the only one that fits the classes of the data
	Settings   Settings
	NumClasses int           // if above 0, a new random last layer for this many classes; 0 keeps the model's
	Reinit     bool          // like TrainOptions.Reinit
	SaveEvery  time.Duration // like TrainOptions.SaveEvery
	Epsilon    float64       // size of the FGSM attack for robust accuracy, of pixels from 0 to 1; 0 measures none
	Runtime    Runtime
	Reporter

	// Program is the name and version of the program, and Command its command line. The report tells them; it leaves out what is empty.
	Program string
	Command []string
}

// Comparison is the result of Compare.
type Comparison struct {
	Model      string                `json:"model"` // its file
	Folder     string                `json:"output"`
	Report     string                `json:"report"` // the page with the results, for a browser
	MeasuredOn                       // the images on which the finished runs were measured
	Recipe     train.Recipe          `json:"recipe"` // of all runs, except for Seed and Trained: each run has its own
	Normalize  dataset.Normalization `json:"normalize"`
	Epsilon    float64               `json:"epsilon,omitempty"`
	Summary    []compare.Summary     `json:"summary"` // means over the seeds
	Runs       []compare.Row         `json:"runs"`    // all in the folder, also finished ones that are not part of these options
}

// Compare trains a classifier in each combination of variants, kinds of blocks and seeds, and measures the results. A run starts
// from the same weights as Train after Convert, if both use the seed of the run and the same options. The model must not have
// frozen blocks yet. When ctx is done, Compare stops as Train does, and the next call with the same options continues.
//
// If runs fail, Compare goes on with the others, and returns the Comparison together with an error that is a *compare.FailedError
// (errors.As). It returns no Comparison if not a single run gets as far as its first step.
func Compare(ctx context.Context, m *Model, o CompareOptions) (*Comparison, error) {
	o.SaveEvery = max(0, cmp.Or(o.SaveEvery, train.DefaultSaveEvery))
	if o.Variants == nil {
		o.Variants = []parameter.Variant{parameter.Baseline, parameter.Frozen, parameter.Learned}
	}
	if o.Seeds == nil {
		o.Seeds = []uint64{0}
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := compare.Check(o.Folder); err != nil {
		return nil, err
	}
	m = m.Clone()
	if _, err := chooseVariant(m, parameter.Baseline); err != nil {
		return nil, err
	}
	if err := chooseLogits(m, o.Logits); err != nil {
		return nil, err
	}
	if _, err := o.replaceHead(m, o.NumClasses, 0); err != nil {
		return nil, err
	}
	o.untie(m)
	plan, err := o.plan(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := o.tellStaying(m, plan.Recipe); err != nil {
		return nil, err
	}
	rows, err := plan.Do(ctx)
	err = withTrainFrom(err, m, parameter.Baseline)
	var failed *compare.FailedError
	if err != nil && !errors.As(err, &failed) {
		if len(rows) > 0 {
			err = fmt.Errorf("%w; %d finished runs are in %s: the same command continues", err, len(rows), o.Folder)
		}
		return nil, err
	}
	return &Comparison{
		Model: m.Path(), Folder: o.Folder, Report: filepath.Join(o.Folder, report.File), MeasuredOn: o.Data.measuredOn(plan.Test, plan.Train), Recipe: plan.Recipe, Normalize: plan.Normalize,
		Epsilon: plan.Epsilon, Summary: compare.Summarize(rows), Runs: rows,
	}, err
}

// Validate returns an error that lists what is wrong with the options, independent of the model.
func (o CompareOptions) Validate() error {
	faults := []error{o.Data.required(), o.Settings.check(), checkHead(o.NumClasses), o.Axes.Validate(o.Blocks), notNegative("--epsilon", o.Epsilon), o.Runtime.check()}
	if o.Folder == "" {
		faults = append(faults, errors.New("-o: needs a folder"))
	}
	for _, v := range o.Variants {
		faults = append(faults, v.Validate())
	}
	return options(faults...)
}

// plan collects everything that a comparison needs.
func (o CompareOptions) plan(ctx context.Context, m *Model) (*compare.Plan, error) {
	data := o.Data.reader(o.Reporter, m)
	plan := &compare.Plan{
		Model: m, Variants: o.Variants, Axes: o.Axes, Seeds: o.Seeds, Convert: o.Blocks, Reinit: o.Reinit, Workers: data.workers(),
		Epsilon: o.Epsilon, Folder: o.Folder, Classes: o.NumClasses,
		SaveEvery: o.SaveEvery, Warned: func(line string) { o.say("%s", line) },
	}
	plan.Convert.Memory = ort.FreeMemory()
	var err error
	if plan.Session, err = o.Runtime.start(o.Reporter); err != nil {
		return nil, err
	}
	if err := checkAttack(m, o.Epsilon); err != nil {
		return nil, err
	}
	splits, err := data.forTraining()
	if err != nil {
		return nil, err
	}
	plan.Train, plan.Choose, plan.Test = splits.train, splits.choose, splits.test
	if plan.Normalize, err = data.normalization(ctx, func() (*dataset.Dataset, error) { return plan.Train, nil }); err != nil {
		return nil, err
	}
	scratch := o.fromScratch()
	if plan.Recipe, plan.Augment, err = o.Settings.settle(o.Reporter, plan.Train.Format, plan.Train.Len(), scratch, o.NumClasses > 0); err != nil {
		return nil, err
	}
	o.settings(plan.Recipe, scratch, plan.Train, plan.Session)
	w := &watcher{Reporter: o.Reporter, batchSize: plan.Recipe.BatchSize, epochs: plan.Recipe.Epochs, measures: plan.Choose.Split, classes: len(plan.Train.Classes)}
	plan.Describe = func(trained *Model) error { return Describe(trained, plan.Normalize, plan.Train.Classes) }
	plan.Kept = func(runs int) { o.say("keeping %d finished runs in %s", runs, o.Folder) }
	plan.Started = func(name string, number, total int) { o.say("run %d/%d: %s", number, total, name) }
	plan.Failed = func(name string, err error) { o.say("run %s failed, and the others go on: %v", name, err) }
	plan.Outlined = o.outline
	plan.Tabled = func(t compare.Table) error { return o.report(plan, t) }
	plan.Begun, plan.Progress, plan.Measuring, plan.Measured, plan.Recalibrating = w.begun, w.step, w.measuring, w.measured, w.recalibrating
	return plan, nil
}

// report writes the page with the results so far.
func (o CompareOptions) report(plan *compare.Plan, t compare.Table) error {
	library, err := ort.Init(o.Runtime.Library)
	if err != nil {
		return err
	}
	on := o.Data.measuredOn(plan.Test, plan.Train)
	return report.Write(o.Folder, report.Report{
		Program: o.Program, Command: o.Command, Model: plan.Model.Path(),
		Machine: fmt.Sprintf("%s, %d cores, %s/%s", machine.Processor(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH),
		Runtime: fmt.Sprintf("%s, provider %s, %d threads", library.Version, plan.Session.Provider, plan.Session.Threads()),
		Data:    on.Data, Measured: on.Which(), Recipe: plan.Recipe, Normalize: plan.Normalize,
		Epsilon: plan.Epsilon, TellsTop5: TellsTop5(on.ModelClasses), Table: t,
	})
}

// fromScratch reports whether all runs use the settings for training from scratch, because some start with random weights. Blocks
// count even if no variant has blocks yet, because variants may be added to a comparison later.
func (o CompareOptions) fromScratch() bool {
	return o.Reinit || o.Blocks.Pointwise == transform.Random || slices.Contains(o.Pointwises, transform.Random) || slices.Contains(o.Variants, parameter.FrozenBaseline)
}
