package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/spf13/pflag"
)

// quick are the flags of a training run of a moment.
var quick = []string{"--data", "bands", "--epochs", "3", "--batch_size", "8", "--lr", "0.03", "--weight-decay", "0"}

func trainArgs(model, output string, more ...string) []string {
	return append(append([]string{"train", model, "-o", output}, quick...), more...)
}

func TestTrainThenEval(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx", "-E", "8")
	trained := succeedJSON[rcfreeze.Trained](t, trainArgs("blocks.onnx", "tuned.onnx", "--epsilon", "8/255", "--epochs", "8", "--lr", "0.1")...)
	if trained.Variant != "frozen" || len(trained.History) != 8 || trained.Recipe.Epochs != 8 || trained.Recipe.BatchSize != 8 {
		t.Errorf("trained %+v", trained)
	}
	last := trained.History[7]
	if last.TestTop1 != trained.Result.Top1 || math.Abs(last.TestLoss-trained.Result.Loss) > 1e-5 {
		t.Errorf("the result %+v differs from the last epoch's %+v", trained.Result, last)
	}
	if !(trained.Result.Top1 > 0.9) || trained.Result.Samples != testCount || trained.Result.RobustTop1 == nil {
		t.Errorf("bands are easy to tell apart, got %+v", trained.Result)
	}
	mean, std := bandsMeanStd()
	if n := trained.Normalize; math.Abs(n.Mean[0]-mean) > 1e-9 || math.Abs(n.Std[0]-std) > 1e-9 {
		t.Errorf("normalized by %v, the training images have mean %v and standard deviation %v", n, mean, std)
	}
	evaluated := succeedJSON[rcfreeze.Evaluation](t, "eval", "tuned.onnx", "--data", "bands", "--epsilon", "8/255", "-b", "8")
	if !reflect.DeepEqual(evaluated.Result, trained.Result) || !reflect.DeepEqual(evaluated.Normalize, trained.Normalize) {
		t.Errorf("eval measured %+v with %v, train %+v with %v", evaluated.Result, evaluated.Normalize, trained.Result, trained.Normalize)
	}
	m, err := onnxgraph.Load("tuned.onnx")
	if err != nil || m.Metadata("rcfreeze.classes") != `["0","1","2"]` {
		t.Errorf("the model records the classes %s (%v)", m.Metadata("rcfreeze.classes"), err)
	}
}

// bandsMeanStd returns those of all training pixels, from 0 to 1.
func bandsMeanStd() (mean, std float64) {
	const n = trainCount * side * side
	for i := range n {
		mean += float64(pixel(i/side/side, i%side, i/side%side)) / 255 / n
	}
	for i := range n {
		d := float64(pixel(i/side/side, i%side, i/side%side))/255 - mean
		std += d * d / n
	}
	return mean, math.Sqrt(std)
}

// TestWhatTrains checks by variant whether banks, and the filters of a model without blocks, stay.
func TestWhatTrains(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx")
	for _, c := range []struct {
		variant, model, tensor string
		stays                  bool
	}{
		{"frozen", "blocks.onnx", "conv1.bank", true},
		{"learned", "blocks.onnx", "conv1.bank", false},
		{"frozen", "blocks.onnx", "conv1.pointwise", false},
		{"baseline", "model.onnx", "conv1.weight", false},
	} {
		t.Run(c.variant+" "+c.tensor, func(t *testing.T) {
			os.RemoveAll("out.run")
			succeed(t, trainArgs(c.model, "out.onnx", "--variant", c.variant, "--epochs", "1")...)
			if same := bytes.Equal(tensor(t, c.model, c.tensor), tensor(t, "out.onnx", c.tensor)); same != c.stays {
				t.Errorf("stayed the same: %v, want %v", same, c.stays)
			}
			succeed(t, "inspect", "out.onnx") // the blocks are as recorded
		})
	}
	t.Run("frozen-baseline", func(t *testing.T) {
		weights := map[string][]byte{}
		for _, epochs := range []string{"1", "2"} {
			os.RemoveAll("out.run")
			succeed(t, trainArgs("model.onnx", "out.onnx", "--variant", "frozen-baseline", "--epochs", epochs)...)
			weights[epochs] = tensor(t, "out.onnx", "conv1.weight")
		}
		if !bytes.Equal(weights["1"], weights["2"]) || bytes.Equal(weights["1"], tensor(t, "model.onnx", "conv1.weight")) {
			t.Error("the filters must be drawn anew and then stay")
		}
	})
}

// TestNumClasses trains a model of 3 classes, which records their names, on a data set of 7, in both ways to get there.
func TestNumClasses(t *testing.T) {
	workshop(t)
	writeBands(t, "labels", 7)
	succeed(t, trainArgs("model.onnx", "three.onnx", "--epochs", "1")...)
	r := succeedJSON[rcfreeze.Trained](t, trainArgs("three.onnx", "seven.onnx", "--data", "labels", "--num-classes", "7", "--train-from", "relu4", "--seed", "2")...)
	if !slices.Equal(r.Recipe.Trained, []string{"fc3.weight", "fc3.bias"}) || !bytes.Equal(tensor(t, "three.onnx", "fc2.weight"), tensor(t, "seven.onnx", "fc2.weight")) {
		t.Errorf("trained %q, want the last layer alone", r.Recipe.Trained)
	}
	if e := succeedJSON[rcfreeze.Evaluation](t, "eval", "seven.onnx", "--data", "labels"); e.Loss != r.Result.Loss {
		t.Errorf("eval measures a loss of %v, train %v", e.Loss, r.Result.Loss)
	}
	shape := succeedJSON[rcfreeze.Inspection](t, "inspect", "seven.onnx").Outputs[0].Shape
	if m, err := onnxgraph.Load("seven.onnx"); err != nil || m.Metadata("rcfreeze.classes") != `["0","1","2","3","4","5","6"]` || !slices.Equal(shape, []string{"batch", "7"}) {
		t.Errorf("the output has shape %v and the classes %s (%v)", shape, m.Metadata("rcfreeze.classes"), err)
	}
	succeed(t, "convert", "three.onnx", "-o", "blocks.onnx", "--num-classes", "7", "--seed", "2")
	if m, err := onnxgraph.Load("blocks.onnx"); err != nil || m.Metadata("rcfreeze.classes") != "" {
		t.Errorf("a model for other classes still records %s (%v)", m.Metadata("rcfreeze.classes"), err)
	}
	succeed(t, trainArgs("blocks.onnx", "tuned.onnx", "--data", "labels", "--epochs", "1")...)
	succeed(t, "compare", "three.onnx", "-o", "report", "--data", "labels", "--num-classes", "7", "--epochs", "1", "-b", "8", "--variants", "baseline")
}

// TestTrainFrom trains a model with an operator that has no gradient, from there on.
func TestTrainFrom(t *testing.T) {
	workshop(t)
	changeOperator(t, "model.onnx", "Relu", "Atan", "atan.onnx")
	r := succeedJSON[rcfreeze.Trained](t, trainArgs("atan.onnx", "out.onnx", "--train-from", "relu4", "--epochs", "1")...)
	if r.Recipe.TrainFrom != "relu4" || len(r.Recipe.Trained) != 2 {
		t.Errorf("trained %q after %q, want the last layer after relu4", r.Recipe.Trained, r.Recipe.TrainFrom)
	}
	for name, stays := range map[string]bool{"conv1.weight": true, "fc2.bias": true, "fc3.weight": false, "fc3.bias": false} {
		if same := bytes.Equal(tensor(t, "atan.onnx", name), tensor(t, "out.onnx", name)); same != stays {
			t.Errorf("%s stayed the same: %v, want %v", name, same, stays)
		}
	}
}

func tensor(t *testing.T, path, name string) []byte {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	v := m.Graph.Value(name)
	if v == nil {
		t.Fatalf("%s has no %s", path, name)
	}
	raw, err := v.Constant().Raw()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// stopper cancels a context once a text is written to it.
type stopper struct {
	text string
	stop func()
}

func (s stopper) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.text) {
		s.stop()
	}
	return len(p), nil
}

func TestInterruptAndResume(t *testing.T) {
	workshop(t)
	succeed(t, trainArgs("model.onnx", "whole.onnx")...)
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := func() { cancel(stopped{syscall.SIGTERM}) }
	if code := execute(ctx, trainArgs("model.onnx", "parts.onnx"), io.Discard, stopper{"epoch 1/3", stop}); code != 143 {
		t.Errorf("a run that SIGTERM stops has exit code %d, want 143", code)
	}
	if _, err := os.Stat("parts.onnx"); err == nil {
		t.Error("an interrupted run wrote a model")
	}
	if _, stderr, code := call(trainArgs("model.onnx", "parts.onnx")...); code != exitFailed || !strings.Contains(stderr, "--resume") {
		t.Errorf("starting over an unfinished run: exit code %d: %s", code, stderr)
	}
	succeed(t, trainArgs("model.onnx", "parts.onnx", "--resume")...)
	if _, stderr, code := call(trainArgs("model.onnx", "early.onnx", "--resume")...); code != exitDone || !strings.Contains(stderr, "early.run holds no checkpoint") || !bytes.Equal(read(t, "early.onnx"), read(t, "whole.onnx")) {
		t.Errorf("resuming what was killed before its first checkpoint: exit code %d, or another model: %s", code, stderr)
	}
	if !bytes.Equal(read(t, "whole.onnx"), read(t, "parts.onnx")) {
		t.Error("a run in two parts gave another model than one in one part")
	}
}

func TestKeepBestAndOptimizers(t *testing.T) {
	workshop(t)
	r := succeedJSON[rcfreeze.Trained](t, trainArgs("model.onnx", "best.onnx", "--keep", "best", "--opt", "adamw", "--lr", "0.01", "--sched", "constant",
		"--smoothing", "0", "--augment", "pad-crop=1,flip=0.5", "--normalize", "mnist", "--clip-grad", "1", "--grad-accum-steps", "4", "--run-dir", "elsewhere")...)
	best := 0.0
	for _, row := range r.History {
		best = max(best, row.TestTop1)
	}
	if r.Result.Top1 != best {
		t.Errorf("kept top-1 %v, the best was %v", r.Result.Top1, best)
	}
	want := "adamw constant 0 [pad-crop=1 flip=0.5] [0.1307] 4 elsewhere"
	if got := strings.Join([]string{r.Recipe.Optimizer, r.Recipe.Schedule, string(decimal(r.Recipe.LabelSmoothing)),
		"[" + strings.Join(r.Recipe.Augment, " ") + "]", "[" + string(decimal(r.Normalize.Mean[0])) + "]", fmt.Sprint(r.Recipe.GradAccumSteps), r.RunDir}, " "); got != want {
		t.Errorf("ran with %s, want %s", got, want)
	}
}

// TestRecipeFlags sets every flag of a recipe: what is given changes the recipe, and nothing else does.
func TestRecipeFlags(t *testing.T) {
	var f recipeFlags
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.add(flags)
	usual := train.PaperRecipe()
	if r := usual; true {
		if f.settings().Recipe(&r); !reflect.DeepEqual(r, usual) {
			t.Errorf("without flags: %+v, want %+v", r, usual)
		}
	}
	given := 0
	f.flags.VisitAll(func(flag *pflag.Flag) {
		given++
		text := map[string]string{"string": "word", "bool": "false", "int": "7", "float64": "0.75", "stringArray": "a.*"}[flag.Value.Type()]
		if err := flags.Set(flag.Name, text); err != nil {
			t.Fatal(err)
		}
	})
	flags.Set("train", "b, c")
	want := train.Recipe{
		Epochs: 7, BatchSize: 7, GradAccumSteps: 7, Optimizer: "word", LearningRate: 0.75, Schedule: "word", WarmupEpochs: 0.75, StepEpochs: 7, StepFactor: 0.75,
		Momentum: 0.75, WeightDecay: 0.75, LabelSmoothing: 0.75, ClipNorm: 0.75, BatchNorm: "word", TrainFrom: "word", BlockForm: "word",
		Train: []string{"a.*", "b, c"}, Freeze: []string{"a.*"},
	}
	r := usual
	if f.settings().Recipe(&r); !reflect.DeepEqual(r, want) || given != 19 {
		t.Errorf("with all %d flags: %+v, want %+v", given, r, want)
	}
}

// TestWorse spoils a model that was good: train says so, and with --keep best writes the weights from before.
func TestWorse(t *testing.T) {
	workshop(t)
	_, stderr, code := call(trainArgs("model.onnx", "good.onnx", "--epochs", "8", "--lr", "0.1")...)
	if code != exitDone || strings.Contains(stderr, "worse") || !strings.Contains(stderr, "before training: test loss") {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	spoil := []string{"--lr", "5", "--clip-grad", "1", "--epochs", "2"}
	stdout, stderr, code := call(trainArgs("good.onnx", "spoiled.onnx", append(spoil, "--json")...)...)
	if code != exitDone || !strings.Contains(stderr, "worse than before") || !strings.Contains(stderr, "--lr 0.5") || !strings.Contains(stderr, "--keep best") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	var r rcfreeze.Trained
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || !(r.Result.Top1 < r.Start.Top1) || r.Start.Samples != testCount {
		t.Errorf("top-1 went from %v to %v (%v): this tests nothing", r.Start.Top1, r.Result.Top1, err)
	}
	_, stderr, code = call(trainArgs("good.onnx", "kept.onnx", append(spoil, "--keep", "best")...)...)
	if code != exitDone || strings.Contains(stderr, "worse than before") || !strings.Contains(stderr, "no epoch was better") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if !bytes.Equal(tensor(t, "kept.onnx", "fc1.weight"), tensor(t, "good.onnx", "fc1.weight")) {
		t.Error("--keep best kept other weights than those from before training, which were the best")
	}
}

// TestFromScratch checks by which settings a model is trained, which is said: those for fine-tuning once its weights are trained.
func TestFromScratch(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "random.onnx", "--pointwise", "random")
	succeed(t, "convert", "model.onnx", "-o", "projected.onnx")
	succeed(t, "convert", "model.onnx", "-o", "drawn.onnx", "--reinit")
	for i, c := range []struct {
		model   string
		flags   []string
		scratch bool
	}{
		{"model.onnx", nil, false},
		{"model.onnx", []string{"--reinit"}, true},
		{"model.onnx", []string{"--variant", "frozen-baseline"}, true},
		{"projected.onnx", nil, false},
		{"projected.onnx", []string{"--reinit"}, true},
		{"drawn.onnx", nil, true},
		{"random.onnx", nil, true},
		{"random.onnx", []string{"--variant", "learned"}, true},
		{"out6.onnx", nil, false}, // which the run before last wrote
		{"out6.onnx", []string{"--reinit"}, true},
	} {
		out := fmt.Sprintf("out%d.onnx", i)
		args := append([]string{"train", c.model, "-o", out, "--data", "bands", "--epochs", "1", "-b", "8", "--json"}, c.flags...)
		stdout, stderr, code := call(args...)
		var r rcfreeze.Trained
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitDone {
			t.Fatalf("%v: %v: %s", args, err, stderr)
		}
		if (r.Recipe.LearningRate == 0.01) != c.scratch || strings.Contains(stderr, "from scratch") != c.scratch || strings.Contains(stderr, "fine-tuning") == c.scratch {
			t.Errorf("%v: lr %v, want settings from scratch: %v; said %s", args, r.Recipe.LearningRate, c.scratch, stderr)
		}
	}
}

// TestFewUpdates advises what helps a new last layer that gets few updates, with flags that work.
func TestFewUpdates(t *testing.T) {
	workshop(t)
	writeBands(t, "labels", 7)
	succeed(t, "new", "cifar-resnet", "-o", "resnet.onnx", "--input", "1x12x12", "--classes", "3", "--width", "3", "--depth", "8")
	for i, c := range []struct {
		model  string
		flags  []string
		advice []string
	}{
		{"model.onnx", nil, []string{"6 updates are few", "\n  --epochs 17 makes about 100\n  --train-from \"relu4\""}},
		{"resnet.onnx", nil, []string{"6 updates are few", `--train-from "flatten"`, "--batchnorm recalibrate"}},
		{"resnet.onnx", []string{"--train-from", "flatten", "--batchnorm", "recalibrate"}, []string{"what helps:\n  --epochs 17 makes about 100\n"}},
		{"resnet.onnx", []string{"--epochs", "20"}, nil},
	} {
		args := append([]string{"--data", "labels", "--num-classes", "7", "--epochs", "1"}, c.flags...)
		_, stderr, code := call(trainArgs(c.model, fmt.Sprintf("out%d.onnx", i), args...)...)
		if code != exitDone || strings.Contains(stderr, "are few") != (c.advice != nil) {
			t.Errorf("%s %v: exit code %d: %s", c.model, args, code, stderr)
		}
		for _, want := range c.advice {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s %v: the advice lacks %q: %s", c.model, args, want, stderr)
			}
		}
	}
}

// TestChannelsLast trains and measures a model that takes images as [N, H, W, C], and writes one that does.
func TestChannelsLast(t *testing.T) {
	workshop(t)
	m, err := onnxgraph.Load("model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	input := m.Graph.Inputs()[0]
	images, err := m.Graph.AddInput("images", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1, Param: "N"}}, onnxgraph.Static(side, side, 1)...))
	if err != nil {
		t.Fatal(err)
	}
	moved := m.Graph.AddNode("Transpose", []*onnxgraph.Value{images}, onnxgraph.Ints("perm", 0, 3, 1, 2))
	m.Graph.Insert(m.Graph.Nodes()[0], moved)
	onnxgraph.ReplaceUses(input, moved.Output(0))
	m.Graph.RemoveInput(input)
	if err := m.Save("last.onnx", onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
	var results []rcfreeze.Trained
	for _, model := range []string{"model.onnx", "last.onnx"} {
		results = append(results, succeedJSON[rcfreeze.Trained](t, trainArgs(model, "out.onnx", "--epochs", "1", "--epsilon", "1/255")...))
		if err := os.RemoveAll("out.run"); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(results[0].Result, results[1].Result) {
		t.Errorf("channels last gives %+v, channels first %+v", results[1].Result, results[0].Result)
	}
	if shape := succeedJSON[rcfreeze.Inspection](t, "inspect", "out.onnx").Inputs[0].Shape; !slices.Equal(shape, []string{"N", "12", "12", "1"}) {
		t.Errorf("the trained model takes %v", shape)
	}
}
