package train_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/batchnorm"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// withAtan is a ResNet whose first ReLU is an operator without a gradient rule.
func withAtan(t *testing.T) *onnxgraph.Model {
	m := resNet(t)
	for _, n := range m.Graph.Nodes() {
		if n.Is("Relu") {
			n.SetOpType("Atan")
			break
		}
	}
	return m
}

// changed returns the names of constants of which two models have different ones.
func changed(t *testing.T, a, b *onnxgraph.Model) []string {
	t.Helper()
	before, _ := sums(t, a)
	after, _ := sums(t, b)
	var names []string
	for name, sum := range before {
		if after[name] != sum {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestTrainFrom trains what comes after a node: nothing else changes, running statistics neither, and all that comes
// after does.
func TestTrainFrom(t *testing.T) {
	t.Parallel()
	for _, mode := range train.BatchNorms() {
		t.Run(string(mode), func(t *testing.T) {
			m := resNet(t)
			r := newRun(t, m, parameter.Baseline)
			r.Recipe.Epochs, r.Recipe.BatchNorm, r.Recipe.TrainFrom = 1, mode, "layer2.0.relu1"
			if err := r.Recipe.Select(m, parameter.Baseline); err != nil {
				t.Fatal(err)
			}
			got := changed(t, m, do(t, r).Model)
			var want []string
			_, roles := sums(t, m)
			for name, role := range roles {
				statistic := role == parameter.RoleRunningMean || role == parameter.RoleRunningVar
				behind := slices.ContainsFunc([]string{"layer2.0.conv2.", "layer2.0.bn2.", "layer3.", "fc."}, func(layer string) bool { return strings.HasPrefix(name, layer) })
				if behind && !(statistic && mode == train.BatchNormEval) {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("changed\n%q, want\n%q", got, want)
			}
		})
	}
}

// TestTrainFromDropout has Dropouts before the node after which training starts, and behind it: those before do nothing, as what
// is there does not train, and those behind drop.
func TestTrainFromDropout(t *testing.T) {
	t.Parallel()
	dropped := func(names ...string) *onnxgraph.Model { // in front of the named nodes
		m := leNet(t)
		for _, n := range m.Graph.Nodes() {
			if slices.Contains(names, n.Name()) {
				n.SetInput(0, m.Graph.AddNode("Dropout", []*onnxgraph.Value{n.Input(0)}).Output(0))
			}
		}
		return m
	}
	first := newRun(t, leNet(t), parameter.Baseline)
	tune := func(m *onnxgraph.Model) *train.Result {
		r := newRun(t, m, parameter.Baseline)
		r.Train, r.Test = first.Train, first.Test
		r.Recipe.Epochs, r.Recipe.TrainFrom = 2, "relu3"
		if err := r.Recipe.Select(m, parameter.Baseline); err != nil {
			t.Fatal(err)
		}
		return do(t, r)
	}
	plain := tune(leNet(t))
	for _, c := range []struct {
		name  string
		model *onnxgraph.Model
		drops bool
	}{
		{"before", dropped("conv2"), false},
		{"before, twice", dropped("relu1", "fc1"), false},
		{"right before", dropped("relu3"), false},
		{"behind", dropped("fc3"), true},
		{"right behind", dropped("fc2"), true},
	} {
		got := tune(c.model)
		differs := len(changed(t, plain.Model, got.Model)) > 0
		if differs != c.drops || (got.History[1].TrainLoss != plain.History[1].TrainLoss) != c.drops {
			t.Errorf("%s: trains other weights than without: %v, want %v; losses %g and %g", c.name, differs, c.drops, got.History[1].TrainLoss, plain.History[1].TrainLoss)
		}
	}
}

// TestTrainFromOperatorWithoutGradient trains a net that cannot be trained as a whole.
func TestTrainFromOperatorWithoutGradient(t *testing.T) {
	t.Parallel()
	m := withAtan(t)
	r := newRun(t, m, parameter.Baseline)
	r.Recipe.Epochs = 2
	if _, err := r.Do(context.Background()); err == nil || !strings.Contains(err.Error(), "Atan") {
		t.Fatalf("got error %v, want one that names Atan", err)
	}
	r.Recipe.TrainFrom = "relu"
	if err := r.Recipe.Select(m, parameter.Baseline); err != nil {
		t.Fatal(err)
	}
	h := do(t, r).History
	if !(h[1].TrainLoss < h[0].TrainLoss) {
		t.Errorf("the loss went from %v to %v", h[0].TrainLoss, h[1].TrainLoss)
	}
}

// TestUnreached has parameters that the loss does not depend on, in a second output and behind nothing at all. They
// stay, weight decay or not.
func TestUnreached(t *testing.T) {
	t.Parallel()
	m := leNet(t)
	flat := m.Graph.Nodes()[slices.IndexFunc(m.Graph.Nodes(), func(n *onnxgraph.Node) bool { return n.Is("Flatten") })].Output(0)
	features, _ := m.Graph.Value("fc1.weight").StaticShape()
	layer := func(name string) *onnxgraph.Value {
		data := make([]float32, 2*features[1])
		for i := range data {
			data[i] = float32(i%7) / 7
		}
		w := m.Graph.AddConstant(name, onnxgraph.NewTensor([]int64{features[1], 2}, data))
		return m.Graph.AddNode("MatMul", []*onnxgraph.Value{flat, w}).Output(0)
	}
	if err := head.Choose(m, m.Graph.Outputs()[0].Name()); err != nil {
		t.Fatal(err)
	}
	m.Graph.AddOutput(layer("aside"), onnxgraph.Float32, nil)
	layer("nowhere")
	r := newRun(t, m, parameter.Baseline)
	r.Recipe.Epochs, r.Recipe.WeightDecay = 1, 0.1
	result := do(t, r)
	unreached := slices.Sorted(slices.Values(result.Unreached))
	if !slices.Equal(unreached, []string{"aside", "nowhere"}) {
		t.Errorf("not reached are %q, want aside and nowhere", unreached)
	}
	got := changed(t, m, result.Model)
	if slices.Contains(got, "aside") || slices.Contains(got, "nowhere") || len(got) != len(r.Recipe.Trained)-2 {
		t.Errorf("changed %q of %q", got, r.Recipe.Trained)
	}
}

// TestRecalibrate checks that --batchnorm recalibrate trains the same weights as train, and has the statistics that
// batchnorm.Recalibrate gives them.
func TestRecalibrate(t *testing.T) {
	t.Parallel()
	var results []*train.Result
	first := newRun(t, resNet(t), parameter.Baseline)
	told := 0
	for _, mode := range []train.BatchNorm{train.BatchNormTrain, train.BatchNormRecalibrate} {
		r := newRun(t, first.Model, parameter.Baseline)
		r.Train, r.Test, r.Augment, r.Recipe.Epochs, r.Recipe.BatchNorm = first.Train, first.Test, nil, 1, mode
		r.Recalibrating = func(done, _ int) { told = done }
		results = append(results, do(t, r))
	}
	statistics := changed(t, results[0].Model, results[1].Model)
	_, roles := sums(t, results[0].Model)
	for _, name := range statistics {
		if role := roles[name]; role != parameter.RoleRunningMean && role != parameter.RoleRunningVar {
			t.Errorf("%s, a %s, differs", name, role)
		}
	}
	if len(statistics) != 18 {
		t.Errorf("%d statistics differ, want those of 9 layers", len(statistics))
	}
	report, err := batchnorm.Recalibrate(context.Background(), results[0].Model, first.Train, batchnorm.Options{
		BatchSize: first.Recipe.BatchSize, Normalize: first.Normalize, Session: first.Session,
	})
	if err != nil || report.Images != told {
		t.Errorf("%+v (%v), the run told of %d images", report, err, told)
	}
	if left := changed(t, results[0].Model, results[1].Model); len(left) > 0 {
		t.Errorf("still different after re-estimating: %q", left)
	}
}
