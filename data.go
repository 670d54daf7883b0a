package rcfreeze

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/rcfreeze/rcfreeze/transform/head"
)

// Data says which images a model gets, and how they are read.
type Data struct {
	Path      string         // the data set: a folder or file
	Format    string         // one of dataset.Formats; "" or "auto" means that it is detected
	Resize    bool           // scale images of another size to the model's; otherwise they are an error (see dataset.Options)
	ImageSize ImageSize      // size to which images are scaled, if the model leaves it open
	ShortSide int            // shorter side after scaling, before the center crop; 0 means just enough for the model's size
	Limits    dataset.Limits // limits for the sizes that files declare
	// Limit is how many images of each split are used at most, as in dataset.Options; 0 means all.
	Limit int
	// Classes names the model's classes in the order of its outputs; nil means the names that the model records.
	Classes []string
	// Normalize says how pixels are normalized. If it is nil, the normalization is the one that the model records, or else the
	// known one of the data set (CIFAR-10 and CIFAR-100), or else it is measured on the training images.
	Normalize *dataset.Normalization
	// Channels is the order of colors that the model takes, rgb or bgr, if Normalize is nil. "" means the order that the model
	// records, or else rgb. If Normalize is not nil, its own field Channels decides, and this one is not used: for a model that
	// takes blue first, set Normalize.Channels to dataset.BGR, with Mean and Std in the order blue, green, red.
	Channels string
	Workers  int // how many images are read in parallel; 0 means one per core that the process may use
}

// ImageSize is a size in pixels; the zero value means no size.
type ImageSize struct{ Height, Width int }

// String writes the size as 224 or, as height and width, 224x160.
func (s ImageSize) String() string {
	switch {
	case s == ImageSize{}:
		return ""
	case s.Height == s.Width:
		return strconv.Itoa(s.Height)
	}
	return fmt.Sprintf("%dx%d", s.Height, s.Width)
}

// check lists what is wrong with the options, before any data is read.
func (d Data) check() error {
	faults := []error{notNegative("--short-side", d.ShortSide), notNegative("--workers", d.Workers)}
	if !slices.Contains([]string{"", "rgb", dataset.BGR}, d.Channels) {
		faults = append(faults, fmt.Errorf("--channels %q: choose rgb or bgr", d.Channels))
	}
	if d.Limit < 0 {
		faults = append(faults, fmt.Errorf("--limit %d: needs a positive number of images, or 0 for all", d.Limit))
	}
	return errors.Join(faults...)
}

// required is like check, for work that needs data.
func (d Data) required() error {
	if d.Path == "" {
		return errors.Join(errors.New("--data: needs a data set, a folder or file"), d.check())
	}
	return d.check()
}

// reader reads data for one model.
type reader struct {
	Data
	Reporter
	m       *Model
	settled *settled        // nil before settleLogits
	told    map[string]bool // notes that were already reported for another split
}

func (d Data) reader(r Reporter, m *Model) *reader {
	return &reader{Data: d, Reporter: r, m: m, told: map[string]bool{}}
}

// workers returns how many goroutines read images.
func (r *reader) workers() int { return r.asMany("--workers", r.Workers) }

// open opens a split of the data set for a classifier, and reports its notes.
func (r *reader) open(split dataset.Split) (*dataset.Dataset, error) {
	names, err := r.classNames()
	if err != nil {
		return nil, err
	}
	if err := r.settleLogits(split, names); err != nil {
		return nil, err
	}
	return r.fitting(dataset.Options{Split: split, Classes: r.settled.classes, ClassNames: names})
}

// images opens a split of the data set for a model whose outputs need not fit the labels.
func (r *reader) images(split dataset.Split) (*dataset.Dataset, error) {
	d, err := r.fitting(dataset.Options{Split: split, AnyClasses: true})
	if err == nil && d.Split == dataset.All {
		r.say("%s: the data set has no separate splits: all its images serve as %s", r.Path, split)
	}
	return d, err
}

func (r *reader) fitting(o dataset.Options) (*dataset.Dataset, error) {
	d, err := r.openQuietly(o)
	if err != nil {
		return nil, err
	}
	for _, note := range d.Notes {
		if !r.told[note] {
			r.say("%s: %s", d.Path, note)
		}
		r.told[note] = true
	}
	r.tellGray(d)
	return d, nil
}

// tellGray says once that the model does not see colors.
func (r *reader) tellGray(d *dataset.Dataset) {
	const note = "takes images of 1 channel: those in color are turned into gray"
	if d.TurnsGray() && !r.told[note] {
		r.say("%s "+note, r.m.Path())
		r.told[note] = true
	}
}

// openQuietly opens images for the model, and reports nothing. Settings that the options leave open come from o.
func (r *reader) openQuietly(o dataset.Options) (*dataset.Dataset, error) {
	var err error
	if o.Shape, err = r.shape(); err != nil {
		return nil, err
	}
	o.Format, o.ShortSide, o.Limits, o.Limit = cmp.Or(r.Format, "auto"), r.ShortSide, r.Limits, r.Limit
	o.Resize = r.Resize || r.ImageSize != ImageSize{}
	return dataset.Open(r.Path, o)
}

// classNames returns the names of the model's classes in the order of its outputs: those in the options, or else those that the
// model records; nil if there are none.
func (r *reader) classNames() ([]string, error) {
	if r.Classes == nil {
		return Classes(r.m)
	}
	output, err := head.Logits(r.m)
	if err != nil {
		return r.Classes, nil // code that needs the logits reports what is wrong with them
	}
	if n := head.Classes(output); n != 0 && n != len(r.Classes) {
		return nil, fmt.Errorf("--classes names %d classes, but %s has %d: give a name for each, in the order of the outputs", len(r.Classes), r.m.Path(), n)
	}
	return r.Classes, nil
}

// trainingSplits holds the splits of a data set for training. Several may be the same.
type trainingSplits struct {
	train  *dataset.Dataset
	choose *dataset.Dataset // measured after every epoch: val, or else the same as test
	test   *dataset.Dataset // measured at the end
}

// forTraining opens the images that train, those that choose and those that measure.
func (r *reader) forTraining() (s trainingSplits, err error) {
	if s.train, err = r.open(dataset.Train); err != nil {
		return s, err
	}
	if s.train.Split == dataset.All {
		r.say("%s: the data set has no separate splits: all its images are used to train, and also to measure", r.Path)
		s.test, s.choose = s.train, s.train
		return s, nil
	}
	if s.test, err = r.open(dataset.Test); err != nil {
		return s, err
	}
	if s.test.Split == dataset.Val {
		s.choose = s.test
		return s, nil
	}
	if s.choose, err = r.open(dataset.Val); err != nil {
		return s, err
	}
	if s.choose.Split != dataset.Val {
		s.choose = s.test
		return s, nil
	}
	r.say("%s: the %d val images are measured after every epoch, the %d test images at the end", r.Path, s.choose.Len(), s.test.Len())
	return s, nil
}

// shape returns the shape of the images that the model takes, with 0 for sizes that neither the model nor the options give.
func (r *reader) shape() (dataset.Shape, error) {
	s, err := imageShape(r.m)
	if err != nil || r.ImageSize == (ImageSize{}) {
		return s, err
	}
	size := ImageSize{cmp.Or(s.Height, r.ImageSize.Height), cmp.Or(s.Width, r.ImageSize.Width)}
	if size != r.ImageSize {
		return s, fmt.Errorf("--image-size %v: %s takes images of %d×%d (height×width): leave it out", r.ImageSize, r.m.Path(), size.Height, size.Width)
	}
	s.Height, s.Width = size.Height, size.Width
	return s, nil
}

// imageShape returns the shape of the images that the model takes, with 0 for sizes that it leaves open.
func imageShape(m *Model) (dataset.Shape, error) {
	input, err := batch.Input(m)
	if err != nil {
		return dataset.Shape{}, err
	}
	dims, ok := input.Shape()
	if !ok {
		return dataset.Shape{}, nil
	}
	if len(dims) != 4 {
		return dataset.Shape{}, fmt.Errorf("reading the input %q of %s: it has %d dims, needs 4: batch, channels, height, width", input.Name(), m.Path(), len(dims))
	}
	size := func(i int) int { return int(max(dims[i].Size, 0)) }
	if batch.IsChannelsLast(m) {
		return dataset.Shape{Channels: size(3), Height: size(1), Width: size(2)}, nil
	}
	return dataset.Shape{Channels: size(1), Height: size(2), Width: size(3)}, nil
}

// MeasuredOn says which images a result was measured on.
type MeasuredOn struct {
	Data  string        `json:"data"`  // Data.Path
	Split dataset.Split `json:"split"` // the one that was used; dataset.All if the data set has no separate splits
	// OnTraining says that these are the training images.
	OnTraining   bool `json:"on_training_images"`
	Images       int  `json:"images"`          // how many were measured
	Limit        int  `json:"limit,omitempty"` // as in Data: the split may have more images
	Classes      int  `json:"classes"`         // how many classes have images there
	ModelClasses int  `json:"model_classes"`   // how many classes the model tells apart
}

// Which says in words which of the data set's images these are.
func (m MeasuredOn) Which() string {
	split, whole := fmt.Sprintf("%s split", m.Split), "all of the data set"
	if m.Limit > 0 {
		with := fmt.Sprintf(" with --limit %d", m.Limit)
		split, whole = split+with, "of the data set"+with
	}
	switch {
	case m.Split == dataset.All && m.OnTraining:
		return whole + ", which has no separate splits: they were also used to train"
	case m.Split == dataset.All:
		return whole + ", which has no separate splits"
	case m.OnTraining:
		return split + ": they train"
	}
	return split
}

// measuredOn describes set in comparison with the training images; train is nil if nothing is trained.
func (d Data) measuredOn(set, train *dataset.Dataset) MeasuredOn {
	return MeasuredOn{
		Data: d.Path, Split: set.Split, OnTraining: set == train || set.Split == dataset.Train,
		Images: set.Len(), Limit: set.Limit, Classes: set.ClassesHere(), ModelClasses: len(set.Classes),
	}
}
