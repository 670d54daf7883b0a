package rcfreeze

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/rcfreeze/rcfreeze/transform/head"
)

// PredictOptions say how Predict reads images, and how many classes it returns.
type PredictOptions struct {
	Data    Data   // how images are read; its Path and Format are not used
	Logits  string // the output with the logits; "" is the only one, or the only one that fits the names of the classes
	Top     int    // how many classes to return per image; 0 means DefaultTop
	Runtime Runtime
	Reporter
}

// DefaultTop is the number of classes that Predict returns per image by default.
const DefaultTop = 5

// Predictions are the results of Predict.
type Predictions struct {
	Model     string                `json:"model"`       // its file
	Normalize dataset.Normalization `json:"normalize"`   // the one that was used
	Images    []Prediction          `json:"predictions"` // one per file
}

// Prediction lists the most probable classes of one image.
type Prediction struct {
	Image   string       `json:"image"`   // its file
	Classes []Likelihood `json:"classes"` // the most probable first
}

// Likelihood is how probable a class is, from 0 to 1.
type Likelihood struct {
	Class       string  `json:"class"` // its name, or its number from 0 if the classes have no names
	Probability float64 `json:"probability"`
}

// Predict returns the most probable classes of PNG and JPEG files. images has the paths of files, and of folders, all of whose
// PNG and JPEG files are taken, also from folders in it. Images of another size are always scaled to the model's. If the model
// takes floating-point images and records no normalization, Data.Normalize is required. For a model that ends in a Sigmoid of
// several numbers, the probabilities of an image need not add up to 1.
func Predict(ctx context.Context, m *Model, images []string, o PredictOptions) (*Predictions, error) {
	o.Top = cmp.Or(o.Top, DefaultTop)
	if err := o.Validate(); err != nil {
		return nil, err
	}
	m = m.Clone()
	if err := chooseLogits(m, o.Logits); err != nil {
		return nil, err
	}
	data := o.Data.reader(o.Reporter, m)
	run := evaluate.Options{Workers: data.workers()}
	var err error
	if run.Session, err = o.Runtime.start(o.Reporter); err != nil {
		return nil, err
	}
	names, err := data.settleClassNames()
	if err != nil {
		return nil, err
	}
	if run.Normalize, err = data.normalization(ctx, func() (*dataset.Dataset, error) { return nil, errors.New("predict has none") }); err != nil {
		return nil, err
	}
	shape, err := data.shape()
	if err != nil {
		return nil, err
	}
	set, err := dataset.OpenImages(images, dataset.Options{Shape: shape, ShortSide: o.Data.ShortSide, Limits: o.Data.Limits})
	if err != nil {
		return nil, err
	}
	for _, note := range set.Notes {
		o.say("%s", note)
	}
	data.tellGray(set)
	if names == nil {
		o.say("%s does not name its classes, so they are shown as numbers, from 0; --classes gives names", m.Path())
	}
	o.say("normalization of images: %s", run.Normalize)
	p := &Predictions{Model: m.Path(), Normalize: run.Normalize, Images: []Prediction{}}
	if err := o.predict(ctx, m, set, run, func(i int, probabilities []float64) {
		p.Images = append(p.Images, Prediction{set.Name(i), mostLikely(probabilities, names, o.Top)})
	}); err != nil {
		return nil, fmt.Errorf("predicting with %s: %w", m.Path(), err)
	}
	return p, nil
}

// Validate returns an error that lists what is wrong with the options, independent of the model.
func (o PredictOptions) Validate() error {
	return options(o.Data.check(), notNegative("--top", o.Top), o.Runtime.check())
}

// settleClassNames finds out which output has the logits, and returns the names of its classes, nil if they have none.
func (r *reader) settleClassNames() ([]string, error) {
	names, err := r.classNames()
	if err != nil {
		return nil, err
	}
	if _, err := head.Logits(r.m); err != nil && names == nil {
		return nil, err
	}
	if err := r.settleLogits(dataset.All, names); err != nil {
		return nil, err
	}
	if n := r.settled.classes; names != nil && n != 0 && n != len(names) {
		return nil, fmt.Errorf("%s has %d classes, but there are %d class names for it: give the right names, in the order of its outputs (--classes FILE)", r.m.Path(), n, len(names))
	}
	return names, nil
}

// predictedAtOnce is how many images are predicted at a time by a model that takes any number.
const predictedAtOnce = 16

func (r Reporter) predict(ctx context.Context, m *Model, set *dataset.Dataset, o evaluate.Options, each func(i int, p []float64)) error {
	o.BatchSize = min(set.Len(), predictedAtOnce)
	if input, err := batch.Input(m); err == nil {
		if dims, ok := input.Shape(); ok && dims[0].Size > 0 {
			o.BatchSize = int(dims[0].Size)
		}
	}
	fitted, image, err := fit(m, set, o.BatchSize)
	if err != nil {
		return err
	}
	o.Progress = func(done, total int) { r.progress("predicting", done, total, "images") }
	return evaluate.Predict(ctx, fitted, image, set, o, each)
}

// mostLikely returns the n most probable classes. Of equally probable ones, the first come first.
func mostLikely(p []float64, names []string, n int) []Likelihood {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
	var list []Likelihood
	for _, class := range order[:min(n, len(order))] {
		list = append(list, Likelihood{className(names, class), p[class]})
	}
	return list
}
