package dataset

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// Options says which part of a data set to open, and what the model takes.
type Options struct {
	Format  string // a name of [Formats]; empty or "auto" to detect it
	Split   Split  // one of [Splits]; Train if empty
	Shape   Shape  // of the model's images; components that are zero come from the data set
	Classes int    // number of classes of the model; 0 means that of the data set
	// ClassNames are the names of the model's classes in the order of its outputs, nil if they are not known. Labels of a
	// data set that names its classes are matched by name.
	ClassNames []string
	// AnyClasses says that labels do not matter, so the classes may differ from those of the model.
	AnyClasses bool

	// Resize scales images of another size: bilinear, antialiased, with the same aspect ratio, and cropped at the center. Without
	// Resize, another size is an error. Images in folders are always scaled, because they may have different sizes.
	Resize bool
	// ShortSide is the length of an image's shorter side after scaling and before the center crop; 0 means the smallest that
	// covers Shape. Any other length also turns Resize on. ImageNet models are usually measured with 256 for 224×224.
	ShortSide int

	// Limit is how many samples of the split are used at most, for quick tries; 0 means all. They are the first ones, or the first
	// of each class if the format may store samples class by class. All labels are checked anyway.
	Limit int

	Limits Limits
}

// format is a way to store image sets. A format only reads; Open checks labels and sizes.
type format struct {
	name   string
	needs  string // the needed files, for messages
	detect func(path string) bool
	open   func(path string, o Options) (*Dataset, error)
	// sorted says that samples may be stored class by class, so that the first ones of all may be of one class.
	sorted bool
}

var formats = []format{
	{"idx", "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same for t10k, plain or .gz", detectIDX, openIDX, false},
	{"cifar10", "data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt", cifar10.detect, cifar10.open, false},
	{"cifar100", "train.bin, test.bin, fine_label_names.txt", cifar100.detect, cifar100.open, false},
	{"svhn", "train_32x32.mat, test_32x32.mat", detectSVHN, openSVHN, false},
	{"npz", "a .npz file with x_train, y_train, x_val, y_val, x_test, y_test, or with images, labels", detectNPZ, openNPZ, true},
	{"webdataset", "tar files with names such as train-0000.tar, or in train, val and test folders, that have KEY.jpg or KEY.png beside KEY.cls, a class number", detectShards, openShards, true},
	{"imagefolder", "train, val and test folders, each with one folder of PNG or JPEG files per class", detectFolder, openFolder, true},
}

// Formats returns the names of the formats.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// Open opens one split of the data set at path. It reads all labels, and all pixels unless they are in image files. It
// fails if path has no data set, if files are missing or damaged, if labels are not valid classes, and if images or classes do
// not fit the model.
//
// If there is no test split, Open opens val instead, and the other way round. Nothing replaces a missing train split: that is an
// error. If the data set has no splits at all, Open opens all its images, whatever split is asked for. [Dataset].Split says which
// split was opened.
func Open(path string, o Options) (*Dataset, error) {
	d, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("opening data set %s: %w", path, err)
	}
	return d, nil
}

func open(path string, o Options) (*Dataset, error) {
	if o.Split == "" {
		o.Split = Train
	}
	if !slices.Contains(Splits(), o.Split) {
		return nil, fmt.Errorf("unknown split %q: choose one of %q", o.Split, Splits())
	}
	if min(o.Shape.Channels, o.Shape.Height, o.Shape.Width, o.Classes) < 0 {
		return nil, fmt.Errorf("a model of %v images and %d classes: needs no negative numbers", o.Shape, o.Classes)
	}
	if o.Limit < 0 {
		return nil, fmt.Errorf("a limit of %d images: needs a positive number, or 0 for all", o.Limit)
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = plainfile.Check(path, info)
	}
	if err != nil {
		return nil, err
	}
	f, err := chooseFormat(path, o.Format)
	if err != nil {
		return nil, err
	}
	d, err := f.open(path, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	d.Format = f.name
	if err := d.settle(o); err != nil {
		return nil, err
	}
	d.keepFirst(o.Limit, f.sorted)
	return d, nil
}

// settle checks the data that a format has read, and adapts it to the model.
func (d *Dataset) settle(o Options) error {
	if len(d.labels) == 0 {
		return fmt.Errorf("the %s split has no samples", d.Split)
	}
	if o.Split == Test && d.Split == Val {
		d.Notes = append(d.Notes, "there is no test split: val takes its place")
	}
	return errors.Join(d.fitClasses(o), d.fitShape(o))
}

func chooseFormat(path, name string) (format, error) {
	if name != "" && name != "auto" {
		i := slices.Index(Formats(), name)
		if i < 0 {
			return format{}, fmt.Errorf("unknown format %q: choose auto, %s", name, strings.Join(Formats(), ", "))
		}
		return formats[i], nil
	}
	var found []format
	var names []string
	var needs []error
	for _, f := range formats {
		needs = append(needs, fmt.Errorf("  %s: %s", f.name, f.needs))
		if f.detect(path) {
			found, names = append(found, f), append(names, f.name)
		}
	}
	switch len(found) {
	case 0:
		return format{}, errors.Join(emptyFolders(path), errors.New("no known format was recognized; the formats are"), errors.Join(needs...))
	case 1:
		return found[0], nil
	}
	return format{}, fmt.Errorf("found several formats, %s: name the one you mean", strings.Join(names, ", "))
}
