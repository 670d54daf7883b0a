package train_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// states returns the state vectors in a checkpoint, byte by byte.
func states(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	all := map[string][]byte{}
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".f32") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// interrupt makes a run stop at some point; cancel may be called again and again.
type interrupt func(r *train.Run, cancel func())

func afterStep(epoch, step int) interrupt {
	return func(r *train.Run, cancel func()) {
		r.Progress = func(p train.Progress) {
			if p.Epoch == epoch && p.Step == step {
				cancel()
			}
		}
	}
}

func afterEpoch(epoch int) interrupt {
	return func(r *train.Run, cancel func()) {
		r.Measured = func(row train.Row) {
			if row.Epoch == epoch {
				cancel()
			}
		}
	}
}

func whileMeasuring(r *train.Run, cancel func()) {
	r.Begun = func(evaluate.Result) {
		r.Measuring = func(int, int) { cancel() }
	}
}

func whileMeasuringTheStart(r *train.Run, cancel func()) {
	r.Measuring = func(int, int) { cancel() }
}

func beforeTheFirstStep(r *train.Run, cancel func()) {
	r.Begun = func(evaluate.Result) { cancel() }
}

// TestResume stops runs at several points, and compares what they give after being resumed, bit for bit,
// with a run that was not stopped.
func TestResume(t *testing.T) {
	adamw := func(r *train.Run) { r.Recipe.Optimizer, r.Recipe.ClipNorm = "adamw", 1 }
	augmented := func(r *train.Run) {
		var err error
		if r.Augment, err = dataset.ParseAugmentations("pad-crop=2,flip=0.5"); err != nil {
			t.Fatal(err)
		}
		r.Recipe.Augment = []string{"pad-crop=2", "flip=0.5"}
	}
	dropout := func(t *testing.T) *onnxgraph.Model { return withDropout(t, leNet(t)) }
	nothing := func(*train.Run) {}
	cases := []struct {
		name    string
		model   func(*testing.T) *onnxgraph.Model
		setting func(*train.Run)
		stops   map[string]interrupt
	}{
		{"sgd with norms", normed, nothing, map[string]interrupt{
			"after an epoch": afterEpoch(2), "within an epoch": afterStep(3, 2), "after an epoch's last step": afterStep(2, 4),
			"while measuring": whileMeasuring, "while measuring the start": whileMeasuringTheStart, "before the first step": beforeTheFirstStep,
		}},
		{"dropout and augmentation", dropout, augmented, map[string]interrupt{
			"after an epoch": afterEpoch(2), "within an epoch": afterStep(2, 3), "after the first step": afterStep(1, 1),
		}},
		{"adamw", leNet, adamw, map[string]interrupt{"within an epoch": afterStep(3, 1)}},
		{"best epoch", leNet, func(r *train.Run) { r.Keep = train.KeepBest }, map[string]interrupt{"after an epoch": afterEpoch(3)}},
		{"accumulated gradients", normed, func(r *train.Run) { r.Recipe.GradAccumSteps = 3 }, map[string]interrupt{
			"before an update": afterStep(2, 2), "after an update": afterStep(2, 3), "after an epoch": afterEpoch(1),
		}},
		{"coordinates", func(t *testing.T) *onnxgraph.Model {
			return converted(t, normed(t), transform.Options{Expansion: 30})
		}, nothing, map[string]interrupt{"after an epoch": afterEpoch(1), "within an epoch": afterStep(2, 2)}},
		{"several threads", normed, func(r *train.Run) { r.Session.IntraOpThreads = 2 }, map[string]interrupt{"within an epoch": afterStep(2, 2)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := c.model(t)
			variant := parameter.Baseline
			if blocks, err := transform.Blocks(m); err == nil && len(blocks) > 0 {
				variant = parameter.Frozen
			}
			whole := newRun(t, m, variant)
			c.setting(whole)
			whole.Workers = 1
			want := do(t, whole)
			for name, stop := range c.stops {
				t.Run(name, func(t *testing.T) {
					r := newRun(t, m, variant)
					c.setting(r)
					r.Train, r.Test = whole.Train, whole.Test
					r.Workers = 3
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					stop(r, cancel)
					if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "--resume") {
						t.Fatalf("stopping: got error %v", err)
					}
					r.Begun, r.Progress, r.Measured, r.Measuring = nil, nil, nil, nil
					r.Workers, r.Resume = 2, true
					sameResult(t, do(t, r), want)
					sameStates(t, r, whole)
				})
			}
		})
	}
}

func sameResult(t *testing.T, got, want *train.Result) {
	t.Helper()
	if !bytes.Equal(modelBytes(t, got.Model), modelBytes(t, want.Model)) {
		t.Error("the trained models differ")
	}
	if got.Start != want.Start {
		t.Errorf("the starts differ: %+v, %+v", got.Start, want.Start)
	}
	untimed := func(history []train.Row) []train.Row {
		history = slices.Clone(history)
		for i := range history {
			history[i].Seconds = 0
		}
		return history
	}
	if g, w := untimed(got.History), untimed(want.History); !slices.Equal(g, w) {
		t.Errorf("the histories differ:\n%v\n%v", g, w)
	}
}

// sameStates compares the last checkpoints of two runs.
func sameStates(t *testing.T, got, want *train.Run) {
	t.Helper()
	g, w := states(t, lastCheckpoint(got)), states(t, lastCheckpoint(want))
	if len(g) != len(w) || len(w) < 2 {
		t.Fatalf("%d state vectors, want %d and at least 2", len(g), len(w))
	}
	for name := range w {
		if !bytes.Equal(g[name], w[name]) {
			t.Errorf("state %s differs", name)
		}
	}
}

func lastCheckpoint(r *train.Run) string { return filepath.Join(string(r.Folder), "last.ckpt") }

// stopped returns a run that was stopped in its second epoch, ready to be resumed.
func stopped(t *testing.T) *train.Run {
	t.Helper()
	r := newRun(t, leNet(t), parameter.Baseline)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	afterStep(2, 2)(r, cancel)
	if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.Progress, r.Resume = nil, true
	return r
}

// TestResumeFaults changes something about a stopped run, which then must not go on, nor change its files.
func TestResumeFaults(t *testing.T) {
	original := stopped(t)
	cases := []struct {
		name   string
		change func(r *train.Run)
		want   []string
	}{
		{"settings", func(r *train.Run) {
			r.Recipe.LearningRate, r.Recipe.Momentum, r.Recipe.Trained = 0.5, 0.8, r.Recipe.Trained[1:]
		}, []string{"lr was 0.05 and is now 0.5", "momentum was 0.9 and is now 0.8", "trained was "}},
		{"normalization", func(r *train.Run) { r.Normalize.Mean = []float64{0.5} }, []string{"normalization was"}},
		{"training images", func(r *train.Run) { r.Train = r.Test }, []string{"training_images was 70", "is now 30", "training_data was"}},
		{"other data of equal size", func(r *train.Run) { r.Train, r.Test = otherData(t, 70, 30) }, []string{"training_data was", "test_data was"}},
		{"another number of threads", func(r *train.Run) { r.Session.IntraOpThreads = 3 }, []string{"threads was 1 and is now 3"}},
		{"another precision", func(r *train.Run) { r.Session.TF32 = true }, []string{"tf32 was false and is now true"}},
		{"another model", func(r *train.Run) { r.Model = newModel(t, "lenet", 5, 6) }, []string{"model was"}},
		{"other weights that do not train", func(r *train.Run) {
			r.Model = r.Model.Clone()
			r.Model.Graph.AddConstant("other", onnxgraph.NewScalar[float32](1))
		}, []string{"model was"}},
		{"no resuming", func(r *train.Run) { r.Resume = false }, []string{"holds a run", "--resume"}},
		{"truncated", func(r *train.Run) {
			damage(t, r, func(data []byte) []byte { return data[:len(data)/2] })
		}, []string{"reading checkpoint", "last.ckpt"}},
		{"empty", func(r *train.Run) {
			damage(t, r, func([]byte) []byte { return nil })
		}, []string{"reading checkpoint"}},
		{"a flipped bit in a weight", func(r *train.Run) {
			damage(t, r, func(data []byte) []byte { data[len(data)/2] ^= 4; return data })
		}, []string{"reading checkpoint", "checksum"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			copied := *original
			copied.Folder = train.Folder(t.TempDir())
			before := readFile(t, lastCheckpoint(original))
			if err := os.WriteFile(lastCheckpoint(&copied), before, 0o644); err != nil {
				t.Fatal(err)
			}
			c.change(&copied)
			damaged, _ := os.ReadFile(lastCheckpoint(&copied))
			_, err := copied.Do(context.Background())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want one with %q", err, want)
				}
			}
			if after, _ := os.ReadFile(lastCheckpoint(&copied)); !bytes.Equal(damaged, after) {
				t.Error("the checkpoint was changed")
			}
		})
	}
}

// TestResumeDamaged damages the files of a stopped run: it goes on from what is whole, says so, and gives what a run gives that was
// not stopped.
func TestResumeDamaged(t *testing.T) {
	whole := newRun(t, leNet(t), parameter.Baseline)
	whole.Keep = train.KeepBest
	want := do(t, whole)
	original := stopped(t)
	const last, previous, best, metrics = "last.ckpt", "previous.ckpt", "best.ckpt", "metrics.csv"
	flip := func(data []byte) []byte { data[len(data)/3] ^= 8; return data }
	cut := func(data []byte) []byte { return data[:len(data)-1] }
	empty := func([]byte) []byte { return nil }
	zeros := func(data []byte) []byte { return make([]byte, len(data)) }
	none := func([]byte) []byte { return nil }
	for _, c := range []struct {
		name    string
		damages map[string]func([]byte) []byte // by file
		says    []string                       // "" for nothing
	}{
		{"nothing", nil, nil},
		{"last flipped", map[string]func([]byte) []byte{last: flip}, []string{"last.ckpt: the file is damaged: its content does not match", "continues from", "previous.ckpt: epoch 2, after step 0"}},
		{"last cut short", map[string]func([]byte) []byte{last: cut}, []string{"last.ckpt: the file is damaged", "previous.ckpt: epoch 2, after step 0"}},
		{"last empty", map[string]func([]byte) []byte{last: empty}, []string{"last.ckpt: the file is damaged: it has 0 bytes", "previous.ckpt: epoch 2, after step 0"}},
		{"last of zeros", map[string]func([]byte) []byte{last: zeros}, []string{"last.ckpt: the file is damaged", "previous.ckpt: epoch 2, after step 0"}},
		{"last missing", map[string]func([]byte) []byte{last: none}, []string{"last.ckpt: no such file", "previous.ckpt: epoch 2, after step 0"}},
		{"previous damaged", map[string]func([]byte) []byte{previous: flip}, nil},
		{"both damaged", map[string]func([]byte) []byte{last: flip, previous: zeros}, []string{"last.ckpt: the file", "previous.ckpt: the file", "continues from", "best.ckpt: epoch 2, after step 0"}},
		{"best damaged", map[string]func([]byte) []byte{best: flip}, []string{"best.ckpt: the file is damaged", "previous.ckpt has the same weights"}},
		{"best missing", map[string]func([]byte) []byte{best: none}, []string{"best.ckpt: no such file", "previous.ckpt has the same weights"}},
		{"last and best damaged", map[string]func([]byte) []byte{last: empty, best: cut}, []string{"previous.ckpt: epoch 2, after step 0", "previous.ckpt has the same weights"}},
		{"metrics missing", map[string]func([]byte) []byte{metrics: none}, nil},
		{"metrics of an epoch that is repeated", map[string]func([]byte) []byte{last: flip, metrics: func(data []byte) []byte { return append(data, "2,0,0,0,0,0,0,1.0\n"...) }},
			[]string{"previous.ckpt: epoch 2, after step 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *original
			r.Keep = train.KeepBest
			r.Folder = train.Folder(t.TempDir())
			for _, name := range []string{last, previous, best, metrics} {
				path := filepath.Join(string(r.Folder), name)
				data := readFile(t, filepath.Join(string(original.Folder), name))
				if change := c.damages[name]; change != nil {
					data = change(data)
				}
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(c.name, "missing") && c.damages[name] != nil {
					os.Remove(path)
				}
			}
			var said []string
			r.Warned = func(line string) { said = append(said, line) }
			sameResult(t, do(t, &r), want)
			sameStates(t, &r, whole)
			if got, want := epochs(t, &r), "epoch 0 1 2 3 4"; got != want {
				t.Errorf("metrics.csv has the lines %s, want %s", got, want)
			}
			for _, want := range c.says {
				if !strings.Contains(strings.Join(said, "\n"), want) {
					t.Errorf("said %q, want %q", said, want)
				}
			}
			if c.says == nil && said != nil {
				t.Errorf("said %q", said)
			}
		})
	}
}

// epochs returns the first column of a run's metrics.
func epochs(t *testing.T, r *train.Run) string {
	t.Helper()
	var words []string
	for line := range strings.Lines(string(readFile(t, filepath.Join(string(r.Folder), "metrics.csv")))) {
		first, _, _ := strings.Cut(line, ",")
		words = append(words, first)
	}
	return strings.Join(words, " ")
}

// TestMetricsFollowTheCheckpoint continues a run that was killed between writing the metrics and the checkpoint of an epoch, or
// that falls back to the checkpoint of an earlier epoch. While it continues, the metrics must have only the epochs in the
// checkpoint.
func TestMetricsFollowTheCheckpoint(t *testing.T) {
	r := newRun(t, leNet(t), parameter.Baseline)
	do(t, r)
	if got := epochs(t, r); got != "epoch 0 1 2 3 4" {
		t.Fatalf("metrics.csv has the lines %s", got)
	}
	damage(t, r, func([]byte) []byte { return nil }) // so it goes on behind the third epoch
	r.Resume = true
	seen := ""
	r.Progress = func(p train.Progress) {
		if p.Step == 1 {
			seen = epochs(t, r)
		}
	}
	do(t, r)
	if seen != "epoch 0 1 2 3" {
		t.Errorf("while the fourth epoch is repeated, metrics.csv has the lines %s", seen)
	}
	if got := epochs(t, r); got != "epoch 0 1 2 3 4" {
		t.Errorf("in the end, metrics.csv has the lines %s", got)
	}
}

// TestBestIsLost damages the best weights where no other checkpoint has them.
func TestBestIsLost(t *testing.T) {
	r := newRun(t, leNet(t), parameter.Baseline)
	r.Keep = train.KeepBest
	r.Recipe.Schedule, r.Recipe.StepEpochs, r.Recipe.StepFactor = "step", 1, 1e-3 // so that the first epoch is the best
	want := do(t, r)
	best, bestEpoch := want.Start.Top1, 0
	for _, row := range want.History {
		if row.TestTop1 > best {
			best, bestEpoch = row.TestTop1, row.Epoch
		}
	}
	if bestEpoch > 2 {
		t.Fatalf("epoch %d is the best: this tests nothing", bestEpoch)
	}
	path := filepath.Join(string(r.Folder), "best.ckpt")
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	r.Resume, r.Outlined = true, func(train.Outline) { t.Error("the run prepares its steps, though it cannot return what it is to") }
	_, err := r.Do(context.Background())
	r.Outlined = nil
	for _, want := range []string{"best.ckpt: the file is damaged", "after epoch", "--keep last"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
	var said string
	r.Keep, r.Warned = train.KeepLast, func(line string) { said += line }
	do(t, r)
	if !strings.Contains(said, "best.ckpt") || !strings.Contains(said, "are lost") {
		t.Errorf("said %q", said)
	}
}

// TestSaveEvery checks when checkpoints are saved within an epoch: never, also where there is not yet time for it, or after every step.
func TestSaveEvery(t *testing.T) {
	for every, want := range map[time.Duration]string{
		0:                "1/0 1/0 1/0 1/0 2/0 2/0 2/0 2/0",
		1000 * time.Hour: "1/0 1/0 1/0 1/0 2/0 2/0 2/0 2/0",
		1:                "1/0 1/1 1/2 1/3 2/0 2/1 2/2 2/3",
	} {
		r := newRun(t, leNet(t), parameter.Baseline)
		r.Recipe.Epochs, r.SaveEvery = 2, every
		var got []string
		r.Progress = func(train.Progress) { // before the step is saved
			p := positionOf(t, lastCheckpoint(r))
			got = append(got, fmt.Sprintf("%d/%d", p.Epoch+1, p.Step))
		}
		do(t, r)
		if text := strings.Join(got, " "); text != want {
			t.Errorf("every %d ns: during the steps the last checkpoint is of %s, want %s", every, text, want)
		}
	}
}

// positionOf returns where a checkpoint stands.
func positionOf(t *testing.T, path string) (p struct{ Epoch, Step int }) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open("checkpoint.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var c struct{ Position struct{ Epoch, Step int } }
	if err := json.NewDecoder(f).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c.Position
}

// TestDiskFaults lets steps of writing files fail, one of each kind for each file, once or from then on: the run fails, and says what did; what it
// leaves goes on, as soon as the disk is well again, to what a run gives on a good one.
func TestDiskFaults(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // where no other process leaves what a run would remove, as one step more
	broken := errors.New("the disk is on fire")
	small := func() *train.Run {
		r := newRun(t, linear(t), parameter.Baseline)
		r.Recipe.Epochs, r.Recipe.BatchSize, r.SaveEvery, r.Keep = 1, 35, 1, train.KeepBest
		return r
	}
	// doWithFault does a run in which the steps that fails picks do not work.
	doWithFault := func(r *train.Run, fails func(atomicfile.Step) bool) (*train.Result, error) {
		defer atomicfile.Intercept(func(s atomicfile.Step) error {
			switch {
			case fails(s):
				return broken
			case s.Doing == atomicfile.Syncing || s.Doing == atomicfile.SyncFolder:
				return atomicfile.Skipped // it takes long, and makes no difference while there is power
			}
			return nil
		})()
		return r.Do(context.Background())
	}
	never := func(atomicfile.Step) bool { return false }
	whole := small()
	steps := 0
	kinds := map[string]int{} // the first step of each kind for each file
	want, err := doWithFault(whole, func(s atomicfile.Step) bool {
		name := filepath.Base(s.Name)
		if strings.HasPrefix(name, ".rcfreeze-") {
			name = "a temporary folder" // each has another name
		}
		kind := fmt.Sprint(s.Doing, " ", name)
		if _, ok := kinds[kind]; !ok {
			kinds[kind] = steps
		}
		steps++
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, doing := range []atomicfile.Operation{atomicfile.Creating, atomicfile.Writing, atomicfile.Syncing, atomicfile.Closing, atomicfile.Moving} {
		for _, file := range []string{"metrics.csv", "best.ckpt", "last.ckpt"} {
			if kind := fmt.Sprint(doing, " ", file); kinds[kind] == 0 {
				t.Fatalf("there is no step of %s: this tests too little", kind)
			}
		}
	}
	for kind, i := range kinds {
		for _, forever := range []bool{false, true} {
			if forever && !strings.HasPrefix(kind, string(atomicfile.Moving)) {
				continue
			}
			r := small()
			r.Train, r.Test = whole.Train, whole.Test
			n := -1
			if _, err := doWithFault(r, func(atomicfile.Step) bool { n++; return n == i || n > i && forever }); !errors.Is(err, broken) {
				t.Errorf("the run gives error %v", err)
			}
			r.Resume = true
			got, err := doWithFault(r, never)
			if err != nil {
				t.Fatalf("%s failed, forever: %v; going on gives %v", kind, forever, err)
			}
			sameResult(t, got, want)
			sameStates(t, r, whole)
			if t.Failed() {
				t.Fatalf("%s failed, forever: %v", kind, forever)
			}
		}
	}
	t.Logf("%d kinds of %d steps", len(kinds), steps)
}

// TestOneAtATime starts a run in the folder of one that is at work: it is refused, and names the process.
func TestOneAtATime(t *testing.T) {
	r := newRun(t, leNet(t), parameter.Baseline)
	r.Recipe.Epochs = 1
	second := *r
	second.Resume = true
	var refusal, check error
	r.Begun = func(evaluate.Result) {
		_, refusal = second.Do(context.Background())
		check = second.Folder.Check(true)
	}
	do(t, r)
	for _, err := range []error{refusal, check} {
		if want := fmt.Sprintf("process %d ", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "another folder") {
			t.Errorf("got error %v", err)
		}
	}
	do(t, &second) // now it may
	if err := os.WriteFile(filepath.Join(string(r.Folder), "lock"), []byte("process 1 on earth\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	do(t, &second) // what a dead process left does no harm
	if _, err := os.Stat(filepath.Join(string(r.Folder), "lock")); err == nil {
		t.Error("a lock file is left")
	}
}

// TestStartAnew starts runs in folders without work of another run: one that is to be resumed, and was killed before its first
// checkpoint; and one in the place of a run that did not do a step.
func TestStartAnew(t *testing.T) {
	want := do(t, newRun(t, leNet(t), parameter.Baseline))
	t.Run("nothing to resume", func(t *testing.T) {
		r := newRun(t, leNet(t), parameter.Baseline)
		r.Resume = true
		sameResult(t, do(t, r), want)
	})
	t.Run("no step was done", func(t *testing.T) {
		r := newRun(t, leNet(t), parameter.Baseline)
		r.Recipe.LearningRate *= 2
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		beforeTheFirstStep(r, cancel)
		if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) || !r.Folder.HasRun() {
			t.Fatalf("got error %v, and a checkpoint: %v", err, r.Folder.HasRun())
		}
		r.Recipe.LearningRate /= 2
		r.Begun = nil
		sameResult(t, do(t, r), want)
	})
}

func damage(t *testing.T, r *train.Run, f func([]byte) []byte) {
	t.Helper()
	if err := os.WriteFile(lastCheckpoint(r), f(readFile(t, lastCheckpoint(r))), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMoreEpochs checks that a finished run can be made longer.
func TestMoreEpochs(t *testing.T) {
	r := newRun(t, leNet(t), parameter.Baseline)
	r.Recipe.Epochs, r.Recipe.Schedule = 2, "constant"
	do(t, r)
	r.Recipe.Epochs, r.Resume = 3, true
	longer := do(t, r)
	whole := newRun(t, r.Model, parameter.Baseline)
	whole.Recipe, whole.Train, whole.Test = r.Recipe, r.Train, r.Test
	sameResult(t, longer, do(t, whole))
	sameResult(t, do(t, r), longer) // a finished run returns what it gave
}
