package train_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestFailingStep has a training image that ONNX Runtime cannot compute, as it leads to an index outside of a tensor: the run fails,
// names the step, and does not say that it was stopped.
func TestFailingStep(t *testing.T) {
	m := linear(t)
	g := m.Graph
	brightest := g.AddNode("ReduceMax", []*onnxgraph.Value{g.Inputs()[0]}, onnxgraph.Int("keepdims", 0))
	index := g.AddNode("Cast", brightest.Outputs(), onnxgraph.Int("to", int64(onnxgraph.Int64)))
	zeros := g.AddConstant("zeros", onnxgraph.NewTensor([]int64{3}, []float32{0, 0, 0})) // for what is up to 0.3 + 0.2·3
	logits := g.Outputs()[0]
	sum := g.AddNode("Add", []*onnxgraph.Value{logits, g.AddNode("Gather", []*onnxgraph.Value{zeros, index.Output(0)}).Output(0)})
	g.RemoveOutputs()
	g.AddOutput(sum.Output(0), onnxgraph.Float32, nil)
	r := newRun(t, m, parameter.Baseline)
	r.Recipe.Trained = []string{"weight", "bias"}
	r.Recipe.BatchSize, r.Recipe.Epochs = 10, 1
	folder := t.TempDir()
	labels := []byte{0, 1, 2, 3, 0, 1, 2, 3, 0, 1}
	datasettest.WriteIDX(t, folder, "train", side, labels, func(i, _, _ int) byte { return map[bool]byte{true: 255, false: 9}[i == 4] })
	datasettest.WriteIDX(t, folder, "t10k", side, labels, func(int, int, int) byte { return 9 })
	open := func(s dataset.Split) *dataset.Dataset {
		d, err := dataset.Open(folder, dataset.Options{Split: s, Classes: classes})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	r.Train, r.Test = open(dataset.Train), open(dataset.Test)
	_, err := r.Do(context.Background())
	if err == nil || !strings.Contains(err.Error(), "epoch 1, step 1: ") || strings.Contains(err.Error(), "--resume") {
		t.Errorf("got error %v", err)
	}
}

// TestImagesGoAway removes image files from under a run: it fails, names the file, and does not say that it was stopped.
func TestImagesGoAway(t *testing.T) {
	for _, split := range []string{"train", "test"} {
		t.Run(split, func(t *testing.T) {
			folder := t.TempDir()
			for _, split := range []string{"train", "test"} {
				for i := range 8 {
					path := filepath.Join(folder, split, fmt.Sprint("class", i%classes), fmt.Sprint(i, ".png"))
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					f, err := os.Create(path)
					if err != nil {
						t.Fatal(err)
					}
					picture := image.NewGray(image.Rect(0, 0, side, side))
					picture.Pix[i] = 200
					if err := png.Encode(f, picture); err != nil {
						t.Fatal(err)
					}
					if err := f.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
			open := func(s dataset.Split) *dataset.Dataset {
				d, err := dataset.Open(folder, dataset.Options{Split: s, Classes: classes, Shape: dataset.Shape{Channels: 1, Height: side, Width: side}})
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
			r := newRun(t, linear(t), parameter.Baseline)
			r.Train, r.Test = open(dataset.Train), open(dataset.Test)
			r.Recipe.BatchSize, r.Recipe.Epochs = 4, 2
			gone := filepath.Join(folder, split, "class1", "5.png")
			r.Begun = func(evaluate.Result) {
				if err := os.Remove(gone); err != nil {
					t.Fatal(err)
				}
			}
			_, err := r.Do(context.Background())
			if err == nil || !strings.Contains(err.Error(), "5.png") || strings.Contains(err.Error(), "--resume") {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// TestBestIsSpoiled replaces the best weights while a run is at work: by those of another model, which it does not take for its own, or
// by none. No other checkpoint has them, as the last epochs are worse.
func TestBestIsSpoiled(t *testing.T) {
	other := newRun(t, leNet(t), parameter.Baseline)
	other.Recipe.Epochs = 1
	do(t, other)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"another model": {readFile(t, filepath.Join(string(other.Folder), "best.ckpt")), "model was"},
		"nothing":       {nil, "--keep last"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t, linear(t), parameter.Baseline)
			r.Keep, r.Recipe.LearningRate = train.KeepBest, 1e-12 // so that the start is the best, or as good
			r.Measured = func(row train.Row) {
				if row.Epoch < r.Recipe.Epochs {
					return
				}
				if err := os.WriteFile(filepath.Join(string(r.Folder), "best.ckpt"), c.data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Do(context.Background()); err == nil || !strings.Contains(err.Error(), "best.ckpt") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestStopsWhileRecalibrating stops a run while its statistics are re-estimated: it returns no model.
func TestStopsWhileRecalibrating(t *testing.T) {
	r := newRun(t, resNet(t), parameter.Baseline)
	r.Recipe.Epochs, r.Recipe.BatchNorm = 1, train.BatchNormRecalibrate
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.Recalibrating = func(done, total int) { cancel() }
	if result, err := r.Do(ctx); result != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, error %v", result, err)
	}
}

// TestUnknownProvider runs on hardware that there is not: the error says so before the first step.
func TestUnknownProvider(t *testing.T) {
	r := newRun(t, linear(t), parameter.Baseline)
	r.Session.Provider = "abacus"
	if _, err := r.Do(context.Background()); err == nil || !strings.Contains(err.Error(), "abacus") || r.Folder.HasRun() {
		t.Errorf("got error %v, a checkpoint: %v", err, r.Folder.HasRun())
	}
	step, err := train.Step(linear(t), []int64{2, 1, side, side}, r.Recipe.StepOptions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.OpenStep(step, r.Session); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("opening a step: got error %v", err)
	}
}

// TestStep opens a single step, computes it on black images, all of one class, and looks at its loss. A step for images of another
// size than the model's is refused.
func TestStep(t *testing.T) {
	orttest.Init(t)
	o := train.PaperRecipe().StepOptions()
	o.Trained = []string{"weight", "bias"}
	if _, err := train.Step(linear(t), []int64{2, 3, side, side}, o); err == nil {
		t.Error("a step for colored images of a model for gray ones")
	}
	step, err := train.Step(linear(t), []int64{2, 1, side, side}, o)
	if err != nil {
		t.Fatal(err)
	}
	stepper, err := train.OpenStep(step, orttest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	defer stepper.Close()
	if err := stepper.Step(); err != nil {
		t.Fatal(err)
	}
	loss, err := ort.OutputData[float32](stepper, trainstep.LossOutput)
	if err != nil || math.Abs(float64(loss[0])-math.Log(classes)) > 1e-6 { // all classes are as probable
		t.Errorf("the loss is %v (%v)", loss, err)
	}
}

// TestFolderInTheWay puts a folder where a run is about to write a file: the run fails and names it, whatever it was doing.
func TestFolderInTheWay(t *testing.T) {
	put := func(r *train.Run, name string) {
		t.Helper()
		path := filepath.Join(string(r.Folder), name)
		if err := errors.Join(os.RemoveAll(path), os.MkdirAll(filepath.Join(path, "full"), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"metrics.csv", "best.ckpt", "last.ckpt", "previous.ckpt"} {
		for when, c := range map[string]struct {
			set   func(r *train.Run, cancel func())
			files string // those that are written then
		}{
			"while measuring the start": {func(r *train.Run, _ func()) { r.Measuring = func(int, int) { put(r, name) } }, "metrics.csv best.ckpt last.ckpt previous.ckpt"},
			"after a step": {func(r *train.Run, _ func()) {
				r.SaveEvery = 1
				r.Progress = func(p train.Progress) {
					if put(r, name); p.Step > 1 {
						t.Errorf("%s: the run goes on", name)
					}
				}
			}, "last.ckpt previous.ckpt"},
			"after the last step": {func(r *train.Run, _ func()) {
				r.Progress = func(p train.Progress) {
					if p.Step == p.Steps {
						put(r, name)
					}
				}
			}, "metrics.csv last.ckpt previous.ckpt"},
			"when it is stopped": {func(r *train.Run, cancel func()) { r.Progress = func(train.Progress) { put(r, name); cancel() } }, "last.ckpt previous.ckpt"},
		} {
			if !strings.Contains(c.files, name) {
				continue
			}
			r := newRun(t, linear(t), parameter.Baseline)
			r.Recipe.Epochs = 1
			ctx, cancel := context.WithCancel(context.Background())
			c.set(r, cancel)
			_, err := r.Do(ctx)
			if cancel(); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "--resume") {
				t.Errorf("%s %s: got error %v", name, when, err)
			}
		}
	}
	for _, name := range []string{"metrics.csv", "best.ckpt", "last.ckpt"} {
		r := stopped(t)
		put(r, name)
		if _, err := r.Do(context.Background()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s, when it is resumed: got error %v", name, err)
		}
	}
}
