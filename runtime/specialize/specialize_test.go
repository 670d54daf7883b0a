package specialize_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// net is a model in the making.
type net struct {
	t     *testing.T
	model *onnxgraph.Model
	rng   *rand.Rand
}

type values = []*onnxgraph.Value

func newNet(t *testing.T, irVersion int64, shape ...onnxgraph.Dim) *net {
	t.Helper()
	orttest.Init(t)
	n := &net{t, onnxgraph.New("net", irVersion, 13), rand.New(rand.NewPCG(1, 2))}
	if _, err := n.model.Graph.AddInput("images", onnxgraph.Float32, shape); err != nil {
		t.Fatal(err)
	}
	return n
}

func open(sizes ...int64) []onnxgraph.Dim {
	return append([]onnxgraph.Dim{{Size: -1, Param: "batch"}}, onnxgraph.Static(sizes...)...)
}

func (n *net) image() *onnxgraph.Value { return n.model.Graph.Value("images") }

func (n *net) op(opType string, inputs values, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	return n.model.Graph.AddNode(opType, inputs, attrs...).Output(0)
}

func (n *net) tensor(dims ...int64) *onnxgraph.Tensor {
	count := int64(1)
	for _, d := range dims {
		count *= d
	}
	data := make([]float32, count)
	for i := range data {
		data[i] = float32(n.rng.NormFloat64())
	}
	return onnxgraph.NewTensor(dims, data)
}

func (n *net) weight(name string, dims ...int64) *onnxgraph.Value {
	return n.model.Graph.AddConstant(name, n.tensor(dims...))
}

func (n *net) ints(v ...int64) *onnxgraph.Value {
	return n.model.Graph.AddConstant("ints", onnxgraph.NewTensor([]int64{int64(len(v))}, v))
}

func (n *net) node(t *onnxgraph.Tensor) *onnxgraph.Value {
	return n.op("Constant", nil, onnxgraph.TensorAttr("value", t))
}

// output ends the net, whose output is declared with the given shape.
func (n *net) output(v *onnxgraph.Value, shape ...onnxgraph.Dim) *onnxgraph.Model {
	n.model.Graph.AddOutput(v, onnxgraph.Float32, shape)
	return n.model
}

// features are 5 numbers per image: [batch, 5, 1, 1].
func (n *net) features() *onnxgraph.Value {
	x := n.op("Relu", values{n.op("Conv", values{n.image(), n.weight("filters", 5, 3, 3, 3)})})
	return n.op("GlobalAveragePool", values{x})
}

func run(t *testing.T, m *onnxgraph.Model, images *onnxgraph.Tensor) []float32 {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	name := session.Outputs()[0].Name
	out, err := session.Run(map[string]*onnxgraph.Tensor{session.Inputs()[0].Name: images}, name)
	if err != nil {
		t.Fatal(err)
	}
	result, err := out[name].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// same checks that a model and what it was fitted to agree for batches of the fitted size: the source runs
// image by image, as often as its own batch size needs.
func same(t *testing.T, source, fitted *onnxgraph.Model, own int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	shape, _ := fitted.Graph.Value("images").StaticShape()
	images := make([]float32, shape[0]*3*8*8)
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	got := run(t, fitted, onnxgraph.NewTensor(shape, images))
	rows := len(got) / int(shape[0])
	for i := range int(shape[0]) {
		repeated := slices.Repeat(images[i*192:(i+1)*192], int(own))
		want := run(t, source, onnxgraph.NewTensor([]int64{own, 3, 8, 8}, repeated))[:rows]
		for k, v := range want {
			if math.Abs(float64(v-got[i*rows+k])) > 1e-5 {
				t.Fatalf("image %d, output %d: %g, by the source %g", i, k, got[i*rows+k], v)
			}
		}
	}
}

// TestModels fits models to a batch of 3, and checks outputs, types and what was folded.
func TestModels(t *testing.T) {
	cases := []struct {
		name  string
		own   int64 // the batch size for which the source runs
		model func(t *testing.T) *onnxgraph.Model
		gone  []string // operators that are folded
	}{
		{"batch fixed in a Reshape", 1, func(t *testing.T) *onnxgraph.Model {
			n := newNet(t, 8, onnxgraph.Static(1, 3, 8, 8)...)
			flat := n.op("Reshape", values{n.features(), n.ints(1, 5)})
			return n.output(n.op("Gemm", values{flat, n.weight("w", 5, 4)}), onnxgraph.Static(1, 4)...)
		}, nil},
		{"batch fixed at 2 in a Constant node", 2, func(t *testing.T) *onnxgraph.Model {
			n := newNet(t, 8, onnxgraph.Static(2, 3, 8, 8)...)
			flat := n.op("Reshape", values{n.features(), n.node(onnxgraph.NewTensor([]int64{2}, []int64{2, -1}))})
			return n.output(n.op("MatMul", values{flat, n.weight("w", 5, 4)}), onnxgraph.Static(2, 4)...)
		}, []string{"Constant"}},
		{"old file with initializers among its inputs", 1, func(t *testing.T) *onnxgraph.Model {
			n := newNet(t, 3, onnxgraph.Static(1, 3, 8, 8)...)
			flat := n.op("Reshape", values{n.features(), n.ints(1, 5)})
			return n.output(n.op("Gemm", values{flat, n.weight("w", 5, 4), n.weight("b", 4)}), onnxgraph.Static(1, 4)...)
		}, nil},
		{"shape arithmetic", 1, func(t *testing.T) *onnxgraph.Model {
			n := newNet(t, 8, open(3, 8, 8)...)
			x := n.features()
			size := n.op("Gather", values{n.op("Shape", values{x}), n.node(onnxgraph.NewScalar[int64](0))})
			size = n.op("Unsqueeze", values{size, n.ints(0)})
			rest := n.op("Div", values{n.ints(-4), n.node(onnxgraph.NewTensor([]int64{1}, []int64{4}))})
			target := n.op("Concat", values{size, rest}, onnxgraph.Int("axis", 0))
			return n.output(n.op("MatMul", values{n.op("Reshape", values{x, target}), n.weight("w", 5, 4)}), open(4)...)
		}, []string{"Shape", "Gather", "Unsqueeze", "Div", "Concat", "Constant"}},
		{"weight from a Constant node", 1, func(t *testing.T) *onnxgraph.Model {
			n := newNet(t, 8, open(3, 8, 8)...)
			flat := n.op("Flatten", values{n.features()})
			return n.output(n.op("MatMul", values{flat, n.node(n.tensor(5, 4))}), open(4)...)
		}, []string{"Constant"}},
		{"sizes all open", 1, func(t *testing.T) *onnxgraph.Model {
			n := newNet(t, 8, slices.Repeat([]onnxgraph.Dim{{Size: -1}}, 4)...)
			flat := n.op("Flatten", values{n.features()})
			return n.output(n.op("MatMul", values{flat, n.weight("w", 5, 4)}))
		}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			source := c.model(t)
			before, err := source.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			fitted, err := specialize.Model(source, []int64{3, 3, 8, 8})
			if err != nil {
				t.Fatal(err)
			}
			if after, _ := source.Bytes(); !slices.Equal(before, after) {
				t.Error("the source was changed")
			}
			same(t, source, fitted, c.own)
			for _, node := range fitted.Graph.Nodes() {
				if slices.Contains(c.gone, node.OpType()) {
					t.Errorf("%s is still there", node)
				}
				for _, v := range node.Outputs() {
					if _, ok := v.StaticShape(); !ok || v.DType() == onnxgraph.Undefined {
						t.Errorf("value %q has no type", v.Name())
					}
				}
			}
			if got := fitted.Graph.Inputs(); len(got) != 1 {
				t.Errorf("there are %d inputs, want the images only", len(got))
			}
		})
	}
}

// TestWeightsStay checks that weights are initializers of their own names, whatever computes with them.
func TestWeightsStay(t *testing.T) {
	n := newNet(t, 8, open(3, 8, 8)...)
	constant := n.node(n.tensor(5, 4))
	doubled := n.op("Add", values{constant, n.weight("other", 5, 4)})
	n.output(n.op("MatMul", values{n.op("Flatten", values{n.features()}), doubled}))
	fitted, err := specialize.Model(n.model, []int64{2, 3, 8, 8})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"filters", "other", constant.Name()} {
		v := fitted.Graph.Value(name)
		if v == nil || !slices.Contains(fitted.Graph.Initializers(), v) || !v.IsUsed() {
			t.Errorf("%q is no initializer that is used", name)
		}
	}
	if doubled := fitted.Graph.Value(doubled.Name()); doubled == nil || doubled.Constant() != nil {
		t.Error("the sum of two weights is folded: they could not train")
	}
}

// TestDrawsStay fits models that draw random numbers from shapes: they must draw anew in each run, as the source does.
func TestDrawsStay(t *testing.T) {
	n := newNet(t, 8, open(3)...)
	zeros := n.op("ConstantOfShape", values{n.op("Shape", values{n.image()})})
	drawn := values{
		n.op("RandomNormalLike", values{zeros}), n.op("RandomUniformLike", values{zeros}), n.op("Multinomial", values{zeros}, onnxgraph.Int("sample_size", 3)),
		n.op("RandomNormal", nil, onnxgraph.Ints("shape", 2, 3)), n.op("RandomUniform", nil, onnxgraph.Ints("shape", 2, 3)),
	}
	for _, v := range drawn {
		n.model.Graph.AddOutput(v, onnxgraph.Undefined, nil)
	}
	fitted, err := specialize.Model(n.model, []int64{2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range fitted.Graph.Outputs() {
		if v.Constant() != nil || v.Producer() == nil {
			t.Errorf("%s is always the same", v.Name())
		}
	}
}

// TestHiddenBatch checks that a model made for one image is refused where a batch would go wrong.
func TestHiddenBatch(t *testing.T) {
	const remedy = "take batches of 1, or let the program that made the model write it for any batch size"
	cases := []struct {
		name string
		end  func(n *net, x *onnxgraph.Value) *onnxgraph.Value // x is [1, 5, 1, 1]
	}{
		{"rows mixed", func(n *net, x *onnxgraph.Value) *onnxgraph.Value { // [5, 1] becomes [5, 3]
			return n.op("Transpose", values{n.op("Reshape", values{x, n.ints(5, -1)})})
		}},
		{"mean over the batch", func(n *net, x *onnxgraph.Value) *onnxgraph.Value {
			flat := n.op("Flatten", values{x})
			mean := n.op("ReduceMean", values{flat}, onnxgraph.Ints("axes", 0))
			return n.op("Sub", values{flat, n.op("Mul", values{mean, n.weight("half", 1)})})
		}},
		{"only the first row", func(n *net, x *onnxgraph.Value) *onnxgraph.Value {
			first := n.op("Gather", values{x, n.node(onnxgraph.NewScalar[int64](0))})
			return n.op("Reshape", values{first, n.ints(-1, 5)})
		}},
		{"no room for more rows", func(n *net, x *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Reshape", values{n.op("Reshape", values{x, n.ints(5)}), n.ints(-1, 5)})
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNet(t, 8, onnxgraph.Static(1, 3, 8, 8)...)
			n.output(c.end(n, n.features()), onnxgraph.Static(1, 5)...)
			_, err := specialize.Model(n.model, []int64{3, 3, 8, 8})
			open := n.model.Clone()
			if err := batch.SetSize(open, onnxgraph.Dim{Size: -1, Param: "batch"}); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{err, specialize.CheckBatch(n.model, open, []int64{3, 3, 8, 8})} {
				if err == nil || !strings.Contains(err.Error(), remedy) || !strings.Contains(err.Error(), "made for a batch of 1") {
					t.Errorf("got error %v, want one that says %q", err, remedy)
				}
			}
			if _, err := specialize.Model(n.model, []int64{1, 3, 8, 8}); err != nil {
				t.Errorf("with its own batch size: %v", err)
			}
		})
	}
}

func TestOtherSizes(t *testing.T) {
	n := newNet(t, 8, open(3, 8, 8)...)
	n.output(n.features())
	_, err := specialize.Model(n.model, []int64{2, 3, 16, 16})
	if err == nil || !strings.Contains(err.Error(), "[batch 3 8 8]") || !strings.Contains(err.Error(), "[2 3 16 16]") {
		t.Errorf("got error %v, want one that names both shapes", err)
	}
}

// TestCrashesAreForeseen has a node that reaches beyond its input, which shows only when the size of images is known. ONNX Runtime would
// read memory of others.
func TestCrashesAreForeseen(t *testing.T) {
	for size, crashes := range map[int64]bool{8: true, 9: false} {
		n := newNet(t, 8, onnxgraph.Dim{Size: -1}, onnxgraph.Dim{Size: 3}, onnxgraph.Dim{Size: -1}, onnxgraph.Dim{Size: -1})
		padded := n.op("Pad", values{n.op("Relu", values{n.image()}), n.ints(0, 0, 8, 8, 0, 0, 0, 0)}, onnxgraph.Str("mode", "reflect"))
		n.output(padded)
		shape := []int64{1, 3, size, size}
		_, err := specialize.Model(n.model, shape)
		if found := err != nil && strings.Contains(err.Error(), "by reflection with 8"); found != crashes || err != nil && !crashes {
			t.Errorf("images of %d pixels: got error %v", size, err)
		}
		err = specialize.Measure(t.Context(), n.model, shape, values{padded})
		if found := err != nil && strings.Contains(err.Error(), "by reflection with 8"); found != crashes || err != nil && !crashes {
			t.Errorf("measuring on images of %d pixels: got error %v", size, err)
		}
	}
}

// TestOpenBatch opens the batch size of models that name it in constants; CheckBatch finds nothing against them.
func TestOpenBatch(t *testing.T) {
	grown := func(n *net) *onnxgraph.Value {
		return n.op("Resize", values{n.image(), nil, nil, n.ints(1, 3, 12, 12)}, onnxgraph.Str("mode", "nearest"))
	}
	cases := []struct {
		name   string
		dtype  onnxgraph.DType
		output func(n *net) *onnxgraph.Value
		shape  []int64
	}{
		{"Reshape", onnxgraph.Float32, func(n *net) *onnxgraph.Value { return n.op("Reshape", values{n.features(), n.ints(1, 5)}) }, []int64{1, 5}},
		{"Reshape with a rest", onnxgraph.Float32, func(n *net) *onnxgraph.Value { return n.op("Reshape", values{n.features(), n.ints(1, -1)}) }, []int64{1, 5}},
		{"Expand", onnxgraph.Float32, func(n *net) *onnxgraph.Value { return n.op("Expand", values{n.features(), n.ints(1, 5, 2, 2)}) }, []int64{1, 5, 2, 2}},
		{"Resize", onnxgraph.Float32, grown, []int64{1, 3, 12, 12}},
		{"float16", onnxgraph.Float16, func(n *net) *onnxgraph.Value { return n.op("Flatten", values{n.image()}) }, []int64{1, 192}},
		{"bytes", onnxgraph.Uint8, func(n *net) *onnxgraph.Value { return n.op("Flatten", values{n.image()}) }, []int64{1, 192}},
		{"beside a constant output", onnxgraph.Float32, func(n *net) *onnxgraph.Value {
			n.model.Graph.AddOutput(n.node(n.tensor(4, 4)), onnxgraph.Float32, onnxgraph.Static(4, 4))
			return n.features()
		}, []int64{1, 5, 1, 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNet(t, 8, onnxgraph.Static(1, 3, 8, 8)...)
			n.image().SetType(c.dtype, onnxgraph.Static(1, 3, 8, 8))
			n.model.Graph.AddOutput(c.output(n), c.dtype, onnxgraph.Static(c.shape...))
			open := n.model.Clone()
			if err := batch.SetSize(open, onnxgraph.Dim{Size: -1, Param: "batch"}); err != nil {
				t.Fatal(err)
			}
			if err := specialize.CheckBatch(n.model, open, []int64{3, 3, 8, 8}); err != nil {
				t.Error(err)
			}
			if err := open.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMemory bounds what fitting a model takes, by a part of what all its values take: 700 MB.
func TestMemory(t *testing.T) {
	peer.All(t)
	orttest.Init(t)
	m, err := architecture.New("cifar-resnet", architecture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	used := orttest.Peak(t, func() {
		if _, _, err := specialize.Fit(m, []int64{256, 3, 32, 32}); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d MB", used/1e6)
	if used > 150e6 {
		t.Errorf("fitting takes %d MB", used/1e6)
	}
}
