// Package evaluate measures classifiers on data sets: loss, top-1, top-5, and accuracy under attack.
package evaluate

import (
	"context"
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Options says how to measure.
type Options struct {
	BatchSize int
	Normalize dataset.Normalization
	Workers   int // goroutines that read images, 0 for one per core
	// Epsilon is the size of the FGSM attack in pixel units of [0, 1], such as 1/255; 0 measures none.
	Epsilon float64
	Session ort.Options
	// Parameters and Statistics are initializers that Measure gets as vectors of this layout.
	Parameters, Statistics []trainstep.Segment
}

// Result is what was measured. Accuracies and losses are means over all samples.
type Result struct {
	Samples int     `json:"samples"`
	Loss    float64 `json:"loss"` // cross entropy in nats, without label smoothing
	Top1    float64 `json:"top1"` // share of samples, 0 to 1
	Top5    float64 `json:"top5"`
	// RobustTop1 is the top-1 accuracy under attack; nil if none was asked for.
	RobustTop1 *float64 `json:"robust_top1,omitempty"`
}

// Evaluator measures one model, whose weights may change between measurements.
type Evaluator struct {
	options Options
	set     *dataset.Dataset
	loader  *dataset.Loader
	image   string
	forward *graph
	attack  *graph // nil without an attack
}

// New prepares to measure fitted, a model whose values all are typed for images of shape
// [BatchSize, C, H, W]; image names its input. Close must be called.
func New(fitted *onnxgraph.Model, image string, set *dataset.Dataset, o Options) (*Evaluator, error) {
	loader, err := dataset.NewLoader(set, dataset.LoaderOptions{BatchSize: o.BatchSize, Workers: o.Workers, Normalize: o.Normalize})
	if err != nil {
		return nil, err
	}
	e := &Evaluator{options: o, set: set, loader: loader, image: image}
	if e.forward, err = newGraph(fitted, image, o, false); err != nil {
		return nil, err
	}
	if o.Epsilon > 0 {
		if e.attack, err = newGraph(fitted, image, o, true); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	return e, nil
}

// Close frees the sessions.
func (e *Evaluator) Close() error { return errors.Join(e.forward.close(), e.attack.close()) }

// Operators says on which operators the model runs.
func (e *Evaluator) Operators() specialize.Operators { return e.forward.operators }

// Measure runs over the whole data set. The vectors are those that Options announced, nil if it did not.
// progress, if not nil, is called after every batch with the number of samples done.
func (e *Evaluator) Measure(ctx context.Context, parameters, statistics []float32, progress func(done int)) (Result, error) {
	for _, g := range []*graph{e.forward, e.attack} {
		if err := g.load(parameters, statistics); err != nil {
			return Result{}, err
		}
	}
	var clean, robust tally
	for batch, err := range e.loader.Batches(ctx, 0, 0) {
		if err != nil {
			return Result{}, err
		}
		logits, err := e.forward.run(batch.Images, nil)
		if err != nil {
			return Result{}, err
		}
		if err := clean.add(logits, batch.Labels[:batch.Count], e.options.BatchSize); err != nil {
			return Result{}, err
		}
		if e.attack != nil {
			if err := e.addRobust(&robust, batch); err != nil {
				return Result{}, err
			}
		}
		if progress != nil {
			progress(clean.samples)
		}
	}
	result := clean.result()
	if e.attack != nil {
		top1 := robust.result().Top1
		result.RobustTop1 = &top1
	}
	return result, nil
}

// graph is a session of an evaluation graph.
type graph struct {
	stepper   *ort.Stepper
	image     string
	operators specialize.Operators
}

func newGraph(fitted *onnxgraph.Model, image string, o Options, imageGradient bool) (*graph, error) {
	m, err := trainstep.Evaluation(fitted.Clone(), image, trainstep.EvaluationOptions{
		Parameters: o.Parameters, Statistics: o.Statistics, ImageGradient: imageGradient,
	})
	if err != nil {
		return nil, err
	}
	g := &graph{image: image}
	if g.operators, err = specialize.Lower(m, nil, o.Session); err != nil {
		return nil, err
	}
	if g.stepper, err = ort.OpenStepper(m, nil, nil, o.Session); err != nil {
		return nil, err
	}
	return g, nil
}

// load sets the weights that come in as vectors.
func (g *graph) load(parameters, statistics []float32) error {
	if g == nil {
		return nil
	}
	for name, vector := range map[string][]float32{trainstep.ParametersSlot: parameters, trainstep.StatisticsSlot: statistics} {
		if len(vector) == 0 {
			continue
		}
		data, err := ort.InputData[float32](g.stepper, name)
		if err != nil {
			return err
		}
		if len(data) != len(vector) {
			return fmt.Errorf("evaluating: %s has %d elements, got %d", name, len(data), len(vector))
		}
		copy(data, vector)
	}
	return nil
}

// run returns the logits of a batch of images; labels are needed for the gradient of the images.
func (g *graph) run(images []float32, labels []int64) ([]float32, error) {
	data, err := ort.InputData[float32](g.stepper, g.image)
	if err != nil {
		return nil, err
	}
	copy(data, images)
	if labels != nil {
		data, err := ort.InputData[int64](g.stepper, trainstep.LabelsInput)
		if err != nil {
			return nil, err
		}
		copy(data, labels)
	}
	if err := g.stepper.Step(); err != nil {
		return nil, err
	}
	return ort.OutputData[float32](g.stepper, trainstep.LogitsOutput)
}

func (g *graph) close() error {
	if g == nil {
		return nil
	}
	return g.stepper.Close()
}
