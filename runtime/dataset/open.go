package dataset

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Options says which part of a data set to open and what the model takes.
type Options struct {
	Format  string // a name of [Formats]; empty or "auto" to detect it
	Split   Split  // Train if empty
	Shape   Shape  // what the model takes; a zero component takes what the data set has
	Classes int    // how many classes the model tells apart; 0 takes what the data set has

	// Resize allows scaling images of another size: bilinear, antialiased, the aspect kept, the middle cut
	// out. Without it another size is an error. Image folders, whose images have no common size, are always
	// scaled.
	Resize bool
	// ShortSide is the length to which scaling brings an image's shorter side before the middle is cut out;
	// 0 takes the smallest that covers Shape. ImageNet models are customarily measured with 256 for 224×224.
	ShortSide int
}

// format is a way in which image sets are stored. Open checks labels and sizes, so that a format only reads.
type format struct {
	name   string
	needs  string // what has to be there, for messages
	detect func(path string) bool
	open   func(path string, o Options) (*Dataset, error)
}

var formats = []format{
	{"idx", "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same for t10k, plain or .gz", detectIDX, openIDX},
	{"cifar10", "data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt", cifar10.detect, cifar10.open},
	{"cifar100", "train.bin, test.bin, fine_label_names.txt", cifar100.detect, cifar100.open},
	{"npz", "a .npz file with x_train, y_train, x_test, y_test, or with images, labels", detectNPZ, openNPZ},
	{"imagefolder", "train and val folders, each with one folder of PNG or JPEG files per class", detectFolder, openFolder},
}

// Formats returns the names of the formats.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// Open opens one split of the data set at path. It reads all labels, and all pixels unless the format is
// an image folder. The errors: nothing readable at path, missing or damaged files, labels outside the
// classes, and images or classes that do not fit the model.
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
	if o.Split != Train && o.Split != Test {
		return nil, fmt.Errorf("unknown split %q: choose %q or %q", o.Split, Train, Test)
	}
	if min(o.Shape.Channels, o.Shape.Height, o.Shape.Width, o.Classes) < 0 {
		return nil, fmt.Errorf("a model of %v images and %d classes: needs no negative numbers", o.Shape, o.Classes)
	}
	if _, err := os.Stat(path); err != nil {
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
	d.Format, d.Split = f.name, o.Split
	if len(d.labels) == 0 {
		return nil, fmt.Errorf("the %s split has no samples", o.Split)
	}
	if err := errors.Join(d.fitClasses(o.Classes), d.fitShape(o)); err != nil {
		return nil, err
	}
	return d, nil
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
	var names, needs []string
	for _, f := range formats {
		needs = append(needs, fmt.Sprintf("\n  %s: %s", f.name, f.needs))
		if f.detect(path) {
			found, names = append(found, f), append(names, f.name)
		}
	}
	switch len(found) {
	case 0:
		return format{}, fmt.Errorf("found no known format; the formats are%s", strings.Join(needs, ""))
	case 1:
		return found[0], nil
	}
	return format{}, fmt.Errorf("found several formats, %s: name the one you mean", strings.Join(names, ", "))
}

// fitClasses checks the labels, and names the classes of a format that does not: 0 to the model's last
// class, or to the largest label if the model does not say.
func (d *Dataset) fitClasses(model int) error {
	if !d.named {
		if model == 0 {
			model = int(max(0, min(slices.Max(d.labels), maxClasses-1))) + 1
		}
		d.Classes = numberNames(model)
	}
	if model != 0 && model != len(d.Classes) {
		return fmt.Errorf("the data set has %d classes, the model tells %d apart: train a new last layer for them (--num-classes %[1]d)",
			len(d.Classes), model)
	}
	err := d.checkLabels()
	if err != nil && !d.named && model != 0 && slices.Max(d.labels) < maxClasses {
		err = fmt.Errorf("%w\nif these labels are right, train a new last layer for them (--num-classes %d)", err, slices.Max(d.labels)+1)
	}
	return err
}

// maxClasses keeps a damaged label from making names for billions of classes.
const maxClasses = 1 << 20

func numberNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// checkLabels returns an error that counts the samples whose label is no index into Classes, and lists the
// first few.
func (d *Dataset) checkLabels() error {
	const listed = 5
	var bad []string
	count := 0
	for i, label := range d.labels {
		if label >= 0 && label < int64(len(d.Classes)) {
			continue
		}
		if count++; count <= listed {
			bad = append(bad, fmt.Sprintf("\n  %s: label %d", d.sample(i), label))
		}
	}
	if count == 0 {
		return nil
	}
	if count > listed {
		bad = append(bad, "\n  …")
	}
	return fmt.Errorf("%d of %d samples have a label outside the %d classes (0 to %d):%s",
		count, len(d.labels), len(d.Classes), len(d.Classes)-1, strings.Join(bad, ""))
}
