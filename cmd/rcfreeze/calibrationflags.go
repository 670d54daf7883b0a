package main

import (
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/spf13/pflag"
)

// calibrationFlags say on which images a conversion works (--pointwise calibrate, --add-batchnorm).
type calibrationFlags struct {
	data   dataFlags
	images int
	onData *pflag.FlagSet // the flags that need --data
}

// add adds the flags, and those of what runs the images.
func (f *calibrationFlags) add(flags *pflag.FlagSet, runtime *runtimeFlags) {
	f.onData = pflag.NewFlagSet("", pflag.ContinueOnError)
	f.data.addOptional(f.onData)
	f.onData.IntVar(&f.images, "calibration-images", calibrate.DefaultImages, fmt.Sprintf("training images to use for --pointwise calibrate and --add-batchnorm, at most %d", rcfreeze.MaxCalibrationImages))
	runtime.add(f.onData)
	flags.AddFlagSet(f.onData)
}

// checkUnused returns an error that lists the flags which have nothing to act on without --data. Those that say what the model
// takes are recorded in it, with data or without, and ONNX Runtime works out sizes for the table.
func (f *calibrationFlags) checkUnused() error {
	if f.data.data.Path != "" {
		return nil
	}
	recorded := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(normalizeFlags).add(recorded, fromTraining)
	var unused []string
	f.onData.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "classes" && flag.Name != "ort-lib" && recorded.Lookup(flag.Name) == nil {
			unused = append(unused, "--"+flag.Name)
		}
	})
	if len(unused) == 0 {
		return nil
	}
	return fmt.Errorf("%s: no images are read without --data: add --data, or leave these flags out", strings.Join(unused, ", "))
}
