package rcfreeze

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TrainOptions say what Train trains, on what, and how.
type TrainOptions struct {
	Data       Data              // required
	Logits     string            // the output with the logits; "" is the only one, or the only one that fits the classes of the data
	Variant    parameter.Variant // what trains; "" means parameter.Frozen for a model with blocks, otherwise parameter.Baseline
	Settings   Settings
	Seed       uint64 // seed for the order of images, augmentation, dropout, a new last layer, and new random values
	NumClasses int    // if above 0, a new random last layer for this many classes; 0 keeps the model's
	// Reinit trains from scratch: all weights, biases, scales, shifts and running statistics of the model start with new values, as
	// parameter.Reinit draws them, also those that Recipe.Freeze or Recipe.TrainFrom keep from training. The banks of frozen blocks
	// get new values only with parameter.Learned.
	Reinit bool
	Resume bool // continue from the last checkpoint in RunDir; if there is none, start a new run
	// SaveEvery is the time between checkpoints: 0 means train.DefaultSaveEvery, and a negative time only one after each epoch. In
	// train.Run, the latter is 0.
	SaveEvery time.Duration
	// Keep says which weights to return: "" means train.KeepLast. train.KeepBest chooses by the accuracy in Trained.History, on the
	// split Trained.HistorySplit.
	Keep train.Keep
	// RunDir is the folder for checkpoints and metrics.csv. "" means the output's path with .run instead of .onnx; with
	// Output.Writer, RunDir is required. If there is no output either, Train uses a temporary folder and removes it when it returns,
	// also after an error, so the run cannot be resumed.
	RunDir  string
	Epsilon float64         // size of the FGSM attack for robust accuracy, of pixels from 0 to 1; 0 measures none
	Epoch   func(train.Row) // called after every epoch, if not nil
	Output  Output
	Runtime Runtime
	Reporter
}

// Trained is the result of Train.
type Trained struct {
	Source     string                `json:"model"`   // its file
	Output     string                `json:"output"`  // as Output.Name returns it
	RunDir     string                `json:"run_dir"` // the folder that was used
	MeasuredOn                       // the images that Result was measured on
	Variant    parameter.Variant     `json:"variant"`
	Recipe     train.Recipe          `json:"recipe"`    // as it was used, with Seed and Trained
	Normalize  dataset.Normalization `json:"normalize"` // of images; recorded in Model
	Epsilon    float64               `json:"epsilon,omitempty"`
	Result     evaluate.Result       `json:"result"` // of the trained model, on MeasuredOn.Split: test images if there are any
	Start      evaluate.Result       `json:"start"`  // of the model before the first step, on HistorySplit
	// HistorySplit is the split that Start and History were measured on: validation images if there are any, otherwise the same
	// images as for Result.
	HistorySplit dataset.Split `json:"history_split"`
	History      []train.Row   `json:"history"` // one row per epoch, on HistorySplit
	Model        *Model        `json:"-"`       // the new one
}

// Train fine-tunes a classifier, or trains it from scratch. When ctx is done, Train finishes the step and saves a checkpoint,
// from which Resume continues.
//
// If the loss or a parameter becomes NaN or infinite, the error is an ErrDiverged (errors.Is). If the model has nodes without a
// gradient between what trains and the loss, it is a *NoGradientError (errors.As).
func Train(ctx context.Context, m *Model, o TrainOptions) (*Trained, error) {
	o.SaveEvery = max(0, cmp.Or(o.SaveEvery, train.DefaultSaveEvery))
	o.Keep = cmp.Or(o.Keep, train.KeepLast)
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.RunDir == "" && o.Output.Path != "" {
		o.RunDir = strings.TrimSuffix(o.Output.Path, ".onnx") + ".run"
	}
	if o.RunDir == "" {
		folder, err := os.MkdirTemp("", "rcfreeze-run-")
		if err != nil {
			return nil, fmt.Errorf("making a folder for checkpoints: %w", err)
		}
		defer os.RemoveAll(folder)
		o.RunDir = folder
	}
	t := &training{TrainOptions: o, source: m, m: m.Clone()}
	return t.do(ctx)
}

// Validate returns an error that lists what is wrong with the options, independent of the model, and says if the output cannot be
// written.
func (o TrainOptions) Validate() error {
	faults := []error{o.Data.required(), o.Settings.check(), checkHead(o.NumClasses), notNegative("--epsilon", o.Epsilon), o.Runtime.check()}
	if o.Keep != "" && o.Keep != train.KeepLast && o.Keep != train.KeepBest {
		faults = append(faults, fmt.Errorf("--keep %q: choose last or best", o.Keep))
	}
	if o.Output.Writer != nil && o.RunDir == "" {
		faults = append(faults, errors.New("-o -: the run has no folder for its checkpoints: give one with --run-dir"))
	}
	if o.Resume && o.RunDir == "" && o.Output.Path == "" && o.Output.Writer == nil {
		faults = append(faults, errors.New("--resume: there is no folder to continue from: give --run-dir, or the output of the run"))
	}
	if o.Variant != "" {
		faults = append(faults, o.Variant.Validate())
	}
	return errors.Join(o.Output.Check(), options(faults...))
}

// training holds the state of a call of Train.
type training struct {
	TrainOptions
	source  *Model
	m       *Model // the model that trains
	data    *reader
	splits  trainingSplits
	scratch bool   // train with the settings for random weights, because all weights, or those of some layers, are random
	before  string // the node before a new last layer, as a name for --train-from
}

func (t *training) do(ctx context.Context) (*Trained, error) {
	m := t.m
	if err := train.Folder(t.RunDir).Check(t.Resume); err != nil {
		return nil, err
	}
	var err error
	if err := chooseLogits(m, t.Logits); err != nil {
		return nil, err
	}
	if t.before, err = t.replaceHead(m, t.NumClasses, t.Seed); err != nil {
		return nil, err
	}
	if t.Variant, err = chooseVariant(m, t.Variant); err != nil {
		return nil, err
	}
	t.untie(m)
	run, err := t.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.announce(run); err != nil {
		return nil, err
	}
	if err := t.tellTrained(m, run.Recipe); err != nil {
		return nil, err
	}
	t.adviseFew(run)
	done, err := run.Do(ctx)
	if err != nil {
		return nil, fmt.Errorf("training %s: %w", m.Path(), withTrainFrom(err, m, t.Variant))
	}
	if n := len(done.Unreached); n > 0 {
		t.say("%d parameters stayed as they were, since the loss does not depend on them: %s", n, onnxgraph.Listed(done.Unreached))
	}
	if err := Describe(done.Model, run.Normalize, run.Train.Classes); err != nil {
		return nil, err
	}
	if err := t.Output.save(t.Reporter, done.Model, t.source); err != nil {
		return nil, fmt.Errorf("%w; the trained weights are in %s: --resume writes the model from them", err, run.Folder)
	}
	r := &Trained{
		Source: m.Path(), Output: t.Output.Name(), RunDir: t.RunDir, MeasuredOn: t.Data.measuredOn(t.splits.test, t.splits.train), Variant: t.Variant, Recipe: run.Recipe,
		Normalize: run.Normalize, Epsilon: t.Epsilon, Start: done.Start, HistorySplit: run.Test.Split, History: done.History, Model: done.Model,
	}
	r.Result, err = Reporter{Say: t.Say, Progress: t.Progress}.measure(ctx, done.Model, t.splits.test, evaluate.Options{
		BatchSize: run.Recipe.BatchSize, Normalize: run.Normalize, Workers: run.Workers, Epsilon: t.Epsilon, Session: run.Session,
	})
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", cmp.Or(r.Output, "the trained model"), err)
	}
	t.sayIfWorse(done, run, r.Result)
	return r, nil
}

// chooseVariant returns asked, or the default variant for the model if asked is empty. It fails if asked does not fit the model.
func chooseVariant(m *Model, asked parameter.Variant) (parameter.Variant, error) {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return "", err
	}
	switch has := len(blocks) > 0; {
	case asked == "" && has:
		return parameter.Frozen, nil
	case asked == "":
		return parameter.Baseline, nil
	case asked.HasBlocks() && !has:
		return "", fmt.Errorf("--variant %s: %s has no frozen blocks: make them with `rcfreeze convert` first", asked, m.Path())
	case !asked.HasBlocks() && has:
		return "", fmt.Errorf("--variant %s: %s has frozen blocks: train the source model, or choose frozen or learned", asked, m.Path())
	}
	return asked, nil
}

// prepare collects everything that a run needs.
func (t *training) prepare(ctx context.Context) (*train.Run, error) {
	t.data = t.Data.reader(t.Reporter, t.m)
	run := &train.Run{
		Model: t.m, Workers: t.data.workers(), Resume: t.Resume, Keep: t.Keep, Folder: train.Folder(t.RunDir), SaveEvery: t.SaveEvery,
		Warned: func(line string) { t.say("%s", line) },
	}
	if t.Resume && !run.Folder.HasRun() {
		t.say("%s holds no checkpoint to continue from, so the run starts from the beginning", run.Folder)
	}
	var err error
	if run.Session, err = t.Runtime.start(t.Reporter); err != nil {
		return nil, err
	}
	if err := checkAttack(t.m, t.Epsilon); err != nil {
		return nil, err
	}
	if t.splits, err = t.data.forTraining(); err != nil {
		return nil, err
	}
	run.Train, run.Test = t.splits.train, t.splits.choose
	if run.Keep == train.KeepBest && run.Test.Split != dataset.Val {
		t.say("--keep best chooses by the %s images, on which the final result is measured too, so that result looks better than it is; a val split avoids this", run.Test.Split)
	}
	if run.Normalize, err = t.data.normalization(ctx, func() (*dataset.Dataset, error) { return run.Train, nil }); err != nil {
		return nil, err
	}
	drawn, err := transform.HasDrawn(t.m)
	if err != nil {
		return nil, err
	}
	t.scratch = t.Reinit || drawn || t.Variant == parameter.FrozenBaseline
	if run.Recipe, run.Augment, err = t.Settings.settle(t.Reporter, run.Train.Format, run.Train.Len(), t.scratch, t.NumClasses > 0); err != nil {
		return nil, err
	}
	run.Recipe.Seed = t.Seed
	if err := run.Recipe.Select(t.m, t.Variant); err != nil {
		return nil, err
	}
	w := &watcher{Reporter: t.Reporter, epochs: run.Recipe.Epochs, batchSize: run.Recipe.BatchSize, measures: run.Test.Split, classes: len(run.Train.Classes), epoch: t.Epoch}
	run.Outlined = t.outline
	run.Begun, run.Progress, run.Measuring, run.Measured, run.Recalibrating = w.begun, w.step, w.measuring, w.measured, w.recalibrating
	return run, t.Variant.Start(t.m, run.Recipe.Seed, t.Reinit)
}

// announce reports what a run trains, and with which settings.
func (t *training) announce(run *train.Run) error {
	all, trained, err := train.Count(run.Model, run.Recipe.Trained)
	if err != nil {
		return err
	}
	t.say("%s, variant %s, seed %d: %s of %s parameters train, in %s tensors", t.m.Path(), t.Variant, run.Recipe.Seed, figures.Count(trained), figures.Count(all), figures.Count(len(run.Recipe.Trained)))
	t.settings(run.Recipe, t.scratch, run.Train, run.Session)
	return nil
}

// fewUpdates is the number of updates below which training a whole model for new classes does not work well. After this many, the
// running statistics of BatchNorm, which keep nine tenths at each update, have long adapted to the data.
const fewUpdates = 100

// smallBatch is the smallest batch size to advise, because the statistics of fewer images are unreliable.
const smallBatch = 8

// adviseFew gives advice if a model gets a new last layer and only few updates.
func (t *training) adviseFew(run *train.Run) {
	r, images := run.Recipe, run.Train.Len()
	updates := updates(images, r, r.BatchSize)
	if t.NumClasses == 0 || updates >= fewUpdates {
		return
	}
	perEpoch := updates / r.Epochs
	advice := []string{fmt.Sprintf("--epochs %d makes about %d", (fewUpdates+perEpoch-1)/perEpoch, fewUpdates)}
	if small := batchForMany(images, r); small < r.BatchSize {
		advice = append(advice, fmt.Sprintf("--batch-size %d makes more of them per epoch", small))
	}
	if r.TrainFrom == "" && t.before != "" {
		advice = append(advice, fmt.Sprintf("--train-from %q trains the new last layer alone", t.before))
	}
	if r.BatchNorm == train.BatchNormTrain && hasBatchNorm(run.Model) {
		advice = append(advice, "--batchnorm recalibrate measures the running statistics at the end, since so few updates do not move them far enough")
	}
	t.say("%d updates are few for a new last layer; what helps:", updates)
	for _, line := range advice {
		t.say("  %s", line)
	}
}

// updates returns how many updates a recipe makes with the given number of images and batch size.
func updates(images int, r train.Recipe, size int) int {
	steps := images / size
	return r.Epochs * ((steps + r.GradAccumSteps - 1) / r.GradAccumSteps)
}

// batchForMany returns the largest batch size, up to the recipe's, that gives at least fewUpdates updates, but at least
// smallBatch.
func batchForMany(images int, r train.Recipe) int {
	size := r.BatchSize
	for size > smallBatch && updates(images, r, size) < fewUpdates {
		size--
	}
	return size
}

func hasBatchNorm(m *Model) bool {
	return slices.ContainsFunc(m.Graph.Nodes(), func(n *onnxgraph.Node) bool { return n.Is("BatchNormalization") })
}

// sayIfWorse reports if the written model is worse than before training, or unchanged, and what to try. measured is its result on
// the test images, which may not be the images that were measured at the start.
func (t *training) sayIfWorse(trained *train.Result, run *train.Run, measured evaluate.Result) {
	before := trained.Start.Top1
	best, after := before, before
	for _, row := range trained.History {
		best, after = max(best, row.TestTop1), row.TestTop1
	}
	if run.Keep == train.KeepBest {
		after = best
	}
	if run.Test == t.splits.test {
		after = measured.Top1 // the written model may have been recalibrated
	}
	advice := fmt.Sprintf("try a smaller learning rate, such as --lr %g", run.Recipe.LearningRate/10)
	switch {
	case after < before:
		if run.Keep == train.KeepLast {
			advice += ", or --keep best, which keeps the weights from before training if no epoch is better"
		}
		t.say("worse than before: top-1 was %s before training and is %s now; %s", figures.Percent(before), figures.Percent(after), advice)
	case run.Keep == train.KeepBest && best == before:
		t.say("no epoch was better than the model before training, whose weights were written; %s", advice)
	}
}
