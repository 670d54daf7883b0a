package main

import (
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// dataFlags say which images to read, and how.
type dataFlags struct {
	data      rcfreeze.Data
	imageSize imageSize
	classes   string // a file
	limits    limitFlags
	normalize normalizeFlags
}

func (f *dataFlags) add(cmd *cobra.Command) {
	f.addOptional(cmd.Flags())
	cmd.MarkFlagRequired("data")
}

// addOptional adds the flags for a command that can do without data.
func (f *dataFlags) addOptional(flags *pflag.FlagSet) {
	flags.StringVar(&f.data.Path, "data", "", "the data set: a folder or a file, such as cifar-10-batches-bin")
	flags.StringVar(&f.data.Format, "format", "auto", "format of the data set: auto (detect it), "+strings.Join(dataset.Formats(), ", "))
	flags.BoolVar(&f.data.Resize, "resize", false, "scale the images of IDX, CIFAR, SVHN and npz files to the size that the model takes; without it, such images of another size are refused. Image folders and tar files are always scaled")
	flags.IntVar(&f.data.Limit, "limit", 0, "use only this many images of each split, for a quick try: the first ones, or in image folders, npz and tar files, where images may be sorted by class, the first of each class in turn; mean and standard deviation, if measured, are those of the images that are used (0: all)")
	f.limits.addArrays(flags, "of IDX, CIFAR, SVHN and npz files")
	f.addReading(flags, fromTraining)
}

// addReading adds the flags that say how images are read, wherever they are, and how they are normalized if neither the flags nor the
// model say it.
func (f *dataFlags) addReading(flags *pflag.FlagSet, otherwise string) {
	flags.Var(&f.imageSize, "image-size", "size to scale images to, for a model that takes any size: 224, or height and width as in 224x160")
	flags.IntVar(&f.data.ShortSide, "short-side", 0, "scale the shorter side of each image to this many pixels, then cut out the middle (0: as few pixels as cover the size that the model takes)")
	flags.StringVar(&f.classes, "classes", "", "file with the names of the classes, in the order of the model's outputs: one name per line, or a JSON list (default: the names that the model records)")
	f.limits.addPixels(flags)
	f.normalize.add(flags, otherwise)
	flags.IntVarP(&f.data.Workers, "workers", "j", 0, "images to read at the same time, up to the number of available cores (0: all of them)")
}

// settle gives the options what the flags stand for.
func (f *dataFlags) settle(d *rcfreeze.Data) error {
	*d = f.data
	d.Limits, d.ImageSize, d.Channels = f.limits.limits(), rcfreeze.ImageSize(f.imageSize), f.normalize.channels
	if err := f.normalize.check(); err != nil {
		return usage(err)
	}
	if n, ok := f.normalize.given(); ok {
		d.Normalize = &n
	}
	if f.classes == "" {
		return nil
	}
	var err error
	d.Classes, err = dataset.ReadClassNames(f.classes)
	return err
}

func addLogits(flags *pflag.FlagSet, name *string) {
	flags.StringVar(name, "logits", "", "name of the output that scores the classes: the logits, or their Softmax or Sigmoid (default: the only output, or the only one that fits the classes of the data)")
}

// measuredOnFacts returns what people read of the images that a result was measured on.
func measuredOnFacts(m rcfreeze.MeasuredOn) [][2]string {
	classes := string(count(m.Classes))
	if m.Classes != m.ModelClasses {
		classes += fmt.Sprintf(" of the model's %s", count(m.ModelClasses))
	}
	return [][2]string{{"images", fmt.Sprintf("%s, %s", count(m.Images), m.Which())}, {"classes", classes}}
}
