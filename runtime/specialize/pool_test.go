package specialize_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// pooling is a pooling node on an image of a size.
type pooling struct {
	op, pad                                     string
	opset                                       int64
	in, kernel, strides, dilations, begin, ends []int64
	ceil                                        int64
	countPadding                                bool
}

// randomPooling draws one, which ONNX Runtime may have or not.
func randomPooling(rng *rand.Rand) pooling {
	p := pooling{op: []string{"MaxPool", "AveragePool", "LpPool"}[rng.IntN(3)], pad: []string{"NOTSET", "NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}[rng.IntN(6)]}
	first := map[string]int64{"MaxPool": 10, "AveragePool": 10, "LpPool": 18}[p.op]
	p.opset = first + rng.Int64N(23-first)
	p.ceil = min(1, rng.Int64N(4)) // more often with it
	for range 1 + rng.IntN(2) {
		kernel, dilation := 1+rng.Int64N(4), int64(1)
		if p.op == "MaxPool" && rng.IntN(3) == 0 || p.op == "AveragePool" && p.opset >= 19 && rng.IntN(3) == 0 {
			dilation = 2
		}
		p.in = append(p.in, dilation*(kernel-1)+1+rng.Int64N(6))
		p.kernel, p.dilations = append(p.kernel, kernel), append(p.dilations, dilation)
		p.strides = append(p.strides, 1+rng.Int64N(4))
		p.begin, p.ends = append(p.begin, rng.Int64N(kernel)), append(p.ends, rng.Int64N(kernel))
	}
	if slices.Max(p.dilations) > 1 && p.pad[0] == 'S' { // see what the gradient of pooling refuses
		for i, k := range p.kernel {
			p.strides[i] = min(p.strides[i], k)
		}
	}
	p.countPadding = p.op == "AveragePool" && rng.IntN(2) == 0
	return p
}

// model returns x → pooling.
func (p pooling) model(t *testing.T) (*onnxgraph.Model, []int64) {
	t.Helper()
	shape := append([]int64{2, 3}, p.in...)
	m := onnxgraph.New("pooling", 8, p.opset)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(shape...))
	if err != nil {
		t.Fatal(err)
	}
	attrs := []onnxgraph.Attribute{onnxgraph.Ints("kernel_shape", p.kernel...), onnxgraph.Ints("strides", p.strides...), onnxgraph.Int("ceil_mode", p.ceil)}
	if p.pad == "NOTSET" {
		attrs = append(attrs, onnxgraph.Ints("pads", append(slices.Clone(p.begin), p.ends...)...))
	} else {
		attrs = append(attrs, onnxgraph.Str("auto_pad", p.pad))
	}
	if slices.Max(p.dilations) > 1 {
		attrs = append(attrs, onnxgraph.Ints("dilations", p.dilations...))
	}
	if p.countPadding {
		attrs = append(attrs, onnxgraph.Int("count_include_pad", 1))
	}
	m.Graph.AddOutput(m.Graph.AddNode(p.op, []*onnxgraph.Value{x}, attrs...).Output(0), onnxgraph.Undefined, nil)
	return m, shape
}

// TestPools fits models to their own input's size: the types are then those of what ONNX Runtime computes, which stays the
// same to the bit.
func TestPools(t *testing.T) {
	orttest.Init(t)
	rng := rand.New(rand.NewPCG(4, 4))
	beyond, tried := 0, 0
	for range 400 {
		p := randomPooling(rng)
		m, shape := p.model(t)
		data := make([]float32, elements(shape))
		for i := range data {
			data[i] = float32(rng.NormFloat64())
		}
		images := onnxgraph.NewTensor(shape, data)
		want, err := compute(m, images)
		if err != nil {
			continue // ONNX Runtime does not have it
		}
		tried++
		fitted, err := specialize.Model(m, shape)
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		declared, _ := fitted.Graph.Outputs()[0].StaticShape()
		inferred := m.Clone()
		if err := specialize.Infer(inferred, shape); err != nil {
			t.Fatal(err)
		}
		if before, _ := inferred.Graph.Outputs()[0].StaticShape(); !slices.Equal(before, want.Dims()) {
			beyond++
		}
		got, err := compute(fitted, images)
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		a, _ := want.Float32s()
		b, _ := got.Float32s()
		if !slices.Equal(declared, want.Dims()) || !slices.Equal(a, b) {
			t.Errorf("%+v: declared as %v, computed as %v; was %v", p, declared, got.Dims(), want.Dims())
		}
	}
	if t.Logf("%d tried, %d of them with a window in the padding", tried, beyond); beyond < 20 || tried < 200 {
		t.Error("too few cases")
	}
}

// TestPoolGradients compares the gradients of fitted poolings with how the output of the model itself changes.
func TestPoolGradients(t *testing.T) {
	orttest.Init(t)
	rng := rand.New(rand.NewPCG(5, 5))
	draw := func(shape []int64, scale float64) *onnxgraph.Tensor {
		data := make([]float32, elements(shape))
		for i := range data {
			v := rng.NormFloat64()
			data[i] = float32(scale * (v + math.Copysign(0.3, v))) // away from the kink of LpPool at 0
		}
		return onnxgraph.NewTensor(shape, data)
	}
	tried := 0
	for range 200 {
		p := randomPooling(rng)
		m, shape := p.model(t)
		images, direction := draw(shape, 1), draw(shape, 1e-3)
		at := func(sign float32) (*onnxgraph.Tensor, error) {
			x, _ := images.Float32s()
			d, _ := direction.Float32s()
			moved := make([]float32, len(x))
			for i := range x {
				moved[i] = x[i] + sign*d[i]
			}
			return compute(m, onnxgraph.NewTensor(shape, moved))
		}
		up, err := at(1)
		if err != nil {
			continue // ONNX Runtime does not have it
		}
		tried++
		down, err := at(-1)
		if err != nil {
			t.Fatal(err)
		}
		weights := draw(up.Dims(), 1)
		want := (dot(t, up, weights) - dot(t, down, weights)) / 2
		g, err := gradientOfSum(m, shape, images, weights)
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		d, w := dot(t, g, direction), math.Sqrt(dot(t, g, g)*dot(t, direction, direction))
		if !(math.Abs(d-want) <= 1e-2*w) {
			t.Errorf("%+v: the output changes by %g, %g by the gradient", p, want, d)
		}
	}
	if t.Logf("%d tried", tried); tried < 100 {
		t.Error("too few cases")
	}
}

func dot(t *testing.T, a, b *onnxgraph.Tensor) float64 {
	t.Helper()
	x, err := a.Float32s()
	y, err2 := b.Float32s()
	if err := errors.Join(err, err2); err != nil || len(x) != len(y) {
		t.Fatal(err, a.Dims(), b.Dims())
	}
	sum := 0.0
	for i := range x {
		sum += float64(x[i]) * float64(y[i])
	}
	return sum
}

// gradientOfSum returns the gradient, by the image, of the sum of the output's elements times weights.
func gradientOfSum(m *onnxgraph.Model, shape []int64, images, weights *onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	fitted, image, err := specialize.Fit(m, shape)
	if err != nil {
		return nil, err
	}
	b := onnxgraph.NewBuilder(fitted.Graph)
	y := fitted.Graph.Outputs()[0]
	if shape, _ := y.StaticShape(); !slices.Equal(shape, weights.Dims()) {
		return nil, fmt.Errorf("the output is of shape %v, not %v", shape, weights.Dims())
	}
	product := b.Op("Mul", []*onnxgraph.Value{y, fitted.Graph.AddConstant("weights", weights)})
	product.SetType(onnxgraph.Float32, onnxgraph.Static(weights.Dims()...))
	sum := b.Op("ReduceSum", []*onnxgraph.Value{product}, onnxgraph.Int("keepdims", 0))
	sum.SetType(onnxgraph.Float32, nil)
	gradients, err := gradient.Of(b, sum, fitted.Graph.Value(image))
	if err != nil {
		return nil, err
	}
	fitted.Graph.RemoveOutputs()
	fitted.Graph.AddOutput(gradients.Of[fitted.Graph.Value(image)], onnxgraph.Undefined, nil)
	fitted.Graph.Prune()
	return compute(fitted, images)
}

func compute(m *onnxgraph.Model, images *onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	data, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	s, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out, err := s.Run(map[string]*onnxgraph.Tensor{"x": images})
	if err != nil {
		return nil, err
	}
	for _, t := range out {
		return t, nil
	}
	return nil, fmt.Errorf("no output")
}

func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
