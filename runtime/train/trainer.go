package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/inference"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// trainer is the state of a running Run.
type trainer struct {
	*Run
	step      *trainstep.Step
	unreached []string // parameters that should train, but that the loss does not depend on
	outline   Outline
	stepper   *ort.Stepper
	fitted    *onnxgraph.Model // the model for images of the step's shape, with its first weights
	loader    *dataset.Loader
	at        checkpoint
	resumed   bool // continued from a checkpoint
	whole     bool // the last checkpoint is intact, so it may become the previous one
	saved     time.Time
	started   time.Time // when this process started the current epoch
}

// newTrainer prepares a run. If resumed is set, it continues from the last checkpoint.
func newTrainer(r *Run, resumed bool) (t *trainer, err error) {
	source, err := NewSource(r.Model, r.Train, r.Test, r.Normalize, r.Session)
	if err != nil {
		return nil, err
	}
	t = &trainer{Run: r, at: checkpoint{Recipe: r.Recipe, Source: source}, saved: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(t.explain(err), t.close())
		}
	}()
	if t.resumed = resumed; resumed {
		if err := t.goOn(source); err != nil {
			return t, err
		}
	}
	if t.loader, err = dataset.NewLoader(r.Train, dataset.LoaderOptions{
		BatchSize: r.Recipe.BatchSize, Shuffle: true, DropLast: true, Workers: r.Workers, Seed: r.Recipe.Seed,
		Augment: r.Augment, Normalize: r.Normalize,
	}); err != nil {
		return t, err
	}
	return t, t.open()
}

// goOn continues the run from its newest checkpoint.
func (t *trainer) goOn(source Source) error {
	c, path, faults := t.Folder.newest()
	if c == nil {
		return fmt.Errorf("resuming: no checkpoint is usable: start a new run in another folder: %w", faults)
	}
	if err := c.check(t.Recipe, source); err != nil {
		return err
	}
	if faults != nil {
		t.warn(fmt.Sprintf("%s; the run continues from %s: %v", strings.ReplaceAll(faults.Error(), "\n", "; "), path, c.Position))
	}
	c.Recipe = t.Recipe
	t.at, t.whole = *c, path == t.Folder.last()
	if err := t.keepBest(); err != nil {
		return err
	}
	return writeMetrics(t.Folder.metrics(), t.at.Start, t.at.History) // the file may have epochs that will be repeated
}

// open opens the session of the step.
func (t *trainer) open() error {
	var image string
	var err error
	if t.fitted, image, err = specialize.Fit(t.Model, t.Train.Shape.Batch(t.Recipe.BatchSize)); err != nil {
		return err
	}
	if err := t.build(image); err != nil {
		return err
	}
	if err := t.openStep(); err != nil {
		return err
	}
	if err := t.stepper.SetStates(t.at.states); err != nil { // nil unless the run is resumed
		return fmt.Errorf("resuming in %s: the checkpoint is of another model: %w", t.Folder, err)
	}
	t.release()
	return nil
}

// release frees memory that is no longer needed after opening or saving; the stepper has its own copies.
func (t *trainer) release() {
	t.step.Model, t.step.Convolutions, t.at.states = nil, nil, nil
	for i := range t.step.State {
		t.step.State[i].Initial = nil
	}
	debug.FreeOSMemory() // otherwise Go would wait until the heap has doubled
}

func (t *trainer) close() error {
	if t.stepper == nil {
		return nil
	}
	return t.stepper.Close()
}

func (t *trainer) run(ctx context.Context) (result *Result, err error) {
	defer func() { err = t.explain(err) }()
	if !t.resumed {
		if err := t.begin(ctx); err != nil {
			return nil, err
		}
	}
	for t.at.Position.Epoch < t.Recipe.Epochs {
		if err := t.epoch(ctx); err != nil {
			return nil, err
		}
	}
	states, err := t.kept()
	if err != nil {
		return nil, err
	}
	trained := t.Model.Clone()
	if err := store(trained, t.step, states); err != nil {
		return nil, fmt.Errorf("storing what was trained: %w", err)
	}
	if _, err := inference.Switch(trained); err != nil {
		return nil, err
	}
	if err := t.recalibrate(ctx, trained); err != nil {
		return nil, err
	}
	return &Result{Model: trained, Start: t.at.Start, History: t.at.History, Unreached: t.unreached}, nil
}

// kept returns the state vectors of the weights that the run returns.
func (t *trainer) kept() (map[string]*onnxgraph.Tensor, error) {
	if t.Keep == KeepBest {
		if err := t.keepBest(); err != nil {
			return nil, err
		}
		c, err := loadCheckpoint(t.Folder.best())
		if err != nil {
			return nil, err
		}
		if err := c.check(t.Recipe, t.at.Source); err != nil {
			return nil, fmt.Errorf("taking the best weights from %s: %w", t.Folder.best(), err)
		}
		return c.states, nil
	}
	return t.states()
}

// keepBest makes sure that the file with the weights of the best epoch exists. If it is damaged, keepBest copies another
// checkpoint of the same epoch.
func (t *trainer) keepBest() error {
	_, fault := describeCheckpoint(t.Folder.best())
	if fault == nil {
		return nil
	}
	top1, epoch := t.at.best()
	for _, path := range t.Folder.checkpoints() {
		if c, err := loadCheckpoint(path); err == nil && c.Position == (position{Epoch: epoch}) {
			t.warn(fmt.Sprintf("%v; %s has the same weights, so it is restored from there", fault, path))
			return c.save(t.Folder.best())
		}
	}
	if t.Keep == KeepBest {
		return fmt.Errorf("%w; it had the best weights, those after epoch %d with top-1 %.2f %%: --keep last writes the weights after the last epoch instead", fault, epoch, 100*top1)
	}
	t.warn(fmt.Sprintf("%v; the best weights so far, those after epoch %d with top-1 %.2f %%, are lost", fault, epoch, 100*top1))
	return nil
}

// begin measures the model before training, and saves the first checkpoint, which is the best so far.
func (t *trainer) begin(ctx context.Context) error {
	var err error
	if t.at.Start, err = t.measure(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("training was stopped before its first step; --resume starts it: %w", context.Cause(ctx))
		}
		return err
	}
	if err := t.Folder.clear(); err != nil {
		return err
	}
	if err := writeMetrics(t.Folder.metrics(), t.at.Start, nil); err != nil {
		return err
	}
	if err := t.save(true); err != nil {
		return err
	}
	if t.Begun != nil {
		t.Begun(t.at.Start)
	}
	return nil
}

// epoch runs the rest of the current epoch, measures the model, and saves a checkpoint.
func (t *trainer) epoch(ctx context.Context) error {
	t.started = time.Now()
	for batch, err := range t.loader.Batches(ctx, t.at.Position.Epoch, t.at.Position.Step) {
		if err != nil {
			return t.interrupted(ctx, err)
		}
		if err := t.doStep(batch); err != nil {
			return err
		}
		if t.SaveEvery > 0 && time.Since(t.saved) >= t.SaveEvery {
			if err := t.save(false); err != nil {
				return err
			}
		}
	}
	result, err := t.measure(ctx)
	if err != nil {
		return t.interrupted(ctx, err)
	}
	p := t.at.Position
	row := Row{
		Epoch: p.Epoch + 1, LearningRate: t.rate(p.Epoch, t.loader.Steps()-1),
		TrainLoss: p.LossSum / float64(t.loader.Steps()), TrainTop1: p.Correct / float64(p.Samples),
		TestLoss: result.Loss, TestTop1: result.Top1, TestTop5: result.Top5, Seconds: time.Since(t.started).Seconds(),
	}
	t.at.History = append(t.at.History, row)
	t.at.Position = position{Epoch: p.Epoch + 1}
	if err := writeMetrics(t.Folder.metrics(), t.at.Start, t.at.History); err != nil {
		return err
	}
	_, best := t.at.best()
	if err := t.save(best == row.Epoch); err != nil {
		return err
	}
	if t.Measured != nil {
		t.Measured(row)
	}
	return nil
}

// interrupted saves a checkpoint if err comes from ctx: someone stopped the run.
func (t *trainer) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if err := t.save(false); err != nil {
		return err
	}
	return fmt.Errorf("training was stopped in epoch %d after step %d; --resume continues from there: %w",
		t.at.Position.Epoch+1, t.at.Position.Step, context.Cause(ctx))
}

// save writes a checkpoint and, with isBest, also writes it as the best one. It writes the best one first: if the run is killed
// between the two, it repeats the epoch and writes both again.
func (t *trainer) save(isBest bool) error {
	states, err := t.states()
	if err != nil {
		return err
	}
	t.at.states = states
	if isBest {
		if err := t.at.save(t.Folder.best()); err != nil {
			return err
		}
	}
	if err := t.Folder.saveLast(&t.at, t.whole); err != nil {
		return err
	}
	t.whole, t.saved = true, time.Now()
	t.release()
	return nil
}

// doStep trains on one batch.
func (t *trainer) doStep(batch *dataset.Batch) error {
	p := &t.at.Position
	rate := t.rate(p.Epoch, p.Step)
	if err := t.feed(batch, rate); err != nil {
		return err
	}
	if err := t.stepper.Step(); err != nil {
		return fmt.Errorf("epoch %d, step %d: %w", p.Epoch+1, p.Step+1, err)
	}
	loss, err := t.output(trainstep.LossOutput)
	if err != nil {
		return err
	}
	correct, err := t.output(trainstep.CorrectOutput)
	if err != nil {
		return err
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return t.diverged(p.Step+1, fmt.Sprintf("the loss is %v", loss))
	}
	p.Step++
	p.LossSum += loss
	p.Correct += correct
	p.Samples += batch.Count
	if t.Progress != nil {
		t.Progress(Progress{Epoch: p.Epoch + 1, Epochs: t.Recipe.Epochs, Step: p.Step, Steps: t.loader.Steps(), Loss: loss, LearningRate: rate})
	}
	return nil
}
