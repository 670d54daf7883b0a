package evaluate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform"
)

// blocks is a LeNet of frozen blocks, with weights so large beside the biases that it tells images apart.
func blocks(t *testing.T, o transform.Options) *onnxgraph.Model {
	t.Helper()
	m := leNet(t)
	for _, v := range m.Graph.Initializers() {
		w, err := v.Constant().Float32s()
		if err != nil {
			t.Fatal(err)
		}
		w = slices.Clone(w)
		factor := float32(4)
		if len(v.Constant().Dims()) == 1 {
			factor = 0
		}
		for i := range w {
			w[i] *= factor
		}
		v.SetConstant(onnxgraph.NewTensor(v.Constant().Dims(), w))
	}
	o.Pointwise = transform.Random
	if _, err := transform.Convert(m, o); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBlocks measures models of frozen blocks, and the same without the records by which blocks are found: loss, accuracies, also
// under attack, and the images' gradient must be the same but for rounding, and only blocks that are not linear may run as two
// convolutions.
func TestBlocks(t *testing.T) {
	t.Parallel()
	set := newSet(t)
	images, labels := all(t, set, normalization)
	for name, c := range map[string]struct {
		options transform.Options
		convs   int // that run
	}{
		"E = 1":                      {transform.Options{Expansion: 1}, 2},
		"E = 8":                      {transform.Options{Expansion: 8}, 2},
		"depthwise bank":             {transform.Options{Expansion: 8, Layout: transform.Depthwise}, 2},
		"BatchNorm between":          {transform.Options{Expansion: 8, Between: transform.BatchNorm}, 2},
		"ReLU between":               {transform.Options{Expansion: 2, Between: transform.ReLU}, 4},
		"BatchNorm and ReLU between": {transform.Options{Expansion: 2, Between: transform.BatchNormReLU}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			m := blocks(t, c.options)
			bare := m.Clone()
			for _, key := range bare.MetadataKeys() {
				bare.RemoveMetadata(key)
			}
			var outline Outline
			o := Options{BatchSize: samples, Normalize: normalization, Epsilon: 8.0 / 255, Outlined: func(o Outline) { outline = o }}
			if ran := operatorsRun(t, m, set, o); ran["Conv"] != c.convs || ran["MatMul"] != 0 {
				t.Errorf("the operators %v run, want %d Conv, and none that combine filters", ran, c.convs)
			}
			e := newEvaluator(t, m, set, o)
			got, err := e.measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			gradient, err := e.gradient(images, labels)
			if err != nil {
				t.Fatal(err)
			}
			if merged := 4 - c.convs; outline.Fault != nil || outline.Merged != merged || outline.TwoConv != 2-merged {
				t.Errorf("%+v, want %d merged", outline, merged)
			}
			e = newEvaluator(t, bare, set, o)
			want, err := e.measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if outline.Merged != 0 {
				t.Fatal("the copy without records is merged, too: this tests nothing")
			}
			if !near(got.Loss, want.Loss, 1e-5*want.Loss) || got.Top1 != want.Top1 || got.Top5 != want.Top5 || *got.RobustTop1 != *want.RobustTop1 {
				t.Errorf("got %+v, under attack %v; want %+v, %v", got, *got.RobustTop1, want, *want.RobustTop1)
			}
			if *want.RobustTop1 >= want.Top1 && want.Top1 > 0 {
				t.Errorf("the attack fools no image (%v of %v): this tests little", *want.RobustTop1, want.Top1)
			}
			reference, err := e.gradient(images, labels)
			if err != nil {
				t.Fatal(err)
			}
			largest := 0.0
			for _, v := range reference {
				largest = max(largest, float64(v), -float64(v))
			}
			for i, v := range reference {
				if !near(float64(gradient[i]), float64(v), 1e-4*largest) {
					t.Fatalf("the gradient of pixel %d is %g, want %g", i, gradient[i], v)
				}
			}
		})
	}
}

// operatorsRun returns how many nodes of each operator ONNX Runtime runs without an attack.
func operatorsRun(t *testing.T, m *onnxgraph.Model, set *dataset.Dataset, o Options) map[string]int {
	t.Helper()
	o.Epsilon, o.Session.ProfilePrefix = 0, filepath.Join(t.TempDir(), "run")
	e := newEvaluator(t, m, set, o)
	if _, err := e.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(o.Session.ProfilePrefix + "*")
	if err != nil || len(files) != 1 {
		t.Fatalf("profiles %v, want one", files)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var events []struct {
		Name string
		Args struct {
			Operator string `json:"op_name"`
		}
	}
	if err := json.Unmarshal(data, &events); err != nil {
		t.Fatal(err)
	}
	seen, ran := map[string]bool{}, map[string]int{}
	for _, event := range events {
		if strings.HasSuffix(event.Name, "_kernel_time") && !seen[event.Name] {
			seen[event.Name] = true
			ran[strings.TrimPrefix(event.Args.Operator, "Fused")]++
		}
	}
	return ran
}

// TestOtherTool measures a model of which another tool has changed a bank: as it is, under attack, too, and it says so.
func TestOtherTool(t *testing.T) {
	t.Parallel()
	set := newSet(t)
	m := blocks(t, transform.Options{Expansion: 2})
	found, err := transform.Blocks(m)
	if err != nil {
		t.Fatal(err)
	}
	bank := found[0].Bank.Constant()
	found[0].Bank.SetConstant(onnxgraph.NewTensor(bank.Dims(), make([]float32, bank.Len())))
	images, labels := all(t, set, normalization)
	want := naive(logits(t, m, images), labels)
	var outline Outline
	o := Options{BatchSize: 8, Normalize: normalization, Epsilon: 8.0 / 255, Outlined: func(o Outline) { outline = o }}
	got := measure(t, m, set, o)
	if !near(got.Loss, want.Loss, 1e-5*want.Loss) || outline.Fault == nil || outline.Merged+outline.TwoConv != 0 {
		t.Errorf("got %+v, %+v; want %+v, and a fault", got, outline, want)
	}
	o.Outlined = nil
	for _, key := range m.MetadataKeys() {
		m.RemoveMetadata(key)
	}
	if plain := measure(t, m, set, o); *got.RobustTop1 != *plain.RobustTop1 {
		t.Errorf("accuracy under attack %g, want %g", *got.RobustTop1, *plain.RobustTop1)
	}
}
