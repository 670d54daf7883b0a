package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
	"github.com/spf13/pflag"
)

// workCommand is the first argument of this program as a contestant.
const workCommand = "work"

// job is what a contestant works on.
type job struct {
	model     *onnxgraph.Model
	variant   string
	batchSize int
	data      string
	augment   string
	blockForm string
}

// works open a contestant's work: a function that does it once and returns how long it took, in milliseconds.
var works = map[string]func(ctx context.Context, j job) (func() (float64, error), error){
	"step": openSteps, "infer": openInference, "steps of an epoch": openEpochSteps, "epoch": openEpochs, "evaluation": openEvaluations,
}

// work is this program as a contestant: it works as process describes.
func work(ctx context.Context, args []string) error {
	var j job
	flags := pflag.NewFlagSet(workCommand, pflag.ContinueOnError)
	flags.StringVar(&j.variant, "variant", string(parameter.Baseline), "what trains")
	flags.IntVar(&j.batchSize, "batch-size", 1, "images per batch")
	flags.StringVar(&j.data, "data", "", "the data set")
	flags.StringVar(&j.augment, "augment", "", "augmentations")
	flags.StringVar(&j.blockForm, "block-form", string(trainstep.AutoForm), "how blocks are computed")
	library := flags.String("ort-lib", "", "the ONNX Runtime library or its folder")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() != 2 || works[flags.Arg(0)] == nil {
		return errors.New("work needs a kind of work, and a model")
	}
	if _, err := ort.Init(*library); err != nil {
		return err
	}
	var err error
	if j.model, err = onnxgraph.Load(flags.Arg(1)); err != nil {
		return err
	}
	once, err := works[flags.Arg(0)](ctx, j)
	if err != nil {
		return err
	}
	return serve(once)
}

// serve answers requests until stdin ends.
func serve(once func() (float64, error)) error {
	requests := bufio.NewScanner(os.Stdin)
	for requests.Scan() {
		n, err := strconv.Atoi(strings.TrimSpace(requests.Text()))
		if err != nil {
			return err
		}
		taken := make([]float64, n)
		for i := range taken {
			if taken[i], err = once(); err != nil {
				return err
			}
		}
		if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"ms": taken}); err != nil {
			return err
		}
	}
	return requests.Err()
}

// timed makes a function report how long it takes.
func timed(f func() error) func() (float64, error) {
	return func() (float64, error) {
		start := time.Now()
		err := f()
		return milliseconds(time.Since(start)), err
	}
}

// images returns the shape of a batch of the model's images.
func (j job) images() ([]int64, error) {
	input, err := batch.Input(j.model)
	if err != nil {
		return nil, err
	}
	dims, _ := input.Shape()
	shape := []int64{int64(j.batchSize)}
	for _, d := range dims[1:] {
		shape = append(shape, d.Size)
	}
	return shape, nil
}

func (j job) recipe() (train.Recipe, error) {
	r := train.PaperRecipe()
	r.BatchSize, r.BlockForm = j.batchSize, trainstep.BlockForm(j.blockForm)
	return r, r.Select(j.model, parameter.Variant(j.variant))
}

// openSteps prepares training steps on random images.
func openSteps(_ context.Context, j job) (func() (float64, error), error) {
	shape, err := j.images()
	if err != nil {
		return nil, err
	}
	recipe, err := j.recipe()
	if err != nil {
		return nil, err
	}
	step, err := train.Step(j.model, shape, recipe.StepOptions())
	if err != nil {
		return nil, err
	}
	stepper, err := train.OpenStep(step, ort.Options{})
	if err != nil {
		return nil, err
	}
	if err := fillNoise(stepper, step); err != nil {
		return nil, err
	}
	return timed(stepper.Step), nil
}

// fillNoise fills the images of a step with numbers from a normal distribution, and draws labels: were all equal, the
// gradient would vanish within some steps, and take longer where it is below the normal range of numbers.
func fillNoise(stepper *ort.Stepper, step *trainstep.Step) error {
	images, err := ort.InputData[float32](stepper, step.Image)
	if err != nil {
		return err
	}
	copy(images, noise(len(images)))
	labels, err := ort.InputData[int64](stepper, trainstep.LabelsInput)
	if err != nil {
		return err
	}
	for i := range labels {
		labels[i] = rand.New(rand.NewPCG(1, uint64(i))).Int64N(int64(step.Classes))
	}
	rate, err := ort.InputData[float32](stepper, trainstep.LearningRateInput)
	if err != nil {
		return err
	}
	rate[0] = 0.01
	return nil
}

func noise(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// openInference prepares runs of the model as it is in its file.
func openInference(_ context.Context, j job) (func() (float64, error), error) {
	shape, err := j.images()
	if err != nil {
		return nil, err
	}
	session, err := ort.Open(j.model.Path(), ort.Options{})
	if err != nil {
		return nil, err
	}
	size := int64(1)
	for _, d := range shape {
		size *= d
	}
	input := map[string]*onnxgraph.Tensor{session.Inputs()[0].Name: onnxgraph.NewTensor(shape, noise(int(size)))}
	return timed(func() error {
		_, err := session.Run(input)
		return err
	}), nil
}

// normalization is that of every data set here.
var normalization = dataset.Normalization{Mean: []float64{0.5, 0.5, 0.5}, Std: []float64{0.25, 0.25, 0.25}}

// openEpochSteps starts a training run that waits after each epoch. An epoch's time is from the end of the last measurement to
// the last step, per step.
func openEpochSteps(ctx context.Context, j job) (func() (float64, error), error) {
	return trainEpochs(ctx, j, func(run *train.Run, done func(steps int)) {
		run.Progress = func(p train.Progress) {
			if p.Step == p.Steps {
				done(p.Steps)
			}
		}
	})
}

// openEpochs is openEpochSteps for whole epochs, with the measurement and the checkpoint at the end.
func openEpochs(ctx context.Context, j job) (func() (float64, error), error) {
	return trainEpochs(ctx, j, func(run *train.Run, done func(steps int)) {
		measured := run.Measured
		run.Measured = func(row train.Row) {
			done(1)
			measured(row)
		}
	})
}

// trainEpochs starts a training run that waits after each epoch. watch makes it call done where an epoch's time ends, with a
// number to divide that by.
func trainEpochs(ctx context.Context, j job, watch func(run *train.Run, done func(parts int))) (func() (float64, error), error) {
	recipe, err := j.recipe()
	if err != nil {
		return nil, err
	}
	recipe.Epochs, recipe.LearningRate = math.MaxInt32, 0.01
	folder, err := atomicfile.NewTemporary(os.TempDir())
	if err != nil {
		return nil, err
	}
	run := &train.Run{Model: j.model, Recipe: recipe, Folder: train.Folder(filepath.Join(folder.Path, "run")), Keep: train.KeepLast, Normalize: normalization}
	if run.Augment, err = dataset.ParseAugmentations(j.augment); err != nil {
		return nil, err
	}
	if run.Train, run.Test, err = j.open(); err != nil {
		return nil, err
	}
	more, done := make(chan bool), make(chan float64)
	ended := make(chan error, 1)
	var begun time.Time // of an epoch; the first one, before it is set, warms up
	run.Measured = func(train.Row) {
		<-more
		begun = time.Now()
	}
	watch(run, func(parts int) {
		if !begun.IsZero() {
			done <- milliseconds(time.Since(begun)) / float64(parts)
		}
	})
	go func() {
		_, err := run.Do(ctx)
		ended <- errors.Join(err, folder.Remove())
	}()
	return func() (float64, error) {
		more <- true
		select {
		case ms := <-done:
			return ms, nil
		case err := <-ended:
			return 0, err
		}
	}, nil
}

// openEvaluations prepares measurements of the model on the test images.
func openEvaluations(ctx context.Context, j job) (func() (float64, error), error) {
	shape, err := j.images()
	if err != nil {
		return nil, err
	}
	fitted, image, err := specialize.Fit(j.model, shape)
	if err != nil {
		return nil, err
	}
	_, test, err := j.open()
	if err != nil {
		return nil, err
	}
	return timed(func() error {
		_, err := evaluate.Measure(ctx, fitted, image, test, evaluate.Options{BatchSize: j.batchSize, Normalize: normalization})
		return err
	}), nil
}

// open opens both splits of the data set.
func (j job) open() (training, test *dataset.Dataset, err error) {
	shape, err := j.images()
	if err != nil {
		return nil, nil, err
	}
	o := dataset.Options{Shape: dataset.Shape{Channels: int(shape[1]), Height: int(shape[2]), Width: int(shape[3])}, Resize: true}
	if training, err = dataset.Open(j.data, o); err != nil {
		return nil, nil, err
	}
	o.Split = dataset.Test
	test, err = dataset.Open(j.data, o)
	return training, test, err
}
