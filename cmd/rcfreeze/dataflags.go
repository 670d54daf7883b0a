package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform"
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
	imageSize imageSize
	limits    limitFlags
	normalize normalizeFlags
	workers   int

	settled *settled        // nil before the logits are settled
	told    map[string]bool // notes that the user has seen, of another split
}

func (f *dataFlags) add(cmd *cobra.Command) {
	f.addOptional(cmd.Flags())
	cmd.MarkFlagRequired("data")
}

// addOptional adds the flags for a command that can do without data.
func (f *dataFlags) addOptional(flags *pflag.FlagSet) {
	flags.StringVar(&f.path, "data", "", "the data set: a folder or a file, such as cifar-10-batches-bin")
	flags.StringVar(&f.format, "format", "auto", "format of the data set: auto (detect it), "+strings.Join(dataset.Formats(), ", "))
	flags.BoolVar(&f.resize, "resize", false, "scale images to the size that the model takes; without it, images of another size are refused")
	f.limits.addArrays(flags)
	f.addReading(flags)
}

// addReading adds the flags that say how images are read, wherever they are.
func (f *dataFlags) addReading(flags *pflag.FlagSet) {
	flags.Var(&f.imageSize, "image-size", "size to scale images to, for a model that takes any size: 224, or height and width as in 224x160")
	flags.IntVar(&f.shortSide, "short-side", 0, "scale the shorter side of each image to this many pixels, then cut out the middle (0: as few as cover the model's size)")
	flags.StringVar(&f.classes, "classes", "", "file with the names of the classes, in the order of the model's outputs: one name per line, or a JSON list (default: the names that the model records)")
	f.limits.addPixels(flags)
	f.normalize.add(flags)
	flags.IntVarP(&f.workers, "workers", "j", 0, "images to read at the same time, at most one per available core (0: one per core)")
}

// check lists what is wrong with the flags, before any data is read.
func (f *dataFlags) check() error {
	return f.normalize.check()
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
	d, err := f.fitting(p, m, dataset.Options{Split: split, AnyClasses: true})
	if err == nil && d.Split == dataset.All {
		p.say("%s: the data set has no separate splits: all its images serve as %s", f.path, split)
	}
	return d, err
}

func (f *dataFlags) fitting(p *printer, m *onnxgraph.Model, o dataset.Options) (*dataset.Dataset, error) {
	d, err := f.openQuietly(m, o)
	if err != nil {
		return nil, err
	}
	for _, note := range d.Notes {
		if !f.told[note] {
			p.say("%s: %s", d.Path, note)
		}
		if f.told == nil {
			f.told = map[string]bool{}
		}
		f.told[note] = true
	}
	return d, nil
}

// openQuietly opens images for a model as the flags say, and what they do not say by o.
func (f *dataFlags) openQuietly(m *onnxgraph.Model, o dataset.Options) (*dataset.Dataset, error) {
	var err error
	if o.Shape, err = f.shape(m); err != nil {
		return nil, err
	}
	o.Format, o.ShortSide, o.Limits = f.format, f.shortSide, f.limits.limits()
	o.Resize = f.resize || f.imageSize != imageSize{}
	return dataset.Open(f.path, o)
}

// classNames returns the names of the model's classes in the order of its outputs: by flag, else as the model records,
// nil if neither tells.
func (f *dataFlags) classNames(m *onnxgraph.Model) ([]string, error) {
	if f.classes == "" {
		return recordedClasses(m)
	}
	names, err := dataset.ReadClassNames(f.classes)
	if err != nil {
		return nil, err
	}
	output, err := transform.Logits(m)
	if err != nil {
		return names, nil // whoever needs the logits says what is wrong with them
	}
	if n := transform.Classes(output); n != 0 && n != len(names) {
		return nil, fmt.Errorf("--classes %s: names %d classes, %s tells %d apart: needs a name for each, in the order of the outputs", f.classes, len(names), m.Path(), n)
	}
	return names, nil
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
	if s.choose, err = f.open(p, m, dataset.Val); err != nil {
		return s, err
	}
	if s.choose.Split != dataset.Val {
		s.choose = s.test
		return s, nil
	}
	p.say("%s: the %d images of val are measured after every epoch, the %d of test in the end", f.path, s.choose.Len(), s.test.Len())
	return s, nil
}

// shape returns the shape of the images that the model takes, with 0 for what neither it nor --image-size says.
func (f *dataFlags) shape(m *onnxgraph.Model) (dataset.Shape, error) {
	s, err := imageShape(m)
	if err != nil || f.imageSize == (imageSize{}) {
		return s, err
	}
	size := imageSize{cmp.Or(s.Height, f.imageSize.height), cmp.Or(s.Width, f.imageSize.width)}
	if size != f.imageSize {
		return s, fmt.Errorf("--image-size %s: %s takes images of %d×%d (height×width): leave the flag out", f.imageSize.String(), m.Path(), size.height, size.width)
	}
	s.Height, s.Width = size.height, size.width
	return s, nil
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
	n, known, err := f.toldNormalization(m)
	if err != nil {
		return n, err
	}
	if whole, err := takesWholeNumbers(m); err != nil || whole {
		return f.wholePixels(p, m, n, known, err)
	}
	if !known {
		if n, err = f.measured(ctx, p, m, train); err != nil {
			return n, err
		}
	}
	return normalizationFor(m, n)
}

// toldNormalization returns the normalization that the flags tell, else that which the model records; known is false if
// neither does.
func (f *dataFlags) toldNormalization(m *onnxgraph.Model) (n dataset.Normalization, known bool, err error) {
	if n, known = f.normalize.given(); known {
		return n, true, nil
	}
	n, known, err = recordedNormalization(m)
	return f.normalize.reorder(n), known, err
}

// normalizationFor returns n for the channels of the model's images, if the model says how many.
func normalizationFor(m *onnxgraph.Model, n dataset.Normalization) (dataset.Normalization, error) {
	shape, err := imageShape(m)
	if err != nil || shape.Channels == 0 {
		return n, err
	}
	if n, err = n.For(shape.Channels); err != nil {
		return n, fmt.Errorf("normalizing images for %s: %w", m.Path(), err)
	}
	return n, nil
}

// measured returns the normalization of the training images, in the model's order of channels, and tells it.
func (f *dataFlags) measured(ctx context.Context, p *printer, m *onnxgraph.Model, train func() (*dataset.Dataset, error)) (dataset.Normalization, error) {
	const choose = "--pixels, --mean and --std, or --normalize, choose otherwise"
	images, err := train()
	if err != nil {
		return dataset.Normalization{}, fmt.Errorf("%s does not record how images are normalized: give --normalize, or --pixels, --mean and --std; to measure it, training images are needed: %w", m.Path(), err)
	}
	if name, ok := formatNormalizations[images.Format]; ok {
		p.say("normalizing as %s; %s", name, choose)
		n, err := dataset.NamedNormalization(name)
		return f.normalize.reorder(n), err
	}
	limit := 0
	if images.Format == "imagefolder" {
		limit = measuredFiles
	}
	n, err := dataset.MeanStd(ctx, images, limit)
	if err != nil {
		return n, err
	}
	of := "the training images"
	if images.Split == dataset.All {
		of = "all images"
	}
	n = f.normalize.reorder(n)
	p.say("normalizing by mean %.4f and standard deviation %.4f, measured on %s; %s", n.Mean, n.Std, of, choose)
	return n, nil
}

// takesWholeNumbers reports whether the model's images are of an integer type. An error says that its type holds no pixels.
func takesWholeNumbers(m *onnxgraph.Model) (bool, error) {
	input, err := batch.Input(m)
	if err != nil {
		return false, err
	}
	switch t := input.DType(); t {
	case onnxgraph.Uint8, onnxgraph.Int16, onnxgraph.Uint16, onnxgraph.Int32, onnxgraph.Uint32, onnxgraph.Int64, onnxgraph.Uint64:
		return true, nil
	case onnxgraph.Float32, onnxgraph.Float16, onnxgraph.BFloat16, onnxgraph.Float64:
		return false, nil
	default:
		return false, fmt.Errorf("reading the input %q of %s: it takes %v, which cannot hold pixels from 0 to 255: needs a model that takes float32 or uint8 images", input.Name(), m.Path(), t)
	}
}

// checkAttack says why the model cannot be attacked, if that is asked for.
func checkAttack(m *onnxgraph.Model, epsilon fraction) error {
	if epsilon == 0 {
		return nil
	}
	if whole, err := takesWholeNumbers(m); err != nil || !whole {
		return err
	}
	return fmt.Errorf("--epsilon %s: %s takes images of whole numbers, which have no gradient for an attack to follow: needs a model that takes float32 images, or no --epsilon", epsilon.String(), m.Path())
}

// wholePixels returns the normalization that leaves pixels as they are, for a model that takes integers. What the flags or the
// model say must be the same.
func (f *dataFlags) wholePixels(p *printer, m *onnxgraph.Model, said dataset.Normalization, known bool, err error) (dataset.Normalization, error) {
	if err != nil {
		return said, err
	}
	raw := dataset.Range(0, 255)
	raw.Channels = said.Channels
	if !known {
		p.say("%s takes images of whole numbers: it gets pixels as they are, 0 to 255", m.Path())
	} else if !slices.Equal(slices.Compact(slices.Clone(said.Mean)), raw.Mean) || !slices.Equal(slices.Compact(slices.Clone(said.Std)), raw.Std) {
		return said, fmt.Errorf("%s takes images of whole numbers, which are not normalized: give --pixels 0:255, or none of --normalize, --mean and --std", m.Path())
	}
	return normalizationFor(m, raw)
}
