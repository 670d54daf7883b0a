// Package evaluate measures classifiers on data sets: loss, top-1, top-5, and accuracy under attack.
package evaluate

import (
	"context"
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/lowering"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Options says how to measure.
type Options struct {
	BatchSize int                   // images in a batch; required: the batch size that the model is fitted to
	Normalize dataset.Normalization // as the model was trained with; the zero value only divides pixels by 255
	Workers   int                   // goroutines that read images; 0 means one per usable core; never changes the result
	// Epsilon is the size of the FGSM attack in pixel units of [0, 1], such as 1/255; 0 means no attack.
	Epsilon float64
	Session ort.Options // how the model runs
	// Outlined, if not nil, is called before the first image.
	Outlined func(Outline)
	// Progress, if not nil, is called after every batch with the numbers of samples done and in all.
	Progress func(done, total int)
	// Classified, if not nil, is called for every image with its label and the predicted class.
	Classified func(label, class int)
}

// Outline says how the frozen blocks of a model are computed.
type Outline struct {
	TwoConv, Merged int // numbers of blocks that run as two convolutions, and as one
	// Fault says how the model differs from its records of blocks, which then run as two convolutions. It is nil if there is no
	// difference.
	Fault error
}

// Result is the result of a measurement. Accuracies and losses are means over all samples.
type Result struct {
	Samples int     `json:"samples"`
	Loss    float64 `json:"loss"` // cross entropy in nats, without label smoothing
	Top1    float64 `json:"top1"` // share of samples, from 0 to 1
	Top5    float64 `json:"top5"` // likewise; 1 for a model of at most five classes
	// RobustTop1 is the top-1 accuracy under attack, nil without an attack.
	RobustTop1 *float64 `json:"robust_top1,omitempty"`
}

// Measure runs fitted over the whole data set. specialize.Fit returns fitted, and image, the name of its input, for a classifier
// and the shape set.Shape.Batch(o.BatchSize), which is [BatchSize, C, H, W]. Frozen blocks run as one convolution if that takes
// less work (trainstep.MergeBlocks); the results are the same except for rounding. The model itself is not changed. Call ort.Init
// first.
func Measure(ctx context.Context, fitted *onnxgraph.Model, image string, set *dataset.Dataset, o Options) (Result, error) {
	e, err := open(fitted, image, set, o)
	if err != nil {
		return Result{}, err
	}
	result, err := e.measure(ctx)
	return result, errors.Join(err, e.close())
}

// evaluator holds the sessions and buffers of a measurement.
type evaluator struct {
	options Options
	set     *dataset.Dataset
	loader  *dataset.Loader
	forward *graph
	attack  *graph // nil without an attack
}

func open(fitted *onnxgraph.Model, image string, set *dataset.Dataset, o Options) (*evaluator, error) {
	var err error
	if o.Normalize, err = o.Normalize.For(set.Shape.Channels); err != nil {
		return nil, fmt.Errorf("measuring on %s: %w", set.Path, err)
	}
	loader, err := dataset.NewLoader(set, dataset.LoaderOptions{BatchSize: o.BatchSize, Workers: o.Workers, Normalize: o.Normalize})
	if err != nil {
		return nil, err
	}
	merged := fitted.Clone()
	var outline Outline
	outline.TwoConv, outline.Merged, outline.Fault = trainstep.MergeBlocks(merged, nil)
	if o.Outlined != nil {
		o.Outlined(outline)
	}
	e := &evaluator{options: o, set: set, loader: loader}
	if e.forward, err = newGraph(merged, image, o, false); err != nil {
		return nil, err
	}
	if o.Epsilon > 0 {
		if e.attack, err = newGraph(merged, image, o, true); err != nil {
			return nil, errors.Join(err, e.close())
		}
	}
	return e, nil
}

// close frees the sessions.
func (e *evaluator) close() error { return errors.Join(e.forward.close(), e.attack.close()) }

func (e *evaluator) measure(ctx context.Context) (Result, error) {
	clean, robust := tally{classified: e.options.Classified}, tally{}
	err := e.each(ctx, func(batch *dataset.Batch, logits []float32) error {
		err := clean.add(logits, batch.Labels[:batch.Count], e.options.BatchSize)
		if err == nil && e.attack != nil {
			err = e.addRobust(&robust, batch)
		}
		return err
	})
	if err != nil {
		return Result{}, err
	}
	result := clean.result()
	if e.attack != nil {
		top1 := robust.result().Top1
		result.RobustTop1 = &top1
	}
	return result, nil
}

// each calls do with every batch and its logits, which are valid until the next run of the model.
func (e *evaluator) each(ctx context.Context, do func(batch *dataset.Batch, logits []float32) error) error {
	done := 0
	for batch, err := range e.loader.Batches(ctx, 0, 0) {
		if err != nil {
			return err
		}
		logits, err := e.forward.run(batch.Images, nil, trainstep.LogitsOutput)
		if err != nil {
			return err
		}
		if err := do(batch, logits); err != nil {
			return err
		}
		if done += batch.Count; e.options.Progress != nil {
			e.options.Progress(done, e.set.Len())
		}
	}
	return nil
}

// graph is a session of an evaluation graph.
type graph struct {
	stepper *ort.Stepper
	image   string
}

// lowered returns the graph to run: that of the model, or that of the gradient of the images.
func lowered(merged *onnxgraph.Model, image string, o Options, imageGradient bool) (*onnxgraph.Model, error) {
	m, err := trainstep.Evaluation(merged.Clone(), image, trainstep.EvaluationOptions{ImageGradient: imageGradient})
	if err != nil {
		return nil, err
	}
	if o.Session.Provider == ort.CUDA { // on the CPU, ONNX Runtime itself uses blocked operators here
		if _, err := lowering.Lower(m, nil, o.Session); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func newGraph(merged *onnxgraph.Model, image string, o Options, imageGradient bool) (*graph, error) {
	m, err := lowered(merged, image, o, imageGradient)
	if err != nil {
		return nil, err
	}
	stepper, err := ort.OpenStepper(m, nil, nil, o.Session)
	if err != nil {
		return nil, err
	}
	return &graph{stepper, image}, nil
}

// run returns an output of the graph for a batch of images. The output is valid until the next call. Only the gradient of the
// images needs labels.
func (g *graph) run(images []float32, labels []int64, output string) ([]float32, error) {
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
	return ort.OutputData[float32](g.stepper, output)
}

func (g *graph) close() error {
	if g == nil {
		return nil
	}
	return g.stepper.Close()
}
