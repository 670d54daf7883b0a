package train

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// smallModel returns a LeNet for the images of package datasettest.
func smallModel(t *testing.T) *onnxgraph.Model {
	t.Helper()
	m, err := architecture.New("lenet", architecture.Options{
		Width: 3, Classes: datasettest.Classes, Channels: 1, ImageHeight: datasettest.Side, ImageWidth: datasettest.Side, Seed: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newTrainerOf returns a trainer of a model that has not done a step.
func newTrainerOf(t *testing.T, m *onnxgraph.Model) *trainer {
	t.Helper()
	orttest.Init(t)
	r := &Run{Model: m, Recipe: PaperRecipe(), Folder: Folder(filepath.Join(t.TempDir(), "run")), Keep: KeepLast,
		Normalize: dataset.Normalization{Mean: []float64{0.3}, Std: []float64{0.2}}, Session: orttest.Options(t)}
	r.Recipe.Epochs, r.Recipe.BatchSize = 1, 16
	var err error
	if r.Recipe.Trained, err = parameter.Baseline.Trained(m); err != nil {
		t.Fatal(err)
	}
	r.Train, r.Test = datasettest.OpenCorners(t, 32, 8)
	held, err := r.Folder.take(false)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := newTrainer(r, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.close(); err != nil {
			t.Error(err)
		}
		if err := held.Release(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// withNonsense returns a copy of a converted model whose records of its blocks are nonsense.
func withNonsense(t *testing.T, m *onnxgraph.Model) *onnxgraph.Model {
	t.Helper()
	m = m.Clone()
	for _, key := range m.MetadataKeys() {
		m.SetMetadata(key, "nonsense")
	}
	return m
}

// TestSpoiledTrainer takes away, in the middle of a run, what each of its parts needs: each says so, instead of going on.
func TestSpoiledTrainer(t *testing.T) {
	ctx := context.Background()
	step := func(tr *trainer) error {
		for batch, err := range tr.loader.Batches(ctx, 0, 0) {
			if err == nil {
				err = tr.doStep(batch)
			}
			return err
		}
		return nil
	}
	finish := func(tr *trainer) error { // as after the last step
		tr.resumed, tr.at.Position = true, position{Epoch: tr.Recipe.Epochs}
		result, err := tr.run(ctx)
		if err != nil && result != nil {
			t.Errorf("a result comes with error %v", err)
		}
		return err
	}
	withUsedStatistics := func(m *onnxgraph.Model) *onnxgraph.Model {
		m = m.Clone()
		one := m.Graph.AddConstant("one", onnxgraph.NewTensor([]int64{1}, []float32{1}))
		n := m.Graph.AddNodeOf("", "BatchNormalization", []*onnxgraph.Value{m.Graph.Inputs()[0], one, one, one, one}, 3, onnxgraph.Int("training_mode", 1))
		m.Graph.AddOutput(n.Output(1), onnxgraph.Float32, nil)
		return m
	}
	for _, c := range []struct {
		name  string
		spoil func(tr *trainer)
		do    func(tr *trainer) error
		want  string // "" if it works
	}{
		{"nothing", func(*trainer) {}, step, ""},
		{"nothing, in the end", func(*trainer) {}, finish, ""},
		{"the step's images", func(tr *trainer) { tr.step.Image = "gone" }, step, `"gone"`},
		{"the stream of Dropouts", func(tr *trainer) { tr.step.HasDropout = true }, step, trainstep.DropoutStreamInput},
		{"the share of an update", func(tr *trainer) { tr.Recipe.GradAccumSteps = 2 }, step, trainstep.UpdateInput},
		{"an output", func(*trainer) {}, func(tr *trainer) error { _, err := tr.output("gone"); return err }, `"gone"`},
		{"a state", func(tr *trainer) { tr.step.State[0].Input = "gone" }, func(tr *trainer) error { _, err := tr.states(); return err }, `"gone"`},
		{"a state that is saved", func(tr *trainer) { tr.step.State[0].Input = "gone" }, func(tr *trainer) error { return tr.save(false) }, `"gone"`},
		{"a state that is measured", func(tr *trainer) { tr.step.State[0].Input = "gone" }, func(tr *trainer) error { _, err := tr.measure(ctx); return err }, `"gone"`},
		{"a state that is measured at the start", func(tr *trainer) { tr.step.State[0].Input = "gone" }, func(tr *trainer) error { return tr.begin(ctx) }, `"gone"`},
		{"a state in the end", func(tr *trainer) { tr.step.State[0].Input = "gone" }, finish, `"gone"`},
		{"the model that is measured", func(tr *trainer) { tr.fitted = onnxgraph.New("empty", 8, 18) }, func(tr *trainer) error { _, err := tr.measure(ctx); return err }, "the model has no value"},
		{"the model in the end", func(tr *trainer) { tr.Model = onnxgraph.New("empty", 8, 18) }, finish, "storing what was trained: the model has no value"},
		{"a model that computes statistics", func(tr *trainer) { tr.Model = withUsedStatistics(tr.Model) }, finish, "which only training mode has"},
		{"the best weights", func(tr *trainer) { tr.Keep = KeepBest }, finish, "best.ckpt"},
	} {
		tr := newTrainerOf(t, smallModel(t))
		c.spoil(tr)
		if err := c.do(tr); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestStoreWhatWasComputed stores weights that are constants of the model, and such that it computes from constants: in the file, all
// are constants.
func TestStoreWhatWasComputed(t *testing.T) {
	m := onnxgraph.New("g", 8, 18)
	g := m.Graph
	one := onnxgraph.NewTensor([]int64{2}, []float32{1, 1})
	plain, source := g.AddConstant("plain", one), g.AddConstant("source", one)
	computed := g.AddNode("Identity", []*onnxgraph.Value{source}).Output(0)
	computed.SetType(onnxgraph.Float32, onnxgraph.Static(2))
	g.AddOutput(g.AddNode("Add", []*onnxgraph.Value{plain, computed}).Output(0), onnxgraph.Float32, nil)
	names := []string{"plain", computed.Name()}
	var segments []trainstep.Segment
	for i, name := range names {
		segments = append(segments, trainstep.Segment{Name: name, Shape: []int64{2}, Offset: int64(2 * i)})
	}
	if err := unpack(m, segments, []float32{2, 3, 4, 5}); err != nil {
		t.Fatal(err)
	}
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = onnxgraph.Parse(data, ""); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		v := m.Graph.Value(name)
		if v.Constant() == nil {
			t.Errorf("%s is no constant", name)
		} else if got, err := v.Constant().Float32s(); err != nil || !slices.Equal(got, []float32{float32(2*i + 2), float32(2*i + 3)}) {
			t.Errorf("%s is %v, %v", name, got, err)
		}
	}
}

// TestStatesThatAreNoNumbers sets one parameter to NaN or infinity, before and after the first step.
func TestStatesThatAreNoNumbers(t *testing.T) {
	tr := newTrainerOf(t, smallModel(t))
	good, err := tr.states()
	if err != nil {
		t.Fatal(err)
	}
	data, err := good[trainstep.ParametersSlot].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		bad := slices.Clone(data)
		bad[len(bad)-1] = float32(v)
		if err := tr.stepper.SetStates(map[string]*onnxgraph.Tensor{trainstep.ParametersSlot: onnxgraph.NewTensor([]int64{int64(len(bad))}, bad)}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			at      position
			resumed bool
			want    string
		}{
			{position{}, false, fmt.Sprintf("has the parameter %v: training cannot start from weights that are not finite", v)},
			{position{}, true, "training diverged"},
			{position{Epoch: 2, Step: 3}, false, fmt.Sprintf("epoch 3, step 3: %s has the element %v after it: training diverged", trainstep.ParametersSlot, v)},
		} {
			tr.at.Position, tr.resumed = c.at, c.resumed
			if _, err := tr.states(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v at %v: got error %v, want one with %q", v, c.at, err, c.want)
			}
		}
	}
}

// TestNonsenseInRecords has a model whose records of frozen blocks are nonsense: what needs them says so.
func TestNonsenseInRecords(t *testing.T) {
	orttest.Init(t)
	m := smallModel(t)
	if converted, err := transform.Convert(m, transform.Options{}); err != nil || len(converted) == 0 {
		t.Fatalf("converted %+v, %v", converted, err)
	}
	trained, err := parameter.Frozen.Trained(m)
	if err != nil {
		t.Fatal(err)
	}
	o := PaperRecipe().StepOptions()
	o.Trained = trained
	step, err := Step(m, []int64{2, 1, datasettest.Side, datasettest.Side}, o)
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]*onnxgraph.Tensor{}
	for _, s := range step.State {
		states[s.Input] = s.Initial
	}
	if err := store(m.Clone(), step, states); err != nil {
		t.Errorf("storing: %v", err)
	}
	for what, err := range map[string]error{
		"storing":  store(withNonsense(t, m), step, states),
		"choosing": (&Recipe{}).Select(withNonsense(t, m), parameter.Frozen),
		"counting": func() error { _, _, err := Count(withNonsense(t, m), nil); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "differs from its own records") {
			t.Errorf("%s: got error %v", what, err)
		}
	}
}

// TestUnreadableSource identifies a run of a model, or of data, that cannot be read.
func TestUnreadableSource(t *testing.T) {
	orttest.Init(t)
	good := smallModel(t)
	bad := good.Clone()
	bad.Graph.AddConstant("lost", onnxgraph.NewLazyTensor(onnxgraph.Float32, []int64{1}, func() (*onnxgraph.Tensor, error) { return nil, errFull }))
	training, test := datasettest.OpenCorners(t, 32, 8)
	if _, err := NewSource(bad, training, test, dataset.Normalization{}, orttest.Options(t)); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("a model that cannot be read: got error %v", err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "a", "x.png")
	for _, path := range []string{path, filepath.Join(folder, "b", "x.png")} {
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, image.NewGray(image.Rect(0, 0, 4, 4))), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := dataset.Open(folder, dataset.Options{Shape: dataset.Shape{Channels: 1, Height: 4, Width: 4}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]*dataset.Dataset{"training": {gone, test}, "test": {training, gone}} {
		if _, err := NewSource(good, pair[0], pair[1], dataset.Normalization{}, orttest.Options(t)); err == nil {
			t.Errorf("%s images that cannot be read: no error", what)
		}
		tr := newTrainerOf(t, good)
		tr.Train, tr.Test = pair[0], pair[1]
		if _, err := newTrainer(tr.Run, false); err == nil || !strings.Contains(err.Error(), "identifying the data set") {
			t.Errorf("a run with %s images that cannot be read: got error %v", what, err)
		}
	}
}
