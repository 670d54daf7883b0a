package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// dataFlags say which images to read, and how.
type dataFlags struct {
	path      string
	format    string
	resize    bool
	shortSide int
	classes   string
	normalize string
	mean, std []float64
	workers   int

	settled *settled // nil before the logits are settled
}

func (f *dataFlags) add(cmd *cobra.Command) {
	f.addOptional(cmd.Flags())
	cmd.MarkFlagRequired("data")
}

// addOptional adds the flags for a command that can do without data.
func (f *dataFlags) addOptional(flags *pflag.FlagSet) {
	flags.StringVar(&f.path, "data", "", "the data set: a folder or file")
	flags.StringVar(&f.format, "format", "auto", "format of the data set: auto, "+strings.Join(dataset.Formats(), ", "))
	flags.BoolVar(&f.resize, "resize", false, "scale images of another size to the model's")
	flags.IntVar(&f.shortSide, "short-side", 0, "scale the shorter side to this before the middle is cut out (0: what just covers the model's size)")
	flags.StringVar(&f.classes, "classes", "", "file with the names of the model's classes in the order of its outputs: one per line, or a JSON list (default: those that the model records)")
	flags.StringVar(&f.normalize, "normalize", "", "mean and standard deviation of a known data set: "+strings.Join(dataset.Normalizations(), ", ")+
		", or none (default: what the model records, else those of the data set)")
	flags.Float64SliceVar(&f.mean, "mean", nil, "mean per channel, of pixels from 0 to 1, such as 0.4914,0.4822,0.4465")
	flags.Float64SliceVar(&f.std, "std", nil, "standard deviation per channel, likewise")
	flags.IntVarP(&f.workers, "workers", "j", 0, "goroutines that read images (0: one per core)")
}

// check lists what is wrong with the flags, before any data is read.
func (f *dataFlags) check() error {
	var faults []error
	if len(f.mean) != len(f.std) {
		faults = append(faults, fmt.Errorf("--mean has %d numbers, --std has %d: give both, one number per channel", len(f.mean), len(f.std)))
	}
	if f.mean != nil && f.normalize != "" {
		faults = append(faults, errors.New("--normalize and --mean, --std: give one or the other"))
	}
	if f.normalize != "" && f.normalize != "none" {
		_, err := dataset.NamedNormalization(f.normalize)
		faults = append(faults, err)
	}
	if f.workers < 0 || f.shortSide < 0 {
		faults = append(faults, fmt.Errorf("--workers %d, --short-side %d: need 0 or more", f.workers, f.shortSide))
	}
	return errors.Join(faults...)
}

// open opens a split of the data set for a classifier, and tells what was noteworthy.
func (f *dataFlags) open(p *printer, m *onnxgraph.Model, split dataset.Split) (*dataset.Dataset, error) {
	names, err := f.classNames(m)
	if err != nil {
		return nil, err
	}
	if err := f.settleLogits(p, m, split, names); err != nil {
		return nil, err
	}
	return f.fitting(p, m, dataset.Options{Split: split, Classes: f.settled.classes, ClassNames: names})
}

// images opens a split of the data set for a model whose outputs need not fit the labels.
func (f *dataFlags) images(p *printer, m *onnxgraph.Model, split dataset.Split) (*dataset.Dataset, error) {
	return f.fitting(p, m, dataset.Options{Split: split, AnyClasses: true})
}

func (f *dataFlags) fitting(p *printer, m *onnxgraph.Model, o dataset.Options) (*dataset.Dataset, error) {
	o.Format, o.Resize, o.ShortSide = f.format, f.resize, f.shortSide
	var err error
	if o.Shape, err = imageShape(m); err != nil {
		return nil, err
	}
	d, err := dataset.Open(f.path, o)
	if err != nil {
		return nil, err
	}
	for _, note := range d.Notes {
		p.say("%s: %s", d.Path, note)
	}
	return d, nil
}

// classNames returns the names of the model's classes in the order of its outputs: by flag, else as the model records,
// nil if neither tells.
func (f *dataFlags) classNames(m *onnxgraph.Model) ([]string, error) {
	if f.classes != "" {
		return dataset.ReadClassNames(f.classes)
	}
	return recordedClasses(m)
}

// trainingSplits are the parts of a data set as training uses them. They may be the same.
type trainingSplits struct {
	train  *dataset.Dataset
	choose *dataset.Dataset // measured after every epoch: val, or what measures
	test   *dataset.Dataset // measured in the end
}

// forTraining opens the images that train, those that choose and those that measure.
func (f *dataFlags) forTraining(p *printer, m *onnxgraph.Model) (s trainingSplits, err error) {
	if s.train, err = f.open(p, m, dataset.Train); err != nil {
		return s, err
	}
	if s.train.Split == dataset.All {
		p.say("%s: the data set has no separate splits: all its images train, and measure, too", f.path)
		s.test, s.choose = s.train, s.train
		return s, nil
	}
	if s.test, err = f.open(p, m, dataset.Test); err != nil {
		return s, err
	}
	if s.test.Split == dataset.Val {
		s.choose = s.test
		return s, nil
	}
	s.choose, err = f.open(p, m, dataset.Val)
	if err == nil && s.choose.Split == dataset.Val {
		p.say("%s: the %d images of val are measured after every epoch, the %d of test in the end", f.path, s.choose.Len(), s.test.Len())
	}
	return s, err
}

// imageShape returns the shape of the images that the model takes, with 0 for what it leaves open.
func imageShape(m *onnxgraph.Model) (dataset.Shape, error) {
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

// formatNormalizations are the normalizations of formats that hold one data set only.
var formatNormalizations = map[string]string{"cifar10": "cifar10", "cifar100": "cifar100"}

// measuredFiles bounds the image files that are decoded to measure mean and standard deviation.
const measuredFiles = 10000

// normalization settles how images are normalized: by flag, else as the model records, else by what is
// known or measured of the training images. Only the last two are told.
func (f *dataFlags) normalization(ctx context.Context, p *printer, m *onnxgraph.Model, train func() (*dataset.Dataset, error)) (dataset.Normalization, error) {
	switch {
	case f.mean != nil:
		return dataset.Normalization{Mean: f.mean, Std: f.std}, nil
	case f.normalize == "none":
		return dataset.Normalization{}, nil
	case f.normalize != "":
		return dataset.NamedNormalization(f.normalize)
	}
	if n, ok, err := recordedNormalization(m); ok || err != nil {
		return n, err
	}
	images, err := train()
	if err != nil {
		return dataset.Normalization{}, err
	}
	if name, ok := formatNormalizations[images.Format]; ok {
		p.say("normalizing as %s; --mean and --std choose otherwise", name)
		return dataset.NamedNormalization(name)
	}
	limit := 0
	if images.Format == "imagefolder" {
		limit = measuredFiles
	}
	n, err := dataset.MeanStd(ctx, images, limit)
	if err == nil {
		p.say("normalizing by mean %.4f and standard deviation %.4f, measured on the training images; --mean and --std choose otherwise", n.Mean, n.Std)
	}
	return n, err
}
