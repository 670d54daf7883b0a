package train_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestLearns trains nets on images that are easy to tell apart.
func TestLearns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		model func(*testing.T) *onnxgraph.Model
		set   func(*train.Recipe)
	}{
		{"resnet", resNet, func(*train.Recipe) {}},
		{"lenet with adamw", leNet, func(r *train.Recipe) { r.Optimizer, r.LearningRate, r.WarmupEpochs = "adamw", 0.01, 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t, c.model(t), parameter.Baseline)
			r.Recipe.Epochs = 8
			c.set(&r.Recipe)
			before := modelBytes(t, r.Model)
			var measured []train.Row
			steps := 0
			r.Measured = func(row train.Row) { measured = append(measured, row) }
			loss, rate := make([]float64, 8), make([]float64, 8) // the mean, and that of the last step, by epoch
			r.Progress = func(p train.Progress) {
				if want := (train.Progress{Epoch: steps/4 + 1, Epochs: 8, Step: steps%4 + 1, Steps: 4, Loss: p.Loss, LearningRate: p.LearningRate}); p != want {
					t.Errorf("step %d is told as %+v, want %+v", steps, p, want)
				}
				loss[steps/4] += p.Loss / 4
				rate[steps/4] = p.LearningRate
				steps++
			}
			result := do(t, r)
			h := result.History
			first, last := h[0], h[len(h)-1]
			t.Logf("loss %.3f to %.3f, top-1 on test images %.3f", first.TrainLoss, last.TrainLoss, last.TestTop1)
			if last.TrainLoss > 0.7*first.TrainLoss || last.TestTop1 < 0.9 || last.TestTop5 != 1 {
				t.Errorf("from %+v to %+v: it did not learn", first, last)
			}
			if !slices.Equal(measured, h) || len(h) != 8 || steps != 8*4 {
				t.Errorf("%d epochs measured, %d in the history, %d steps: want 8, 8, 32", len(measured), len(h), steps)
			}
			for i, row := range h {
				if row.Epoch != i+1 || row.LearningRate != rate[i] || math.Abs(row.TrainLoss-loss[i]) > 1e-9 || row.TrainTop1 < 0 || row.TrainTop1 > 1 || row.Seconds <= 0 {
					t.Errorf("epoch %d has %+v; the steps had mean loss %v, and rate %v", i+1, row, loss[i], rate[i])
				}
			}
			if last.TrainTop1 < 0.9 {
				t.Errorf("in the end, %v of the training images were right", last.TrainTop1)
			}
			if !slices.Equal(before, modelBytes(t, r.Model)) {
				t.Error("the source was changed")
			}
			checkMetrics(t, r, result.Start, h)
		})
	}
}

// checkMetrics compares the file of metrics with the history.
func checkMetrics(t *testing.T, r *train.Run, start evaluate.Result, history []train.Row) {
	t.Helper()
	text := readFile(t, filepath.Join(string(r.Folder), "metrics.csv"))
	lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil || len(lines) != len(history)+2 {
		t.Fatalf("metrics have %d lines (%v), want %d", len(lines), err, len(history)+2)
	}
	if got, want := strings.Join(lines[0], " "), "epoch lr train_loss train_top1 test_loss test_top1 test_top5 seconds"; got != want {
		t.Errorf("the columns are %s, want %s", got, want)
	}
	if got, want := lines[1], []string{"0", "", "", "", fmt.Sprintf("%.6g", start.Loss), fmt.Sprintf("%.6g", start.Top1), "1", ""}; !slices.Equal(got, want) {
		t.Errorf("the line of the start is %q, want %q", got, want)
	}
	for i, row := range history {
		for j, want := range []float64{float64(row.Epoch), row.LearningRate, row.TrainLoss, row.TrainTop1, row.TestLoss, row.TestTop1, row.TestTop5, row.Seconds} {
			got, err := strconv.ParseFloat(lines[i+2][j], 64)
			if err != nil || math.Abs(got-want) > 1e-5*math.Abs(want) && lines[0][j] != "seconds" || math.Abs(got-want) > 0.06 {
				t.Errorf("%s of epoch %d is %s, want %v", lines[0][j], i+1, lines[i+2][j], want)
			}
		}
	}
}

// TestKeepBest checks which epoch's weights a run returns.
func TestKeepBest(t *testing.T) {
	t.Parallel()
	r := newRun(t, leNet(t), parameter.Baseline)
	r.Keep = train.KeepBest
	r.Recipe.Schedule, r.Recipe.StepEpochs, r.Recipe.StepFactor = "step", 2, 30 // the third epoch spoils it
	var want []byte
	best, bestEpoch := -1.0, -1
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.Begun = func(start evaluate.Result) {
		best, bestEpoch, want = start.Top1, 0, readFile(t, lastCheckpoint(r))
	}
	r.Measured = func(row train.Row) {
		if row.TestTop1 > best {
			best, bestEpoch, want = row.TestTop1, row.Epoch, readFile(t, lastCheckpoint(r))
		}
		if row.Epoch == 3 {
			cancel()
		}
	}
	r.Do(ctx) // which either is stopped or diverges
	if bestEpoch == 3 {
		t.Fatal("the last epoch is the best: this tests nothing")
	}
	got := states(t, filepath.Join(string(r.Folder), "best.ckpt"))
	path := filepath.Join(t.TempDir(), "want.ckpt")
	if err := atomicfile.Write(path, writer(want)); err != nil {
		t.Fatal(err)
	}
	for name, data := range states(t, path) {
		if !slices.Equal(got[name], data) {
			t.Errorf("state %s is not that of the best epoch", name)
		}
	}
}

// TestKeepStart spoils a model that was good: what is kept is the model as it was, and what was measured before the first step
// is what it measures.
func TestKeepStart(t *testing.T) {
	t.Parallel()
	good := newRun(t, resNet(t), parameter.Baseline)
	good.Recipe.Epochs = 8
	trained := do(t, good)
	last := trained.History[7]
	r := newRun(t, trained.Model, parameter.Baseline)
	r.Keep, r.Recipe.Epochs, r.Recipe.LearningRate, r.Recipe.ClipNorm = train.KeepBest, 2, 5, 1
	var begun evaluate.Result
	r.Begun = func(start evaluate.Result) { begun = start }
	result := do(t, r)
	if start := result.Start; start != begun || start.Top1 != last.TestTop1 || math.Abs(start.Loss-last.TestLoss) > 1e-6 || start.Samples != 30 {
		t.Errorf("at the start %+v, told as %+v; after the training before %+v", start, begun, last)
	}
	if h := result.History; h[0].TestTop1 >= last.TestTop1 || h[1].TestTop1 >= last.TestTop1 {
		t.Fatalf("training did not spoil the model: this tests nothing: %+v", h)
	}
	if names := changed(t, trained.Model, result.Model); len(names) > 0 {
		t.Errorf("%q are not those of the start", names)
	}
}

// TestDamagedStart refuses a model whose parameters are no numbers, or whose outputs are none, before the first step.
func TestDamagedStart(t *testing.T) {
	for name, value := range map[string]float32{"not a number": float32(math.NaN()), "too large": 3e38} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t, leNet(t), parameter.Baseline)
			weight := r.Model.Graph.Value("fc1.weight")
			data := constant(t, r.Model, "fc1.weight")
			for i := range data {
				data[i] = value
			}
			weight.SetConstant(onnxgraph.NewTensor(weight.Constant().Dims(), data))
			_, err := r.Do(context.Background())
			if err == nil || strings.Contains(err.Error(), "diverged") || r.Folder.HasRun() {
				t.Errorf("got error %v, a checkpoint: %v", err, r.Folder.HasRun())
			}
		})
	}
}

// TestDivergence lets the second epoch diverge: the run names the step, and keeps the checkpoint of the first.
func TestDivergence(t *testing.T) {
	t.Parallel()
	r := newRun(t, leNet(t), parameter.Baseline)
	r.Recipe.Schedule, r.Recipe.StepEpochs, r.Recipe.StepFactor = "step", 1, 1e30
	var good []byte
	r.Measured = func(train.Row) { good = readFile(t, lastCheckpoint(r)) }
	_, err := r.Do(context.Background())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"epoch 2, step ", "diverged", "last.ckpt", "learning rate (now 5e+28)", "bound the gradient with --clip-grad"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got error %q, want one with %q", err, want)
		}
	}
	if good == nil || !slices.Equal(good, readFile(t, lastCheckpoint(r))) {
		t.Error("the last good checkpoint is not there any more")
	}
}

// TestBoundedDivergence diverges with a bound on the gradient, which is told.
func TestBoundedDivergence(t *testing.T) {
	r := newRun(t, linear(t), parameter.Baseline)
	r.Recipe.LearningRate, r.Recipe.ClipNorm = 1e38, 0.5
	if _, err := r.Do(context.Background()); err == nil || !strings.Contains(err.Error(), "diverged") || !strings.Contains(err.Error(), "--clip-grad (now 0.5)") {
		t.Errorf("got error %v", err)
	}
}

// TestNothingToRecalibrate trains a model without running statistics, which are to be estimated.
func TestNothingToRecalibrate(t *testing.T) {
	r := newRun(t, linear(t), parameter.Baseline)
	r.Recipe.Epochs, r.Recipe.BatchNorm = 1, train.BatchNormRecalibrate
	do(t, r)
}

// TestDivergedStateIsNotSaved stops a run right after the step that ruins its weights, whose own loss is fine.
func TestDivergedStateIsNotSaved(t *testing.T) {
	t.Parallel()
	r := newRun(t, leNet(t), parameter.Baseline)
	r.Recipe.Schedule, r.Recipe.StepEpochs, r.Recipe.StepFactor = "step", 1, 1e45 // too large for float32
	var good []byte
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.Measured = func(train.Row) { good = readFile(t, lastCheckpoint(r)) }
	afterStep(2, 1)(r, cancel)
	_, err := r.Do(ctx)
	if err == nil || !strings.Contains(err.Error(), "diverged") {
		t.Errorf("got error %v, want one that says that training diverged", err)
	}
	if good == nil || !slices.Equal(good, readFile(t, lastCheckpoint(r))) {
		t.Error("the last good checkpoint is not there any more")
	}
}

func TestFaults(t *testing.T) {
	cases := []struct {
		name   string
		change func(r *train.Run)
		want   []string
	}{
		{"settings", func(r *train.Run) {
			r.Recipe.Epochs, r.Recipe.Optimizer, r.Recipe.Schedule, r.Recipe.LabelSmoothing = 0, "lion", "triangle", 1
			r.Recipe.GradAccumSteps = -1
		}, []string{"--epochs 0", "--optimizer lion: needs one of adamw, sgd", "--scheduler triangle: needs one of constant, cosine", "--label-smoothing 1", "--grad-accum-steps -1"}},
		{"numbers that are none", func(r *train.Run) {
			x := &r.Recipe
			x.LearningRate, x.Momentum, x.WarmupEpochs, x.StepFactor = math.NaN(), math.NaN(), math.Inf(1), math.NaN()
			x.WeightDecay, x.LabelSmoothing, x.ClipNorm = math.Inf(1), math.NaN(), math.Inf(1)
		}, []string{"--lr NaN", "--momentum NaN", "--warmup-epochs +Inf", "--step-factor NaN", "--weight-decay +Inf", "--label-smoothing NaN", "--clip-grad +Inf"}},
		{"batch larger than the data set", func(r *train.Run) { r.Recipe.BatchSize = 71 }, []string{"70 samples", "batch of 71", "smaller batch size"}},
		{"unknown parameter", func(r *train.Run) { r.Recipe.Trained = []string{"nowhere"} }, []string{`"nowhere"`}},
		{"more classes than the model has", func(r *train.Run) {
			var err error
			if r.Model, err = architecture.New("lenet", architecture.Options{Classes: classes - 1, Channels: 1, ImageHeight: side, ImageWidth: side}); err != nil {
				t.Fatal(err)
			}
		}, []string{fmt.Sprintf("has %d classes", classes), fmt.Sprintf("has %d:", classes-1), fmt.Sprintf("--num-classes %d", classes)}},
		{"no such node to train from", func(r *train.Run) { r.Recipe.TrainFrom = "nowhere" }, []string{`"nowhere"`}},
		{"images of another size", func(r *train.Run) {
			var err error
			if r.Model, err = newOther(); err != nil {
				t.Fatal(err)
			}
		}, []string{"[batch 3 32 32]", "[16 1 12 12]"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t, leNet(t), parameter.Baseline)
			c.change(r)
			_, err := r.Do(context.Background())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want one with %q", err, want)
				}
			}
		})
	}
}
