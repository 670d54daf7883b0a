// Package compare trains several variants of one model and measures them: the source model, and models of frozen or learned
// blocks of several kinds, with several seeds. Call ort.Init first.
package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/lock"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// Plan says what to compare. Every variant is trained with every seed. Variants with blocks are also trained with every
// combination of the values of the Axes, whose other options are in Convert. Model, Variants, Seeds, Recipe, Train, Choose, Test
// and Folder are required. The goroutine that runs Do calls those of the functions that are not nil.
type Plan struct {
	Model    *onnxgraph.Model    // the source, without blocks; it is not changed
	Classes  int                 // if above 0, every run gets a new random last layer for this many classes
	Variants []parameter.Variant // at least one: nil is an error
	Axes                         // the kinds of blocks, for variants with blocks
	Seeds    []uint64            // at least one: each run uses one for its blocks, its new parameters and its training

	Convert   transform.Options      // for variants with blocks; each run sets the fields of Blocks, and Seed
	Reinit    bool                   // start every run from random weights, not from the source's
	Recipe    train.Recipe           // for all runs; each run sets Trained and Seed
	Train     *dataset.Dataset       // the training images
	Choose    *dataset.Dataset       // measured after every epoch, for example validation images; may be the same as Test
	Test      *dataset.Dataset       // measured once, with the weights after the last epoch
	Augment   []dataset.Augmentation // augmentations of training images; also set Recipe.Augment to their texts
	Normalize dataset.Normalization  // of all images
	Workers   int                    // goroutines that make batches; 0 means one per usable core; never changes the result
	Epsilon   float64                // size of the FGSM attack on Test, of pixels from 0 to 1; 0 means no attack
	Session   ort.Options            // how the models run
	// Describe, if not nil, is called with every trained model before it is saved. It may record which images the model takes.
	Describe      func(*onnxgraph.Model) error
	Folder        string                               // gets a folder for each run, with its checkpoints, metrics and model
	SaveEvery     time.Duration                        // see train.Run
	Kept          func(runs int)                       // before the first run, with the number of finished runs, if any
	Started       func(name string, number, total int) // before each run; number counts from 1 to total, without runs that are kept
	Failed        func(name string, err error)         // after a run that failed
	Outlined      func(train.Outline)                  // before the step of a run allocates memory
	Begun         func(evaluate.Result)                // with the results on Choose before the first step; not if a run continues
	Progress      func(train.Progress)                 // after every step
	Measuring     func(done, total int)                // during a measurement on Choose or Test, with numbers of images
	Measured      func(train.Row)                      // after every epoch
	Recalibrating func(done, total int)                // after training with train.BatchNormRecalibrate, with numbers of images
	Warned        func(string)                         // with a line about something unexpected, such as a damaged checkpoint
	// Tabled is called with all rows of the folder, after the table is written: after each run, and at the end. The folder is held
	// against other processes then. Do stops with its error.
	Tabled func(Table) error
}

// Table holds the rows of a folder so far.
type Table struct {
	Rows   []Row
	Open   int          // runs that are still to come
	Source train.Source // of all rows
}

// Row is one run and its result. A run that failed has no result, and Failed says why.
type Row struct {
	Cell
	Folder          string  `json:"folder"`              // of its model, checkpoints and metrics, in that of the comparison
	Trained         int64   `json:"trained_parameters"`  // how many of the parameters trained
	Parameters      int64   `json:"parameters"`          // how many the trained model has, with banks and without running statistics
	Deployed        int64   `json:"deployed_parameters"` // after merging; equal to Parameters if the model cannot be merged
	evaluate.Result         // on Plan.Test
	Seconds         float64 `json:"seconds"`          // time of training, with the measurements after every epoch
	Failed          string  `json:"failed,omitempty"` // why the run failed; "" if it finished
}

// Check returns an error, before any work is done, if another process uses the folder of a comparison. The folder need not
// exist yet.
func Check(folder string) error {
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	held, err := lock.Folder(folder)
	if err != nil {
		return fmt.Errorf("comparing: %w", err)
	}
	return held.Release()
}

// Do trains and measures all cells of the plan that have no result in the folder yet, and returns all rows of the folder, in the
// order of the axes. A run that was stopped continues. All runs in the folder must have the same settings.
//
// If a run fails, the others go on: Do then returns a *FailedError (errors.As), and a row for each run that failed. If no run
// gets as far as its first step, Do writes nothing, and returns no rows. With another error, for example when ctx is done, it
// returns the rows of the runs that finished. It fails if another process uses the folder. Call ort.Init first.
func (p *Plan) Do(ctx context.Context) (rows []Row, err error) {
	experiment, err := p.experiment()
	if err != nil {
		return nil, fmt.Errorf("comparing: %w", err)
	}
	held, err := lock.Folder(p.Folder)
	if err != nil {
		return nil, fmt.Errorf("comparing: %w", err)
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	p.warn(held.Warning)
	done, err := p.finished(experiment)
	if err != nil {
		return nil, fmt.Errorf("comparing: %w", err)
	}
	cells, err := p.missing(ctx, done)
	if err != nil {
		return nil, err
	}
	if len(done) > 0 && p.Kept != nil {
		p.Kept(len(done))
	}
	failed := &FailedError{Runs: len(done) + len(cells)}
	for i, c := range cells {
		if p.Started != nil {
			p.Started(c.String(), i+1, len(cells))
		}
		row, err := p.one(ctx, c, experiment)
		if err != nil && ctx.Err() != nil {
			return sorted(done), fmt.Errorf("comparing: %s: %w", c, err)
		}
		if err != nil {
			row = Row{Cell: c, Folder: experiment.folder(c), Failed: err.Error()}
			failed.Faults = append(failed.Faults, fmt.Errorf("%s: %w", c, err))
			if p.Failed != nil {
				p.Failed(c.String(), err)
			}
		}
		done[c] = row
		if p.hasBegun() {
			if err := p.writeTable(Table{sorted(done), len(cells) - i - 1, experiment.Source}); err != nil {
				return sorted(done), err
			}
		}
	}
	if !p.hasBegun() {
		return nil, fmt.Errorf("comparing: %w", errors.Join(failed.Faults...))
	}
	if err := p.writeTable(Table{sorted(done), 0, experiment.Source}); err != nil {
		return sorted(done), err
	}
	if len(failed.Faults) > 0 {
		return sorted(done), fmt.Errorf("comparing: %w", failed)
	}
	return sorted(done), nil
}

// warn passes a line to Warned, unless the line is empty or Warned is nil.
func (p *Plan) warn(line string) {
	if p.Warned != nil && line != "" {
		p.Warned(line)
	}
}

// sorted returns the rows in the order of the axes.
func sorted(rows map[Cell]Row) []Row {
	return slices.SortedFunc(maps.Values(rows), func(a, b Row) int { return compareCells(a.Cell, b.Cell) })
}

func (p *Plan) writeTable(t Table) error {
	if err := writeTable(filepath.Join(p.Folder, "comparison.csv"), t.Rows); err != nil || p.Tabled == nil {
		return err
	}
	return p.Tabled(t)
}

// missing returns the cells of the plan that are not done. It first checks all settings, so that nothing trains if the plan would
// fail later.
func (p *Plan) missing(ctx context.Context, done map[Cell]Row) ([]Cell, error) {
	cells := p.cells()
	var faults []error
	if len(cells) == 0 {
		faults = append(faults, errors.New("the plan is empty: give variants and seeds"))
	}
	cells = slices.DeleteFunc(cells, func(c Cell) bool { _, ok := done[c]; return ok })
	for _, c := range cells {
		if _, err := p.start(ctx, c); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", c, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("planning a comparison: %w", err)
	}
	return cells, nil
}

// start returns the model that a run starts from.
func (p *Plan) start(ctx context.Context, c Cell) (*onnxgraph.Model, error) {
	m := p.Model.Clone()
	if p.Classes > 0 {
		if _, err := head.Replace(m, p.Classes, c.Seed); err != nil {
			return nil, err
		}
	}
	parameter.Separate(m)
	if c.Variant.HasBlocks() {
		if err := p.convert(ctx, m, c.options(p.Convert, c.Seed)); err != nil {
			return nil, err
		}
	}
	if err := c.Variant.Start(m, c.Seed, p.Reinit); err != nil {
		return nil, err
	}
	recipe := p.Recipe
	return m, recipe.Select(m, c.Variant)
}

// one trains and measures one run. It writes the description of the experiment just before the first step, so that nothing is
// written for a plan that cannot be trained. It writes the result last: a run with a result is finished.
func (p *Plan) one(ctx context.Context, c Cell, e experiment) (Row, error) {
	row := Row{Cell: c, Folder: e.folder(c)}
	folder := filepath.Join(p.Folder, row.Folder)
	m, err := p.start(ctx, c)
	if err != nil {
		return row, err
	}
	recipe := p.Recipe
	recipe.Seed = c.Seed
	if err := recipe.Select(m, c.Variant); err != nil {
		return row, err
	}
	training := train.Run{
		Model: m, Recipe: recipe, Train: p.Train, Test: p.Choose, Augment: p.Augment, Normalize: p.Normalize,
		Workers: p.Workers, Session: p.Session, Folder: train.Folder(folder), Resume: true, SaveEvery: p.SaveEvery, Keep: train.KeepLast,
		Outlined: p.Outlined, Progress: p.Progress, Measuring: p.Measuring, Measured: p.Measured, Recalibrating: p.Recalibrating,
		Warned: p.Warned,
	}
	if training.Folder.HasRun() {
		if err := p.note(e); err != nil {
			return row, err
		}
	}
	noted, stop := context.WithCancel(ctx)
	defer stop()
	var noting error
	training.Begun = func(start evaluate.Result) {
		if noting = p.note(e); noting != nil {
			stop()
			return
		}
		if p.Begun != nil {
			p.Begun(start)
		}
	}
	result, err := training.Do(noted)
	if noting != nil {
		return row, noting
	}
	if err != nil {
		return row, err
	}
	for _, epoch := range result.History {
		row.Seconds += epoch.Seconds
	}
	if err := p.finish(ctx, result.Model, &row, recipe.Trained); err != nil {
		return row, err
	}
	if p.Describe != nil {
		if err := p.Describe(result.Model); err != nil {
			return row, err
		}
	}
	if err := result.Model.Save(filepath.Join(folder, "model.onnx"), onnxgraph.ExternalAsRead); err != nil {
		return row, err
	}
	return row, writeRow(folder, row)
}

// finish measures the trained model and stores the results in row.
func (p *Plan) finish(ctx context.Context, m *onnxgraph.Model, row *Row, trained []string) error {
	var err error
	if row.Parameters, row.Trained, err = train.Count(m, trained); err != nil {
		return err
	}
	merged := m.Clone()
	if _, err := transform.Merge(merged); err != nil {
		return err
	}
	if row.Deployed, _, err = train.Count(merged, nil); err != nil {
		return err
	}
	row.Result, err = p.measure(ctx, m)
	return err
}

func (p *Plan) measure(ctx context.Context, m *onnxgraph.Model) (evaluate.Result, error) {
	fitted, image, err := specialize.Fit(m, p.Test.Shape.Batch(p.Recipe.BatchSize))
	if err != nil {
		return evaluate.Result{}, err
	}
	o := evaluate.Options{BatchSize: p.Recipe.BatchSize, Normalize: p.Normalize, Workers: p.Workers, Epsilon: p.Epsilon, Session: p.Session, Progress: p.Measuring}
	return evaluate.Measure(ctx, fitted, image, p.Test, o)
}

// convert converts the model to blocks. If they must be calibrated, it uses training images.
func (p *Plan) convert(ctx context.Context, m *onnxgraph.Model, o transform.Options) error {
	made := func(rows []transform.Conversion, err error) error {
		isConverted := func(row transform.Conversion) bool { return row.Status == transform.Converted }
		if err == nil && !slices.ContainsFunc(rows, isConverted) {
			return fmt.Errorf("converting %s: none of its %d convolutions becomes a frozen block, so there is nothing to compare: `rcfreeze inspect` says why", m.Path(), len(rows))
		}
		return err
	}
	if o.Pointwise != transform.Calibrate {
		return made(transform.Convert(m, o))
	}
	images, err := calibrate.Load(ctx, p.Train, calibrate.DefaultImages, dataset.LoaderOptions{Seed: o.Seed, Normalize: p.Normalize, Workers: p.Workers})
	if err != nil {
		return err
	}
	return made(calibrate.Convert(ctx, m, calibrate.Options{Convert: o, Images: images, Session: p.Session}))
}
