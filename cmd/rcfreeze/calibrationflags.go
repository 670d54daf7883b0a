package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/batchnorm"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/spf13/pflag"
)

// maxCalibrationImages bounds the images of a calibration, which are all in memory.
const maxCalibrationImages = 1000

// calibrationFlags say on which images a conversion works (--pointwise calibrate, --add-batchnorm), and what runs them.
type calibrationFlags struct {
	data    dataFlags
	images  int
	runtime runtimeFlags
	onData  *pflag.FlagSet // the flags that need --data
}

func (f *calibrationFlags) add(flags *pflag.FlagSet) {
	f.onData = pflag.NewFlagSet("", pflag.ContinueOnError)
	f.data.addOptional(f.onData)
	f.onData.IntVar(&f.images, "calibration-images", calibrate.DefaultImages, fmt.Sprintf("training images to use for --pointwise calibrate and --add-batchnorm, at most %d", maxCalibrationImages))
	f.runtime.add(f.onData)
	flags.AddFlagSet(f.onData)
}

// checkUnused returns an error that lists the flags which have nothing to act on without --data. Those that say what the model
// takes are recorded in it, with data or without.
func (f *calibrationFlags) checkUnused() error {
	recorded := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(normalizeFlags).add(recorded)
	var unused []string
	f.onData.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "classes" && recorded.Lookup(flag.Name) == nil {
			unused = append(unused, "--"+flag.Name)
		}
	})
	if len(unused) == 0 {
		return nil
	}
	return fmt.Errorf("%s: no images are read without --data: add --data, or leave these flags out", strings.Join(unused, ", "))
}

// check says what is wrong with the flags, before anything is read. norms says that --add-batchnorm is given.
func (f *calibrationFlags) check(pointwise transform.Pointwise, norms bool) error {
	calibrated := pointwise == transform.Calibrate
	switch {
	case !calibrated && f.data.path == "":
		return errors.Join(f.data.check(), f.checkUnused())
	case !calibrated && !norms:
		return fmt.Errorf("--data %s: --pointwise %s takes no data, only --pointwise calibrate and --add-batchnorm do", f.data.path, pointwise)
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

// calibrationData is what the flags stand for.
type calibrationData struct {
	set       *dataset.Dataset
	normalize dataset.Normalization
	images    int
	workers   int
	session   ort.Options
}

// open opens the images for a model, nil without --data.
func (f *calibrationFlags) open(ctx context.Context, p *printer, m *onnxgraph.Model) (*calibrationData, error) {
	if f.data.path == "" {
		return nil, nil
	}
	d := &calibrationData{images: f.images, workers: p.asMany("--workers", f.data.workers)}
	var err error
	if d.session, err = f.runtime.start(p); err != nil {
		return nil, err
	}
	if d.set, err = f.data.images(p, m, dataset.Train); err != nil {
		return nil, err
	}
	d.normalize, err = f.data.normalization(ctx, p, m, func() (*dataset.Dataset, error) { return d.set, nil })
	return d, err
}

// describe records in the model what is known of its images and classes: by the data that it was converted with, else by the
// flags.
func (f *calibrationFlags) describe(m *onnxgraph.Model, data *calibrationData) error {
	names, err := f.data.classNames(m)
	if err != nil {
		return err
	}
	if data != nil {
		return describe(m, data.normalize, names)
	}
	n, known, err := f.data.toldNormalization(m)
	if err != nil {
		return err
	}
	if !known && f.data.normalize.channels != "" {
		return fmt.Errorf("--channels %s: is recorded with a normalization: give --normalize, or --pixels, --mean and --std, too", f.data.normalize.channels)
	}
	if known {
		if n, err = normalizationFor(m, n); err != nil {
			return err
		}
		return describe(m, n, names)
	}
	if names == nil {
		return nil
	}
	return record(m, classesKey, names)
}

// convert converts the model with weights that are calibrated on training images.
func (d *calibrationData) convert(ctx context.Context, p *printer, m *onnxgraph.Model, o transform.Options) ([]transform.Conversion, error) {
	images, err := calibrate.Load(ctx, d.set, d.images, dataset.LoaderOptions{Seed: o.Seed, Normalize: d.normalize, Workers: d.workers})
	if err != nil {
		return nil, err
	}
	p.tellImages(images.Count(), d.set.Len(), "--calibration-images")
	bar := p.progress()
	defer bar.clear()
	return calibrate.Convert(ctx, m, calibrate.Options{
		Convert: o, Images: images, Session: d.session,
		Progress: func(done, total int, layer string) { bar.show("calibrating", done, total, layer) },
	})
}

// adopt starts batch normalisations that were just added by what they read of training images.
func (d *calibrationData) adopt(ctx context.Context, p *printer, m *onnxgraph.Model, means []string, seed uint64) error {
	const batchSize = 64 // at most; statistics in inference hardly depend on it
	bar := p.progress()
	defer bar.clear()
	report, err := batchnorm.Adopt(ctx, m, d.set, batchnorm.Options{
		BatchSize: batchSize, Images: d.images, Means: means, Normalize: d.normalize, Workers: d.workers, Seed: seed, Session: d.session,
		Progress: func(done, total int) { bar.show("measuring what BatchNorm reads", done, total, "images") },
	})
	if err != nil {
		return err
	}
	bar.clear()
	p.tellImages(report.Images, d.set.Len(), "--calibration-images")
	return nil
}
