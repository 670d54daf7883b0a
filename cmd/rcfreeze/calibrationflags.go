package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/spf13/pflag"
)

// maxCalibrationImages bounds the images of a calibration, which are all in memory.
const maxCalibrationImages = 1000

// calibrationFlags say on which images --pointwise calibrate works, and what runs them.
type calibrationFlags struct {
	data    dataFlags
	images  int
	runtime runtimeFlags
}

func (f *calibrationFlags) add(flags *pflag.FlagSet) {
	f.data.addOptional(flags)
	flags.IntVar(&f.images, "calibration-images", 256, fmt.Sprintf("training images for --pointwise calibrate, at most %d", maxCalibrationImages))
	f.runtime.add(flags)
}

// check says what is wrong with the flags, before anything is read.
func (f *calibrationFlags) check(pointwise transform.Pointwise) error {
	if pointwise != transform.Calibrate {
		if f.data.path != "" {
			return fmt.Errorf("--data %s: --pointwise %s takes no data, only --pointwise calibrate does", f.data.path, pointwise)
		}
		return nil
	}
	var faults []error
	if f.data.path == "" {
		faults = append(faults, errors.New("--pointwise calibrate: needs images: give --data"))
	}
	if f.images < 1 || f.images > maxCalibrationImages {
		faults = append(faults, fmt.Errorf("--calibration-images %d: needs from 1 to %d", f.images, maxCalibrationImages))
	}
	return errors.Join(append(faults, f.data.check())...)
}

// convert converts the model with weights that are calibrated on training images.
func (f *calibrationFlags) convert(ctx context.Context, p *printer, m *onnxgraph.Model, o transform.Options) ([]transform.Conversion, error) {
	session, err := f.runtime.start(p)
	if err != nil {
		return nil, err
	}
	set, err := f.data.images(p, m, dataset.Train)
	if err != nil {
		return nil, err
	}
	normalize, err := f.data.normalization(ctx, p, m, func() (*dataset.Dataset, error) { return set, nil })
	if err != nil {
		return nil, err
	}
	images, err := calibrate.Load(ctx, set, f.images, dataset.LoaderOptions{Seed: o.Seed, Normalize: normalize, Workers: f.data.workers})
	if err != nil {
		return nil, err
	}
	bar := p.progress()
	defer bar.clear()
	return calibrate.Convert(ctx, m, calibrate.Options{
		Convert: o, Images: images, Session: session,
		Progress: func(done, total int, layer string) { bar.show("calibrating", done, total, layer) },
	})
}
