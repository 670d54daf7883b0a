package head_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

const oldClasses, newClasses = 10, 7

// heads are ends of classifiers of 10 classes by their name, from feature maps [2, 6, 3, 3].
var heads = map[string]func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value{
	"linear": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		flat := b.Op("Flatten", b.Op("GlobalAveragePool", x))
		return b.Op("Gemm", flat, b.Constant("fc.weight", 10, 6), b.Constant("fc.bias", 10), onnxgraph.Int("transB", 1))
	},
	"not transposed, no bias": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		return b.Op("Gemm", b.Op("Flatten", x), b.Constant("fc.weight", 54, 10))
	},
	"product and sum": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		return b.Op("Add", b.Op("MatMul", b.Op("Flatten", x), b.Constant("fc.weight", 54, 10)), b.Constant("fc.bias", 1, 10))
	},
	"bias of one number": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		return b.Op("Gemm", b.Op("Flatten", x), b.Constant("fc.weight", 54, 10), b.Constant("all.bias", 1))
	},
	"softmax": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		return b.Op("Softmax", b.Op("Gemm", b.Op("Flatten", x), b.Constant("fc.weight", 54, 10), b.Constant("fc.bias", 10)))
	},
	"convolution": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		conv := b.Op("Conv", b.Op("Dropout", x), b.Constant("fc.weight", 10, 6, 1, 1), b.Constant("fc.bias", 10))
		return b.Op("Flatten", b.Op("GlobalAveragePool", b.Op("Relu", conv)))
	},
	"convolution, bias added, reshaped": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		conv := b.Op("Add", b.Op("Conv", x, b.Constant("fc.weight", 10, 6, 3, 3)), b.Constant("fc.bias", 1, 10, 1, 1))
		return b.Op("Softmax", b.Op("Reshape", conv, b.Ints(-1, 10)))
	},
	"reshaped, sizes kept": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		conv := b.Op("Conv", b.Op("GlobalAveragePool", x), b.Constant("fc.weight", 10, 6, 1, 1), b.Constant("fc.bias", 10))
		return b.Op("Reshape", conv, b.Ints(0, 0))
	},
	"reshaped, a size computed": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		conv := b.Op("Conv", b.Op("GlobalAveragePool", x), b.Constant("fc.weight", 10, 6, 1, 1), b.Constant("fc.bias", 10))
		return b.Op("Reshape", conv, b.Ints(2, -1))
	},
	"clipped, an input absent": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		y := b.Op("Gemm", b.Op("Flatten", x), b.Constant("fc.weight", 54, 10))
		return b.G.AddNode("Clip", []*onnxgraph.Value{y, nil, b.G.AddConstant("most", onnxgraph.NewScalar(float32(100)))}).Output(0)
	},
	"several outputs of one node behind": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		y := b.Op("Gemm", b.Op("Flatten", x), b.Constant("fc.weight", 54, 10))
		return b.G.AddNodeOf("", "Dropout", []*onnxgraph.Value{y}, 2).Output(0)
	},
	"channels last": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		conv := b.Op("Conv", x, b.Constant("fc.weight", 10, 6, 1, 1), b.Constant("fc.bias", 10))
		return b.Op("ReduceMean", b.Op("Transpose", conv, onnxgraph.Ints("perm", 0, 2, 3, 1)), b.Ints(1, 2), onnxgraph.Int("keepdims", 0))
	},
	"weight stored otherwise": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		weight := b.Op("Transpose", b.Op("Reshape", b.Constant("fc.weight", 10, 6, 3, 3), b.Ints(10, 54)))
		return b.Op("MatMul", b.Op("Flatten", x), weight)
	},
	"temperature": func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		return b.Op("Div", b.Op("Gemm", b.Op("Flatten", x), b.Constant("fc.weight", 54, 10)), b.Constant("temperature", 1))
	},
}

// TestReplaceHead gives the new head the numbers that the old one had for the classes that are left: it then must put
// out what the old one did for them.
func TestReplaceHead(t *testing.T) {
	orttest.Init(t)
	for name, build := range heads {
		t.Run(name, func(t *testing.T) {
			m := transformtest.Classifier(t, build, 2, oldClasses)
			old := m.Clone()
			h, err := head.Replace(m, newClasses, 5)
			if err != nil {
				t.Fatal(err)
			}
			if h.Classes != oldClasses || h.Node == "" {
				t.Errorf("the head was %+v, want one of %d classes", h, oldClasses)
			}
			if shape, _ := m.Graph.Outputs()[0].StaticShape(); !slices.Equal(shape, []int64{2, newClasses}) {
				t.Errorf("the output is declared %v", shape)
			}
			sum := 0.0
			for _, v := range m.Graph.Initializers() {
				before := old.Graph.Value(v.Name())
				switch {
				case before == nil:
					t.Errorf("%q has a new name", v.Name())
				case strings.HasPrefix(v.Name(), "fc."):
					checkDrawn(t, v, 1/math.Sqrt(float64(fanIn(build, t))))
					keepClasses(t, v, before.Constant(), name == "weight stored otherwise")
					sum++
				case v.DType().IsFloat() && v.Constant().Len() != before.Constant().Len():
					t.Errorf("%q changed", v.Name())
				}
			}
			if sum == 0 {
				t.Error("there is no new weight")
			}
			x := map[string]*onnxgraph.Tensor{"x": convcases.Draw(onnxgraph.Float32, 99, 2, 6, 3, 3)}
			before := convcases.ArrayOf(transformtest.Outputs(t, old, x)[old.Graph.Outputs()[0].Name()])
			after := convcases.ArrayOf(transformtest.Outputs(t, m, x)[m.Graph.Outputs()[0].Name()])
			for row := range 2 {
				left := slices.Clone(before.Data[row*oldClasses:][:newClasses])
				if strings.Contains(name, "softmax") || strings.HasSuffix(name, "added, reshaped") {
					normalize(left)
				}
				for k, want := range left {
					if got := after.Data[row*newClasses+k]; math.Abs(got-want) > 1e-5 {
						t.Errorf("row %d, class %d: %v, want %v", row, k, got, want)
					}
				}
			}
		})
	}
}

// fanIn is the number of features that the head reads.
func fanIn(build func(*transformtest.Builder, *onnxgraph.Value) *onnxgraph.Value, t *testing.T) int64 {
	t.Helper()
	w := transformtest.Classifier(t, build, 2, oldClasses).Graph.Value("fc.weight").Constant()
	return w.Len() / oldClasses
}

// checkDrawn checks that numbers look like draws from U[-bound, bound].
func checkDrawn(t *testing.T, v *onnxgraph.Value, bound float64) {
	t.Helper()
	most, distinct := 0.0, map[float64]bool{}
	data := convcases.ArrayOf(v.Constant()).Data
	for _, x := range data {
		most = max(most, math.Abs(x))
		distinct[x] = true
	}
	if most > bound || most < bound/3 || len(distinct) < len(data)-1 {
		t.Errorf("%s is %v, want different numbers within ±%v", v.Name(), data, bound)
	}
}

// keepClasses makes v hold those numbers of an old tensor that belong to the classes that are left.
func keepClasses(t *testing.T, v *onnxgraph.Value, old *onnxgraph.Tensor, asMatrix bool) {
	t.Helper()
	dims, data := v.Constant().Dims(), convcases.ArrayOf(old).Data
	if asMatrix { // stored as [10, 54], read as [54, 10]
		var turned []float64
		for i := range 54 {
			for k := range oldClasses {
				turned = append(turned, data[k*54+i])
			}
		}
		data = turned
	}
	axis := slices.Index(dims, newClasses)
	inner := int(onnxgraph.ElementCount(dims[axis+1:]))
	var kept []float64
	for i, x := range data {
		if i/inner%oldClasses < newClasses {
			kept = append(kept, x)
		}
	}
	tensor, err := onnxgraph.FromFloat64s(onnxgraph.Float32, dims, kept)
	if err != nil {
		t.Fatal(err)
	}
	v.SetConstant(tensor)
}

// normalize makes probabilities sum up to 1.
func normalize(p []float64) {
	sum := 0.0
	for _, v := range p {
		sum += v
	}
	for i := range p {
		p[i] /= sum
	}
}

// TestReplaceSigmoidHead replaces heads behind a Sigmoid: a single number stays one for two classes, and several become a
// Softmax.
func TestReplaceSigmoidHead(t *testing.T) {
	orttest.Init(t)
	ended := func(width int64, end func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value, shape ...int64) *onnxgraph.Model {
		return transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return end(b, b.Op("Gemm", b.Op("Flatten", x), b.Constant("fc.weight", 54, width), b.Constant("fc.bias", width)))
		}, shape...)
	}
	sigmoid := func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value { return b.Op("Sigmoid", x) }
	flat := func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		return b.Op("Reshape", sigmoid(b, x), b.Ints(-1))
	}
	plain := func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value { return x }
	for _, c := range []struct {
		name         string
		m            *onnxgraph.Model
		classes, was int
		shape        []int64
		last         string
	}{
		{"two of two", ended(1, sigmoid, 2, 1), 2, 2, []int64{2, 1}, "Sigmoid"},
		{"two of two, [N]", ended(1, flat, 2), 2, 2, []int64{2}, "Sigmoid"},
		{"two of two, a logit", ended(1, plain, 2, 1), 2, 2, []int64{2, 1}, "Gemm"},
		{"three of two", ended(1, sigmoid, 2, 1), 3, 2, []int64{2, 3}, "Softmax"},
		{"three of two, a logit", ended(1, plain, 2, 1), 3, 2, []int64{2, 3}, "Gemm"},
		{"three of five, channels last", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			conv := b.Op("Conv", b.Op("GlobalAveragePool", x), b.Constant("fc.weight", 5, 6, 1, 1), b.Constant("fc.bias", 5))
			last := b.Op("Sigmoid", b.Op("Transpose", conv, onnxgraph.Ints("perm", 0, 2, 3, 1)))
			last.SetType(onnxgraph.Float32, onnxgraph.Static(2, 1, 1, 5))
			return b.Op("Flatten", last)
		}, 2, 5), 3, 5, []int64{2, 3}, "Softmax"},
		{"three of five, nothing declared inside", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Flatten", b.Op("Sigmoid", b.Op("Conv", b.Op("GlobalAveragePool", x), b.Constant("fc.weight", 5, 6, 1, 1), b.Constant("fc.bias", 5))))
		}, 2, 5), 3, 5, []int64{2, 3}, "Softmax"},
		{"three of five, channels first", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			last := b.Op("Sigmoid", b.Op("Conv", b.Op("GlobalAveragePool", x), b.Constant("fc.weight", 5, 6, 1, 1), b.Constant("fc.bias", 5)))
			last.SetType(onnxgraph.Float32, onnxgraph.Static(2, 5, 1, 1))
			return b.Op("Flatten", last)
		}, 2, 5), 3, 5, []int64{2, 3}, "Softmax"},
		{"two of five by themselves", ended(5, sigmoid, 2, 5), 2, 5, []int64{2, 2}, "Softmax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.m.Graph.Value("fc.weight").Constant()
			h, err := head.Replace(c.m, c.classes, 1)
			if err != nil {
				t.Fatal(err)
			}
			if h.Classes != c.was || c.m.Graph.Value("fc.weight").Constant() == before {
				t.Errorf("the head told %d classes apart, want %d; its weight must be new", h.Classes, c.was)
			}
			width := c.classes
			if c.was == 2 && c.classes == 2 {
				width = 1
			}
			if n := c.m.Graph.Value("fc.bias").Constant().Len(); n != int64(width) {
				t.Errorf("the bias has %d numbers, want %d", n, width)
			}
			output := c.m.Graph.Outputs()[0]
			out := transformtest.Outputs(t, c.m, map[string]*onnxgraph.Tensor{"x": convcases.Draw(onnxgraph.Float32, 1, 2, 6, 3, 3)})[output.Name()]
			if declared, _ := output.StaticShape(); !slices.Equal(out.Dims(), c.shape) || !slices.Equal(declared, c.shape) {
				t.Errorf("the output is %v, declared %v, want %v", out.Dims(), declared, c.shape)
			}
			if last := head.LastOperator(output); last.OpType() != c.last {
				t.Errorf("the output comes from %s, want %s", last.OpType(), c.last)
			}
			if c.last != "Softmax" {
				return
			}
			last := head.LastOperator(output).Output(0)
			if declared, ok := last.StaticShape(); ok && onnxgraph.ElementCount(declared) != int64(2*c.classes) || ok && !slices.Contains(declared, int64(c.classes)) {
				t.Errorf("behind the layer, %v are declared for %d classes", declared, c.classes)
			}
			for row := range slices.Chunk(convcases.ArrayOf(out).Data, c.classes) { // probabilities of one of all classes
				sum := 0.0
				for _, p := range row {
					sum += p
				}
				if math.Abs(sum-1) > 1e-5 {
					t.Errorf("the probabilities add up to %v", sum)
				}
			}
		})
	}
	if _, err := head.Replace(ended(1, flat, 2), 3, 1); err == nil || !strings.Contains(err.Error(), "single number per image") {
		t.Errorf("three classes for a single number without a place for more: error %v", err)
	}
}

// TestReplaceHeadBesideSigmoid has a second output from a Sigmoid in front of the head, which stays.
func TestReplaceHeadBesideSigmoid(t *testing.T) {
	m := transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		return heads["linear"](b, b.Op("Sigmoid", x))
	}, 2, oldClasses)
	gate := m.Graph.Nodes()[0]
	m.Graph.AddOutput(gate.Output(0), onnxgraph.Float32, onnxgraph.Static(2, 6, 3, 3))
	if err := head.Choose(m, m.Graph.Outputs()[0].Name()); err != nil {
		t.Fatal(err)
	}
	if _, err := head.Replace(m, newClasses, 1); err != nil {
		t.Fatal(err)
	}
	if shape, _ := gate.Output(0).StaticShape(); !gate.Is("Sigmoid") || !slices.Equal(shape, []int64{2, 6, 3, 3}) {
		t.Errorf("the Sigmoid is a %s of shape %v", gate.OpType(), shape)
	}
}

// TestReplaceHeadAsBuilt compares with an architecture that was built for the number of classes, and drawn from the
// same seed: the heads are equal, and the rest is as before.
func TestReplaceHeadAsBuilt(t *testing.T) {
	build := func(classes int) *onnxgraph.Model {
		m, err := architecture.New("vgg", architecture.Options{Depth: 11, Width: 2, Classes: classes, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	source, m, want := build(oldClasses), build(oldClasses), build(newClasses)
	if _, err := head.Replace(m, newClasses, 5); err != nil {
		t.Fatal(err)
	}
	if _, err := parameter.Reinit(want, parameter.ReinitOptions{Seed: 5}); err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Graph.Initializers() {
		like := source
		if slices.Contains([]string{"classifier.weight", "classifier.bias"}, v.Name()) {
			like = want
		}
		other := like.Graph.Value(v.Name())
		if other == nil || !slices.Equal(v.Constant().Dims(), other.Constant().Dims()) ||
			!slices.Equal(convcases.ArrayOf(v.Constant()).Data, convcases.ArrayOf(other.Constant()).Data) {
			t.Errorf("%s differs", v.Name())
		}
	}
}

// TestReplaceHeadBehindBlocks has frozen blocks in front of the layer, which stay.
func TestReplaceHeadBehindBlocks(t *testing.T) {
	m := transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		return heads["linear"](b, b.Op("Conv", x, b.Constant("w", 6, 6, 3, 3), onnxgraph.Ints("pads", 1, 1, 1, 1)))
	}, 2, oldClasses)
	if _, err := transform.Convert(m, transform.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := head.Replace(m, newClasses, 1); err != nil {
		t.Fatal(err)
	}
	if transformtest.OnlyBlock(t, m); m.Graph.Value("fc.weight").Constant().Dims()[0] != newClasses {
		t.Error("the layer has its old weight")
	}
}

// TestReplaceHeadShared has a weight that another layer reads too, and a bias that is an alias of another constant.
func TestReplaceHeadShared(t *testing.T) {
	m := transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		w, zeros := b.Constant("tied", 10, 10), b.Constant("zeros", 10)
		alias := b.Op("Identity", zeros)
		b.G.Rename(alias, "fc.bias")
		hidden := b.Op("Gemm", b.Op("Flatten", x), b.Constant("first", 54, 10), zeros)
		return b.Op("Gemm", b.Op("Relu", b.Op("Gemm", hidden, w)), w, alias)
	}, 2, oldClasses)
	tied := m.Graph.Value("tied").Constant()
	if _, err := head.Replace(m, newClasses, 0); err != nil {
		t.Fatal(err)
	}
	if v := m.Graph.Value("tied"); v == nil || v.Constant() != tied || m.Graph.Value("zeros").Constant().Len() != 10 {
		t.Error("what another layer reads has changed")
	}
	if bias := m.Graph.Value("fc.bias"); bias == nil || bias.Constant() == nil || bias.Constant().Len() != newClasses {
		t.Error("the bias has lost its name")
	}
	orttest.Init(t)
	if got := transformtest.Outputs(t, m, map[string]*onnxgraph.Tensor{"x": convcases.Draw(onnxgraph.Float32, 1, 2, 6, 3, 3)}); len(got) != 1 {
		t.Errorf("it puts out %v", got)
	}
}

func TestReplaceHeadRefuses(t *testing.T) {
	linear := heads["linear"]
	inBlock := transformtest.Classifier(t, heads["convolution, bias added, reshaped"], 2, oldClasses)
	if _, err := transform.Convert(inBlock, transform.Options{}); err != nil {
		t.Fatal(err)
	}
	read := transformtest.Classifier(t, linear, 2, oldClasses)
	logits := read.Graph.Outputs()[0]
	read.Graph.AddOutput(read.Graph.AddNode("Relu", []*onnxgraph.Value{logits}).Output(0), onnxgraph.Float32, nil)
	read = convcases.Capture(read, logits.Name())
	if err := head.Choose(read, logits.Name()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		m       *onnxgraph.Model
		classes int
		want    string
	}{
		{"read by a body", read, newClasses, "Loop"},
		{"one class", transformtest.Classifier(t, linear, 2, oldClasses), 1, "needs 2 or more"},
		{"class-wise scale", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Mul", linear(b, x), b.Constant("scale", 10))
		}, 2, oldClasses), newClasses, "may scale each class"},
		{"norm behind the layer", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("BatchNormalization", linear(b, x), b.Constant("s", 10), b.Constant("b", 10), b.Constant("m", 10), b.Constant("v", 10))
		}, 2, oldClasses), newClasses, "BatchNormalization"},
		{"groups", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("GlobalAveragePool", b.Op("Conv", x, b.Constant("w", 10, 3, 3, 3), onnxgraph.Int("group", 2)))
		}, 2, oldClasses, 1, 1), newClasses, "in groups"},
		{"scaled by the image", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			y := linear(b, x)
			return b.Op("Mul", y, b.Op("Relu", y))
		}, 2, oldClasses), newClasses, "may scale each class"},
		{"added to itself", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			y := linear(b, x)
			return b.Op("Add", y, y)
		}, 2, oldClasses), newClasses, "adds the output to itself"},
		{"bias from the image", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Gemm", b.Op("Flatten", x), b.Constant("w", 54, 10), b.Op("Relu", b.Op("MatMul", b.Op("Flatten", x), b.Constant("v", 54, 10))))
		}, 2, oldClasses), newClasses, "what it adds"},
		{"bias for each image", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Gemm", b.Op("Flatten", x), b.Constant("w", 54, 10), b.Constant("b", 2, 10))
		}, 2, oldClasses), newClasses, "what it adds has dims [2 10], not one number for each of the 10 classes"},
		{"bias of as many numbers in another shape", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Add", b.Op("MatMul", b.Op("Flatten", x), b.Constant("w", 54, 10)), b.Constant("b", 2, 5))
		}, 2, oldClasses), newClasses, "what it adds has dims [2 5]"},
		{"weight from the image", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("MatMul", b.Op("Flatten", x), b.Op("Reshape", b.Op("Relu", x), b.Ints(54, -1)))
		}, 2, 2), newClasses, "its weight"},
		{"weight of integers", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("MatMul", b.Op("Flatten", x), b.G.AddConstant("w", onnxgraph.NewTensor([]int64{54, 10}, make([]int32, 540))))
		}, 2, oldClasses), newClasses, "needs floating-point numbers"},
		{"weight of one axis", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("MatMul", b.Op("Flatten", x), b.Constant("w", 54))
		}, 2), newClasses, "needs floating-point numbers, a matrix or filters"},
		{"Gemm of three axes", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Gemm", b.Op("Flatten", x), b.Constant("w", 54, 10, 1))
		}, 2, oldClasses), newClasses, "which are no matrix"},
		{"shape from the image", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Reshape", linear(b, x), b.Op("Shape", linear(b, x)))
		}, 2, oldClasses), newClasses, "its target shape"},
		{"shape of no integers", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Reshape", linear(b, x), b.Constant("shape", 2))
		}, 2, oldClasses), newClasses, "its target shape: "},
		{"shape of one axis", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Reshape", linear(b, x), b.Ints(20))
		}, 20), newClasses, "is a single number per image, of shape [20]"},
		{"no class", transformtest.Classifier(t, linear, 2, oldClasses), 0, "0 classes: needs 2 or more"},
		{"another operator of that name", func() *onnxgraph.Model {
			m := transformtest.Classifier(t, linear, 2, oldClasses)
			m.SetOpset("vendor", 1)
			y := m.Graph.Outputs()[0]
			n := m.Graph.AddNodeOf("vendor", "Gemm", y.Producer().Inputs(), 1)
			m.Graph.RemoveOutputs()
			m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, onnxgraph.Static(2, oldClasses))
			m.Graph.Prune()
			return m
		}(), newClasses, "comes between the last Gemm"},
		{"no classifier", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Conv", x, b.Constant("w", 10, 6, 1, 1))
		}, 2, oldClasses, 3, 3), newClasses, "no classifier"},
		{"two branches", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Concat", linear(b, x), linear(b, x), onnxgraph.Int("axis", 1))
		}, 2, 2*oldClasses), newClasses, "Concat"},
		{"many matrices", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Flatten", b.Op("MatMul", b.Op("Flatten", b.Op("GlobalAveragePool", x)), b.Constant("w", 1, 6, 10)))
		}, 1, 2*oldClasses), newClasses, "which are no matrix"},
		{"no weights", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Flatten", b.Op("GlobalAveragePool", x))
		}, 2, 6), newClasses, "no layer with a weight"},
		{"shape without classes", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Reshape", linear(b, x), b.Ints(4, 5))
		}, 4, 5), newClasses, "[4 5]"},
		{"frozen block", inBlock, newClasses, "frozen block"},
		{"clipped, and without an input", transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Clip", nil, nil, b.Constant("most", 1))
		}, 2, oldClasses), newClasses, "no layer with a weight"},
		{"second output of one axis", func() *onnxgraph.Model {
			m := transformtest.Classifier(t, linear, 2, oldClasses)
			b := &transformtest.Builder{G: m.Graph}
			m.Graph.AddOutput(b.Op("Reshape", m.Graph.Outputs()[0], b.Ints(-1)), onnxgraph.Float32, nil)
			if err := head.Choose(m, m.Graph.Outputs()[0].Name()); err != nil {
				t.Fatal(err)
			}
			return m
		}(), newClasses, "its target shape is [-1], which does not keep the 10 classes separate"},
		{"second output mixes classes", func() *onnxgraph.Model {
			m := transformtest.Classifier(t, linear, 2, oldClasses)
			b := &transformtest.Builder{G: m.Graph}
			m.Graph.AddOutput(b.Op("Gather", m.Graph.Outputs()[0], b.Ints(9), onnxgraph.Int("axis", 1)), onnxgraph.Float32, onnxgraph.Static(2, 1))
			return m
		}(), newClasses, "Gather"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.m.Clone()
			_, err := head.Replace(c.m, c.classes, 0)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
			if a, b := transformtest.ModelBytes(t, before), transformtest.ModelBytes(t, c.m); !slices.Equal(a, b) {
				t.Error("the model was changed")
			}
		})
	}
}

// TestReplaceHeadOfModels gives every classifier at hand another number of classes and runs it.
func TestReplaceHeadOfModels(t *testing.T) {
	orttest.Init(t)
	for _, path := range transformtest.ModelFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := onnxgraph.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			inputs := transformtest.DrawInputs(t, m)
			if _, err := head.Replace(m, newClasses, 0); err != nil {
				t.Skip(err)
			}
			name := m.Graph.Outputs()[0].Name()
			if dims := transformtest.Outputs(t, m, inputs)[name].Dims(); len(dims) < 2 || dims[1] != newClasses {
				t.Errorf("output %q has dims %v, want %d classes", name, dims, newClasses)
			}
		})
	}
}
