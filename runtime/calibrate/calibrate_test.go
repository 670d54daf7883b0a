package calibrate_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/transform"
)

// imagesFor draws images for a model of one convolution.
func imagesFor(c convcases.Case, count int) *calibrate.Images {
	t := convcases.Draw(onnxgraph.Float32, 7, append([]int64{int64(count)}, c.Input[1:]...)...)
	data, err := t.Float32s()
	if err != nil {
		panic(err)
	}
	for i := range data { // numbers that no filter sees alike
		data[i] += 0.5 + data[(i+1)%len(data)]
	}
	return &calibrate.Images{Shape: c.Input[1:], Data: data}
}

func arrayOf(images *calibrate.Images) convcases.Array {
	x := convcases.Array{Dims: append([]int64{int64(images.Count())}, images.Shape...)}
	for _, v := range images.Data {
		x.Data = append(x.Data, float64(v))
	}
	return x
}

// outputError returns √(Σ(y - ŷ)² / Σy²), about the means of each channel if asked to.
func outputError(want, got convcases.Array, centered bool) float64 {
	channels := int(want.Dims[1])
	size := len(want.Data) / int(want.Dims[0]) / channels
	left := convcases.Array{Dims: want.Dims}
	for i, y := range want.Data {
		left.Data = append(left.Data, y-got.Data[i])
	}
	rest, all := 0.0, 0.0
	for c := range channels {
		d, y := channel(left, c, size, centered), channel(want, c, size, centered)
		rest, all = rest+dot(d, d), all+dot(y, y)
	}
	return math.Sqrt(rest / all)
}

// forward evaluates a chain of convolutions.
func forward(t *testing.T, m *onnxgraph.Model, x convcases.Array) convcases.Array {
	t.Helper()
	for _, n := range m.Graph.Nodes() {
		if !n.Is("Conv") {
			t.Fatalf("a node %s", n)
		}
		bias := convcases.Array{}
		if n.Input(2) != nil {
			bias = convcases.ArrayOf(n.Input(2).Constant())
		}
		x = convcases.Convolve(n, x, convcases.ArrayOf(n.Input(1).Constant()), bias)
	}
	return x
}

// TestCalibrateMinimizesTheOutputError compares the error, for convolutions of every kind, with what is reported and with the
// least that is possible.
func TestCalibrateMinimizesTheOutputError(t *testing.T) {
	t.Parallel()
	orttest.Init(t)
	for _, c := range convcases.Cases {
		if !c.Runs() {
			continue
		}
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			t.Run(fmt.Sprintf("%s/%s", c.Name, layout), func(t *testing.T) { minimizes(t, c, layout, imagesFor(c, 24)) })
		}
	}
}

// TestCalibrateOnUnevenChannels has channels that are constant, or nearly, far from zero: what float32 rounds of them must not
// hide the little that they say.
func TestCalibrateOnUnevenChannels(t *testing.T) {
	t.Parallel()
	orttest.Init(t)
	for _, c := range convcases.Cases {
		if !c.Runs() || c.DType == onnxgraph.Float16 || !c.Bias || c.Groups > 1 {
			continue
		}
		images := imagesFor(c, 24)
		size := len(images.Data) / images.Count() / int(c.Input[1])
		for i, v := range images.Data {
			switch i / size % int(c.Input[1]) {
			case 0:
				images.Data[i] = 30
			case 1:
				images.Data[i] = 30 + v
			}
		}
		t.Run(c.Name, func(t *testing.T) { minimizes(t, c, transform.Dense, images) })
	}
	for _, c := range convcases.Cases {
		if c.Name == "depthwise" {
			images := imagesFor(c, 24)
			for i := range images.Data {
				images.Data[i] = 6 // what a ReLU6 puts out that is always at its end
			}
			if _, err := calibrate.Convert(context.Background(), c.Model(), calibrate.Options{Images: images}); err != nil {
				t.Errorf("constant images: %v", err)
			}
		}
	}
}

// TestCalibrateOnEqualChannels has channels that are equal in all images, or nearly, so that the images do not say which of them
// counts: weights are found all the same, and none so large that other images, where the channels differ, come out worse by far
// than with weights that know of no images.
func TestCalibrateOnEqualChannels(t *testing.T) {
	t.Parallel()
	orttest.Init(t)
	const channels, side, expansion = 2, 8, 4
	source := onnxgraph.New("chain", 8, 18)
	v, err := source.Graph.AddInput("x", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(channels, side, side)...))
	if err != nil {
		t.Fatal(err)
	}
	in := int64(channels)
	for i, out := range []int64{6, 4} { // the second block has to make up for the first
		w := source.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, uint64(i+1), out, in, 3, 3))
		v, in = source.Graph.AddNode("Conv", []*onnxgraph.Value{v, w}, onnxgraph.Ints("kernel_shape", 3, 3)).Output(0), out
	}
	source.Graph.AddOutput(v, onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(4, side-4, side-4)...))
	o := transform.Options{Expansion: expansion, Seed: 3}
	plain := source.Clone()
	if _, err := transform.Convert(plain, o); err != nil {
		t.Fatal(err)
	}
	other := arrayOf(imagesFor(convcases.Case{Input: []int64{1, channels, side, side}}, 8))
	want := forward(t, source, other)
	projected := outputError(want, forward(t, plain, other), false)
	for _, apart := range []float32{0, 1e-3} {
		images := imagesFor(convcases.Case{Input: []int64{1, channels, side, side}}, 8)
		for i := range images.Data {
			if i/(side*side)%channels == 1 {
				images.Data[i] = images.Data[i-side*side] + apart*images.Data[i]
			}
		}
		m := source.Clone()
		if _, err := calibrate.Convert(context.Background(), m, calibrate.Options{Convert: o, Images: images}); err != nil {
			t.Errorf("channels that differ by %g: %v", apart, err)
			continue
		}
		if got := outputError(want, forward(t, m, other), false); !(got < 2*projected) {
			t.Errorf("channels that differ by %g: on other images the output error is %.3f, projected it is %.3f", apart, got, projected)
		}
		x := arrayOf(images)
		y := forward(t, source, x)
		if got, projected := outputError(y, forward(t, m, x), false), outputError(y, forward(t, plain, x), false); !(got < projected/2) {
			t.Errorf("channels that differ by %g: the output error is %.3f, projected it is %.3f", apart, got, projected)
		}
	}
}

func minimizes(t *testing.T, c convcases.Case, layout transform.Layout, images *calibrate.Images) {
	source := c.Model()
	m, plain := source.Clone(), source.Clone()
	o := transform.Options{Layout: layout, Expansion: 1, Seed: 3}
	rows, err := calibrate.Convert(context.Background(), m, calibrate.Options{Convert: o, Images: images})
	if err != nil {
		t.Fatal(err)
	}
	x := arrayOf(images)
	want := forward(t, source, x)
	tolerance := 1e-3 // what damping costs
	if c.DType == onnxgraph.Float16 {
		tolerance = 1e-2
	}
	lost := outputError(want, forward(t, m, x), c.Bias)
	if got := *rows[0].OutputError; math.Abs(got-lost) > tolerance/10 {
		t.Errorf("the output error is reported as %.6f, is %.6f", got, lost)
	}
	if least := leastError(t, m, want, x, c.Bias); math.Abs(lost-least) > tolerance {
		t.Errorf("the output error is %.6f, could be %.6f", lost, least)
	}
	if raw := outputError(want, forward(t, m, x), false); c.Bias && raw > lost+1e-6 {
		t.Errorf("the error is %.6f about the mean, %.6f with the mean", lost, raw)
	}
	if _, err := transform.Convert(plain, o); err != nil {
		t.Fatal(err)
	}
	if projected := outputError(want, forward(t, plain, x), c.Bias); projected < lost-tolerance {
		t.Errorf("calibrated, the error is %.6f, projected it is only %.6f", lost, projected)
	}
}

// leastError returns the least output error that any weights of the model's one block have: by the normal equations of the
// maps that its bank puts out.
func leastError(t *testing.T, m *onnxgraph.Model, want, x convcases.Array, centered bool) float64 {
	t.Helper()
	blocks, err := transform.Blocks(m)
	if err != nil {
		t.Fatal(err)
	}
	b := blocks[0]
	z := convcases.Convolve(b.BankConv, x, convcases.ArrayOf(b.Bank.Constant()), convcases.Array{})
	groups := int(b.PointwiseConv.Int("group", 1))
	outs, maps := int(want.Dims[1]), int(z.Dims[1])
	size := len(want.Data) / int(want.Dims[0]) / outs
	rest, all := 0.0, 0.0
	for out := range outs {
		group := out / (outs / groups)
		columns := make([][]float64, maps/groups)
		for j := range columns {
			columns[j] = channel(z, group*maps/groups+j, size, centered)
		}
		y := channel(want, out, size, centered)
		all += dot(y, y)
		rest += residual(y, columns)
	}
	return math.Sqrt(rest / all)
}

// channel returns the numbers of one channel, without their mean if asked to.
func channel(a convcases.Array, index, size int, centered bool) []float64 {
	var v []float64
	channels := int(a.Dims[1])
	for i, x := range a.Data {
		if i/size%channels == index {
			v = append(v, x)
		}
	}
	mean := 0.0
	for i := 0; centered && i < len(v); i++ {
		mean += v[i] / float64(len(v))
	}
	for i := range v {
		v[i] -= mean
	}
	return v
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// residual returns the square of what is left of y without its part in the space of the columns, by Gram-Schmidt.
func residual(y []float64, columns [][]float64) float64 {
	y = append([]float64(nil), y...)
	var basis [][]float64
	for _, c := range columns {
		c = append([]float64(nil), c...)
		before := dot(c, c)
		for range 2 {
			for _, q := range basis {
				subtract(c, q, dot(c, q))
			}
		}
		length := math.Sqrt(dot(c, c))
		if length*length < 1e-12*before {
			continue
		}
		for i := range c {
			c[i] /= length
		}
		basis = append(basis, c)
		subtract(y, c, dot(y, c))
	}
	return dot(y, y)
}

func subtract(a, b []float64, factor float64) {
	for i := range a {
		a[i] -= factor * b[i]
	}
}
