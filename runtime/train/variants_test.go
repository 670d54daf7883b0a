package train_test

import (
	"crypto/sha256"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

func newOther() (*onnxgraph.Model, error) {
	return architecture.New("cifar-resnet", architecture.Options{})
}

func writer(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

func converted(t *testing.T, m *onnxgraph.Model, o transform.Options) *onnxgraph.Model {
	t.Helper()
	if _, err := transform.Convert(m, o); err != nil {
		t.Fatal(err)
	}
	return m
}

// sums returns the SHA-256 of every constant with floating-point numbers, with its role.
func sums(t *testing.T, m *onnxgraph.Model) (sum map[string][32]byte, role map[string]parameter.Role) {
	t.Helper()
	parameters, err := parameter.List(m)
	if err != nil {
		t.Fatal(err)
	}
	sum, role = map[string][32]byte{}, map[string]parameter.Role{}
	for _, p := range parameters {
		raw, err := p.Value.Constant().Raw()
		if err != nil {
			t.Fatal(err)
		}
		sum[p.Value.Name()], role[p.Value.Name()] = sha256.Sum256(raw), p.Role
	}
	return sum, role
}

// TestVariants checks which constants training changes: in every variant all that train and all running
// statistics, and nothing else, bit for bit.
func TestVariants(t *testing.T) {
	t.Parallel()
	blocks := func(o transform.Options) func(*testing.T) *onnxgraph.Model {
		return func(t *testing.T) *onnxgraph.Model { return converted(t, normed(t), o) }
	}
	random := transform.Options{Pointwise: transform.Random, Between: transform.BatchNormReLU}
	cases := []struct {
		name    string
		variant parameter.Variant
		model   func(*testing.T) *onnxgraph.Model
	}{
		{"baseline", parameter.Baseline, normed},
		{"frozen baseline", parameter.FrozenBaseline, normed},
		{"frozen", parameter.Frozen, blocks(transform.Options{})},
		{"frozen, folded", parameter.Frozen, blocks(transform.Options{Expansion: 3})},
		{"frozen, by coordinates", parameter.Frozen, blocks(transform.Options{Expansion: 30})},
		{"frozen, depthwise", parameter.Frozen, blocks(transform.Options{Layout: transform.Depthwise, Expansion: 2})},
		{"frozen, norm and ReLU between", parameter.Frozen, blocks(random)},
		{"learned", parameter.Learned, blocks(transform.Options{})},
		{"learned, folded", parameter.Learned, blocks(transform.Options{Expansion: 3})},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := c.model(t)
			r := newRun(t, m, c.variant)
			r.Recipe.Epochs = 1
			before, _ := sums(t, m)
			after, role := sums(t, do(t, r).Model) // also checks that the blocks are as they are recorded
			if len(after) != len(before) {
				t.Errorf("%d constants, want %d", len(after), len(before))
			}
			spatial := 0
			for name := range before {
				isBank := role[name] == parameter.RoleBank
				isSpatial := c.variant == parameter.FrozenBaseline && role[name] == parameter.RoleWeight && strings.Contains(name, "conv")
				if isBank || isSpatial {
					spatial++
				}
				fixed := isBank && c.variant != parameter.Learned || isSpatial
				if changed := before[name] != after[name]; changed == fixed {
					t.Errorf("%s %q: changed is %v, want %v", role[name], name, changed, !fixed)
				}
			}
			if want := 2; c.variant != parameter.Baseline && spatial != want {
				t.Errorf("%d spatial filters or banks, want %d", spatial, want)
			}
		})
	}
}

// TestOldForms trains a file of IR version 3, whose initializers are inputs, and weights that Constant nodes hold:
// what was trained is there again afterwards.
func TestOldForms(t *testing.T) {
	t.Parallel()
	old := onnxgraph.New("old", 3, 9)
	g := old.Graph
	image, err := g.AddInput("images", onnxgraph.Float32, onnxgraph.Static(1, 1, side, side))
	if err != nil {
		t.Fatal(err)
	}
	one := slices.Repeat([]float32{0.1, -0.05}, 36)
	conv := g.AddNode("Conv", []*onnxgraph.Value{image, g.AddConstant("filters", onnxgraph.NewTensor([]int64{8, 1, 3, 3}, one))},
		onnxgraph.Ints("strides", 2, 2))
	flat := g.AddNode("Reshape", []*onnxgraph.Value{g.AddNode("Relu", conv.Outputs()).Output(0),
		g.AddConstant("shape", onnxgraph.NewTensor([]int64{2}, []int64{1, 200}))})
	weights := g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", onnxgraph.NewTensor([]int64{200, classes}, make([]float32, 200*classes))))
	product := g.AddNode("MatMul", []*onnxgraph.Value{flat.Output(0), weights.Output(0)})
	g.AddOutput(g.AddNode("Softmax", product.Outputs()).Output(0), onnxgraph.Float32, onnxgraph.Static(1, classes))

	r := newRun(t, old, parameter.Baseline)
	if len(r.Recipe.Trained) != 2 {
		t.Fatalf("%q train, want filters and the Constant node's output", r.Recipe.Trained)
	}
	r.Recipe.Epochs, r.Recipe.BatchSize = 6, 10
	result := do(t, r)
	h := result.History
	if last := h[len(h)-1]; last.TestTop1 < 0.9 {
		t.Errorf("top-1 is %g: it did not learn", last.TestTop1)
	}
	for name, start := range map[string]float32{"filters": 0.1, weights.Output(0).Name(): 0} {
		if constant(t, result.Model, name)[0] == start {
			t.Errorf("%q is as it was", name)
		}
	}
	if err := result.Model.Validate(); err != nil {
		t.Error(err)
	}
	again := newRun(t, result.Model, parameter.Baseline) // the file that was written can be used again
	again.Recipe.Epochs, again.Recipe.LearningRate, again.Recipe.BatchSize = 1, 1e-12, 10
	again.Recipe.WeightDecay = 0
	again.Train, again.Test = r.Train, r.Test
	if got, want := do(t, again).History[0].TestTop1, h[len(h)-1].TestTop1; got != want {
		t.Errorf("top-1 of the trained model is %g, it was %g", got, want)
	}
}
