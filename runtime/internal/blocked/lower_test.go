package blocked_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/internal/blocked"
	"github.com/rcfreeze/rcfreeze/runtime/lowering"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

type value = *onnxgraph.Value

// net is a portable graph in the making.
type net struct {
	*onnxgraph.Builder
	rng  *rand.Rand
	data map[string]*onnxgraph.Tensor
}

func (n *net) input(name string, dims ...int64) value {
	v, err := n.Graph.AddInput(name, onnxgraph.Float32, onnxgraph.Static(dims...))
	if err != nil {
		panic(err)
	}
	size := int64(1)
	for _, d := range dims {
		size *= d
	}
	data := make([]float32, size)
	for i := range data {
		data[i] = float32(n.rng.NormFloat64())
	}
	n.data[name] = onnxgraph.NewTensor(dims, data)
	return v
}

func (n *net) op(opType string, attrs []onnxgraph.Attribute, inputs ...value) value {
	return n.Op(opType, inputs, attrs...)
}

func (n *net) conv(x, w value, attrs ...onnxgraph.Attribute) value { return n.op("Conv", attrs, x, w) }

func keep(v int64) []onnxgraph.Attribute { return []onnxgraph.Attribute{onnxgraph.Int("keepdims", v)} }

// image is the output of a blocked convolution, [2, 2B, 6, 5].
func (n *net) image(b int64) value {
	return n.conv(n.input("x", 2, b, 6, 5), n.input("w", 2*b, b, 3, 3), onnxgraph.Ints("pads", 1, 1, 1, 1))
}

func run(t *testing.T, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) map[string]*onnxgraph.Tensor {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// layerCase is a net around a blocked convolution.
type layerCase struct {
	name  string
	build func(n *net) value
	takes string // what computes it with blocks of 8, as work has it
}

// layerCases have every operator that has a blocked form, with and without what keeps it from one.
func layerCases(b int64) []layerCase {
	return []layerCase{
		{"conv", func(n *net) value { return n.image(b) }, "1 Abs, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"conv of few channels", func(n *net) value {
			return n.conv(n.input("x", 2, 3, 6, 5), n.input("w", b, 3, 3, 3), onnxgraph.Ints("strides", 2, 1))
		}, "1 Abs, 1 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"depthwise conv", func(n *net) value {
			return n.conv(n.image(b), n.input("d", 2*b, 1, 3, 3), onnxgraph.Int("group", 2*b), onnxgraph.Ints("dilations", 2, 1))
		}, "1 Abs, 1 Gather, 2 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"relu", func(n *net) value { return n.op("Relu", nil, n.image(b)) }, "1 Abs, 1 Gather, 1 Relu, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"per channel sub", func(n *net) value { return n.op("Sub", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)) }, "1 Abs, 1 Gather, 1 Neg, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"per channel mul", func(n *net) value { return n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)) }, "1 Abs, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"per channel add", func(n *net) value { return n.op("Add", nil, n.input("s", 2*b, 1, 1), n.image(b)) }, "1 Abs, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine", func(n *net) value {
			return n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
		}, "1 Abs, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine and clip", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Clip", nil, y, n.Fill(onnxgraph.Float32, -0.5), n.Fill(onnxgraph.Float32, 0.75))
		}, "1 Abs, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine and upper bound", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Clip", nil, y, nil, n.Fill(onnxgraph.Float32, 0.75))
		}, "1 Abs, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine and bound that is computed", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Clip", nil, y, n.op("Squeeze", nil, n.input("low", 1)))
		}, "1 Abs, 1 Clip, 1 Gather, 1 Squeeze, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine and upper bound that is computed", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Clip", nil, y, n.Fill(onnxgraph.Float32, -0.5), n.op("Squeeze", nil, n.input("high", 1)))
		}, "1 Abs, 1 Clip, 1 Gather, 1 Squeeze, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine, sum and hard sigmoid", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			attrs := []onnxgraph.Attribute{onnxgraph.Float("alpha", 0.3), onnxgraph.Float("beta", 0.4)}
			return n.op("HardSigmoid", attrs, n.op("Add", nil, y, n.input("z", 2, 2*b, 6, 5)))
		}, "1 Abs, 1 Gather, 3 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine and sigmoid", func(n *net) value {
			return n.op("Sigmoid", nil, n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1)))
		}, "1 Abs, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine and neg", func(n *net) value {
			return n.op("Neg", nil, n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1)))
		}, "1 Abs, 1 Gather, 1 Neg, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"mask below a bound", func(n *net) value {
			attrs := []onnxgraph.Attribute{onnxgraph.Float("alpha", 3e38), onnxgraph.Float("beta", 0)}
			return n.op("HardSigmoid", attrs, n.op("Sub", nil, n.Fill(onnxgraph.Float32, 0.5), n.image(b)))
		}, "1 Abs, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"number minus image", func(n *net) value { return n.op("Sub", nil, n.Fill(onnxgraph.Float32, 0.5), n.image(b)) }, "1 Abs, 1 Gather, 1 Sub, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine, sum and relu", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Relu", nil, n.op("Add", nil, y, n.input("z", 2, 2*b, 6, 5)))
		}, "1 Abs, 1 Gather, 3 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine, sum with what is read again, and relu", func(n *net) value {
			z := n.image(b)
			y := n.op("Add", nil, n.op("Mul", nil, z, n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Add", nil, n.op("Relu", nil, n.op("Add", nil, y, z)), z)
		}, "1 Abs, 1 Add, 1 Gather, 3 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"mean over images and space", func(n *net) value { return n.op("ReduceMean", keep(1), n.image(b), n.Ints(0, 2, 3)) }, "1 Abs, 1 Gather, 1 ReduceMean, 1 blocked Conv, 1 blocked GlobalAveragePool, 2 blocked ReorderInput"},
		{"sum over images and space", func(n *net) value { return n.op("ReduceSum", keep(0), n.image(b), n.Ints(0, 2, 3)) }, "1 Abs, 1 Gather, 1 Mul, 1 ReduceSum, 1 blocked Conv, 1 blocked GlobalAveragePool, 2 blocked ReorderInput"},
		{"mean of squares", func(n *net) value {
			x := n.image(b)
			return n.op("ReduceMean", keep(1), n.op("Mul", nil, x, x), n.Ints(0, 2, 3))
		}, "1 Abs, 1 Gather, 1 Mul, 1 ReduceSum, 2 blocked Conv, 2 blocked ReorderInput"},
		{"sum of products", func(n *net) value {
			return n.op("ReduceSum", keep(1), n.op("Mul", nil, n.image(b), n.input("z", 2, 2*b, 6, 5)), n.Ints(0, 2, 3))
		}, "1 Abs, 1 Gather, 1 ReduceSum, 2 blocked Conv, 3 blocked ReorderInput"},
		{"centered", func(n *net) value {
			x := n.image(b)
			return n.op("Sub", nil, x, n.op("ReduceMean", keep(1), x, n.Ints(0, 2, 3)))
		}, "1 Abs, 1 Gather, 1 Neg, 1 ReduceMean, 2 blocked Conv, 1 blocked GlobalAveragePool, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"global average", func(n *net) value { return n.op("GlobalAveragePool", nil, n.image(b)) }, "1 Abs, 1 Gather, 1 blocked Conv, 1 blocked GlobalAveragePool, 2 blocked ReorderInput"},
		{"expand", func(n *net) value {
			x := n.image(b)
			return n.op("Mul", nil, n.op("Expand", nil, n.op("GlobalAveragePool", nil, x), n.Ints(2, 2*b, 6, 5)), x)
		}, "1 Abs, 1 Expand, 1 Gather, 1 Mul, 1 blocked Conv, 1 blocked GlobalAveragePool, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"concat", func(n *net) value {
			return n.op("Concat", []onnxgraph.Attribute{onnxgraph.Int("axis", 1)}, n.image(b), n.input("z", 2, b, 6, 5))
		}, "1 Abs, 1 Concat, 1 Gather, 1 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine that somebody else reads, and relu", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Concat", []onnxgraph.Attribute{onnxgraph.Int("axis", 1)}, n.op("Relu", nil, y), y)
		}, "1 Abs, 1 Concat, 1 Gather, 1 Relu, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine whose product somebody else reads", func(n *net) value {
			p := n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1))
			return n.op("Concat", []onnxgraph.Attribute{onnxgraph.Int("axis", 1)}, n.op("Add", nil, p, n.input("h", 1, 2*b, 1, 1)), p)
		}, "1 Abs, 1 Concat, 1 Gather, 3 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine and two shifts", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Add", nil, y, n.input("i", 1, 2*b, 1, 1))
		}, "1 Abs, 1 Gather, 3 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"sum of two affine terms", func(n *net) value {
			x := n.image(b)
			return n.op("Add", nil, n.op("Mul", nil, x, n.input("s", 1, 2*b, 1, 1)), n.op("Mul", nil, n.op("Relu", nil, x), n.input("t", 1, 2*b, 1, 1)))
		}, "1 Abs, 1 Gather, 1 Relu, 3 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"sum, affine term second", func(n *net) value {
			x := n.image(b)
			return n.op("Add", nil, n.op("Relu", nil, x), n.op("Mul", nil, x, n.input("s", 1, 2*b, 1, 1)))
		}, "1 Abs, 1 Gather, 1 Relu, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"sum of a product of images", func(n *net) value {
			x := n.image(b)
			return n.op("Add", nil, n.op("Mul", nil, x, n.op("Relu", nil, x)), x)
		}, "1 Abs, 1 Add, 1 Gather, 1 Mul, 1 Relu, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"product of images plus a number per channel", func(n *net) value {
			x := n.image(b)
			return n.op("Add", nil, n.op("Mul", nil, x, n.op("Relu", nil, x)), n.input("s", 1, 2*b, 1, 1))
		}, "1 Abs, 1 Gather, 1 Mul, 1 Relu, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"image plus constant image", func(n *net) value {
			n.input("z", 2, 2*b, 6, 5)
			return n.op("Add", nil, n.image(b), n.Graph.AddConstant("constant", n.data["z"]))
		}, "1 Abs, 1 Add, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"relu of a plain sum", func(n *net) value { return n.op("Relu", nil, n.op("Add", nil, n.image(b), n.input("z", 2, 2*b, 6, 5))) }, "1 Abs, 1 Add, 1 Gather, 1 Relu, 1 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"image times number", func(n *net) value { return n.op("Mul", nil, n.image(b), n.Fill(onnxgraph.Float32, 0.5)) }, "1 Abs, 1 Gather, 1 Mul, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"image through a number", func(n *net) value { return n.op("Div", nil, n.image(b), n.Fill(onnxgraph.Float32, 0.5, 1)) }, "1 Abs, 1 Div, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"number per channel minus image", func(n *net) value { return n.op("Sub", nil, n.input("s", 1, 2*b, 1, 1), n.image(b)) }, "1 Abs, 1 Gather, 1 Sub, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"image through a number per channel", func(n *net) value { return n.op("Div", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)) }, "1 Abs, 1 Div, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"number per row", func(n *net) value { return n.op("Add", nil, n.image(b), n.input("s", 6, 1)) }, "1 Abs, 1 Add, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"number per image", func(n *net) value { return n.op("Mul", nil, n.image(b), n.input("s", 2, 1, 1, 1)) }, "1 Abs, 1 Gather, 1 Mul, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"image minus plain image", func(n *net) value { return n.op("Sub", nil, n.image(b), n.input("z", 2, 2*b, 6, 5)) }, "1 Abs, 1 Gather, 1 Sub, 1 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"mean over space", func(n *net) value { return n.op("ReduceMean", keep(1), n.image(b), n.Ints(2, 3)) }, "1 Abs, 1 Gather, 1 ReduceMean, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"sum over axes that are computed", func(n *net) value {
			return n.op("ReduceSum", keep(1), n.image(b), n.op("Abs", nil, n.Ints(0, 2, 3)))
		}, "2 Abs, 1 Gather, 1 ReduceSum, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"sum over everything", func(n *net) value {
			x := n.image(b)
			return n.op("Add", nil, n.op("ReduceSum", keep(1), x), x)
		}, "1 Abs, 1 Add, 1 Gather, 1 ReduceSum, 1 blocked Conv, 2 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"sum of products per channel", func(n *net) value {
			return n.op("ReduceSum", keep(1), n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.Ints(0, 2, 3))
		}, "1 Abs, 1 Gather, 1 Mul, 1 ReduceSum, 2 blocked Conv, 1 blocked GlobalAveragePool, 2 blocked ReorderInput"},
		{"mean of squares that somebody else reads", func(n *net) value {
			x := n.image(b)
			p := n.op("Mul", nil, x, x)
			return n.op("Sub", nil, p, n.op("ReduceMean", keep(1), p, n.Ints(0, 2, 3)))
		}, "1 Abs, 1 Gather, 1 Mul, 1 Neg, 1 ReduceMean, 2 blocked Conv, 1 blocked GlobalAveragePool, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"concat along rows", func(n *net) value {
			return n.op("Concat", []onnxgraph.Attribute{onnxgraph.Int("axis", 2)}, n.image(b), n.input("z", 2, 2*b, 6, 5))
		}, "1 Abs, 1 Concat, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"concat of part of a block", func(n *net) value {
			return n.op("Concat", []onnxgraph.Attribute{onnxgraph.Int("axis", 1)}, n.image(b), n.input("z", 2, 3, 6, 5))
		}, "1 Abs, 1 Concat, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"expand of an image", func(n *net) value {
			return n.op("Add", nil, n.op("Expand", nil, n.input("z", 2, 1, 1, 1), n.Ints(2, 2*b, 6, 5)), n.image(b))
		}, "1 Abs, 1 Add, 1 Expand, 1 Gather, 1 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"conv of a blocked image, with bias", func(n *net) value {
			return n.op("Conv", nil, n.image(b), n.input("v", b, 2*b, 1, 1), n.input("h", b))
		}, "1 Abs, 2 Gather, 2 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"two convs of a size", func(n *net) value {
			return n.conv(n.conv(n.image(b), n.input("v", 2*b, 2*b, 3, 3)), n.input("u", 2*b, 2*b, 3, 3))
		}, "1 Abs, 3 Gather, 3 blocked Conv, 4 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"grouped conv", func(n *net) value {
			return n.conv(n.image(b), n.input("v", 2*b, b, 3, 3), onnxgraph.Int("group", 2))
		}, "1 Abs, 1 Conv, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"mean of a sum", func(n *net) value {
			return n.op("ReduceMean", keep(1), n.op("Add", nil, n.image(b), n.input("z", 2, 2*b, 6, 5)), n.Ints(0, 2, 3))
		}, "1 Abs, 1 Add, 1 Gather, 1 ReduceMean, 1 blocked Conv, 1 blocked GlobalAveragePool, 3 blocked ReorderInput"},
		{"image minus the mean of an input", func(n *net) value {
			return n.op("Sub", nil, n.image(b), n.op("ReduceMean", keep(1), n.input("z", 2, 2*b, 6, 5), n.Ints(0, 2, 3)))
		}, "1 Abs, 1 Gather, 1 Neg, 1 ReduceMean, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"sum with a product that somebody else reads", func(n *net) value {
			x := n.image(b)
			p := n.op("Mul", nil, x, n.input("s", 1, 2*b, 1, 1))
			return n.op("Concat", []onnxgraph.Attribute{onnxgraph.Int("axis", 1)}, n.op("Add", nil, x, p), p)
		}, "1 Abs, 1 Add, 1 Concat, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"conv of few channels in groups", func(n *net) value {
			few := n.conv(n.input("z", 2, 2, 6, 5), n.input("g", b, 1, 3, 3), onnxgraph.Int("group", 2))
			return n.op("Mul", nil, n.image(b), n.op("ReduceMean", keep(1), few, n.Ints(0, 1, 2, 3)))
		}, "1 Abs, 1 Conv, 1 Gather, 1 Mul, 1 ReduceMean, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"affine and hard sigmoid by default", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("HardSigmoid", nil, y)
		}, "1 Abs, 1 Gather, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"mask below a bound that is computed", func(n *net) value {
			return n.op("HardSigmoid", nil, n.op("Sub", nil, n.op("Squeeze", nil, n.input("low", 1)), n.image(b)))
		}, "1 Abs, 1 Gather, 1 HardSigmoid, 1 Squeeze, 1 Sub, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"mask below a number per channel", func(n *net) value {
			return n.op("Relu", nil, n.op("Sub", nil, n.input("s", 1, 2*b, 1, 1), n.image(b)))
		}, "1 Abs, 1 Gather, 1 Relu, 1 Sub, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"sum over images and a single place", func(n *net) value {
			return n.op("ReduceSum", keep(1), n.conv(n.input("x", 2, b, 1, 1), n.input("w", 2*b, b, 1, 1)), n.Ints(0, 2, 3))
		}, "1 Abs, 1 Gather, 1 ReduceSum, 1 blocked Conv, 1 blocked GlobalAveragePool, 1 blocked ReorderInput"},
		{"mean of squares of a single place", func(n *net) value {
			x := n.conv(n.input("x", 2, b, 1, 1), n.input("w", 2*b, b, 1, 1))
			return n.op("ReduceMean", keep(1), n.op("Mul", nil, x, x), n.Ints(0, 2, 3))
		}, "1 Abs, 1 Gather, 1 Mul, 1 ReduceMean, 1 blocked Conv, 1 blocked GlobalAveragePool, 1 blocked ReorderInput"},
		{"mean of squares in one row", func(n *net) value {
			x := n.conv(n.input("x", 2, b, 1, 5), n.input("w", 2*b, b, 1, 1))
			return n.op("ReduceMean", keep(0), n.op("Mul", nil, x, x), n.Ints(0, 2, 3))
		}, "1 Abs, 1 Gather, 1 Mul, 1 ReduceSum, 2 blocked Conv, 2 blocked ReorderInput"},
		{"plus the global average of an input", func(n *net) value {
			return n.op("Add", nil, n.image(b), n.op("GlobalAveragePool", nil, n.input("z", 2, 2*b, 6, 5)))
		}, "1 Abs, 1 Add, 1 Gather, 1 GlobalAveragePool, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"plus the mean of an input of few channels", func(n *net) value {
			mean := n.op("ReduceMean", keep(1), n.input("z", 2, 3, 6, 5), n.Ints(0, 2, 3))
			return n.op("Add", nil, n.image(b), n.op("ReduceSum", keep(1), mean, n.Ints(0, 1, 2, 3)))
		}, "1 Abs, 1 Add, 1 Gather, 1 ReduceMean, 1 ReduceSum, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"sum of squares of an input of few channels", func(n *net) value {
			z := n.input("z", 2, 3, 6, 5)
			squares := n.op("ReduceSum", keep(1), n.op("Mul", nil, z, z), n.Ints(0, 2, 3))
			return n.op("Mul", nil, n.image(b), n.op("ReduceMean", keep(1), squares, n.Ints(0, 1, 2, 3)))
		}, "1 Abs, 1 Gather, 2 Mul, 1 ReduceMean, 1 ReduceSum, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"leaky relu", func(n *net) value { return n.op("LeakyRelu", nil, n.image(b)) }, "1 Abs, 1 Gather, 1 LeakyRelu, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
	}
}

// TestForms checks what nets take in blocks of 8: affine terms, sums and activations are one operator, and layouts change
// only where something has no blocked form.
func TestForms(t *testing.T) {
	orttest.Init(t)
	for _, c := range layerCases(8) {
		t.Run(c.name, func(t *testing.T) {
			m, data, _ := readNet(c.build)
			declare(t, m, data)
			blocked.Lower(m, nil, 8)
			if got := work(m); got != c.takes {
				t.Errorf("takes %q, want %q", got, c.takes)
			}
			eachOnce(t, m)
		})
	}
}

// TestOperatorOfAnotherDomain leaves alone an operator that has only its name from one with a blocked form.
func TestOperatorOfAnotherDomain(t *testing.T) {
	orttest.Init(t)
	for _, name := range []string{"Relu", "GlobalAveragePool", "Neg"} {
		m, data, end := readNet(func(n *net) value { return n.op("Relu", nil, n.image(8)) })
		declare(t, m, data)
		m.SetOpset("vendor", 1)
		other := m.Graph.AddNodeOf("vendor", name, []value{end}, 1)
		other.Output(0).SetType(onnxgraph.Float32, onnxgraph.Static(2, 16, 6, 5))
		m.Graph.AddOutput(m.Graph.AddNode("Abs", []value{other.Output(0)}).Output(0), onnxgraph.Float32, nil)
		blocked.Lower(m, nil, 8)
		if !slices.Contains(m.Graph.Nodes(), other) || other.Input(0).Producer().OpType() != "ReorderOutput" {
			t.Errorf("%s: the model takes %q", name, work(m))
		}
	}
}

// eachOnce checks that what lowering adds as constants it adds once.
func eachOnce(t *testing.T, m *onnxgraph.Model) {
	t.Helper()
	names := map[string]string{}
	for _, v := range m.Graph.Initializers() {
		if !strings.HasPrefix(v.Name(), "blocked") {
			continue
		}
		numbers, err := v.Constant().Float64s()
		if err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprint(v.DType(), v.Constant().Dims(), numbers)
		if first, known := names[what]; known {
			t.Errorf("constants %q and %q are the same", first, v.Name())
		}
		names[what] = v.Name()
	}
}

// TestDataFileIsGone lowers a model whose data file is removed after it was loaded: ONNX Runtime must be the one to tell, when it
// opens the model.
func TestDataFileIsGone(t *testing.T) {
	m, data, _ := readNet(func(n *net) value {
		n.input("w", 8, 8, 3, 3)
		return n.conv(n.input("x", 1, 8, 4, 4), n.Graph.AddConstant("bank", n.data["w"]))
	})
	orttest.Init(t)
	declare(t, m, data)
	folder := t.TempDir()
	path := filepath.Join(folder, "model.onnx")
	if err := m.Save(path, onnxgraph.ExternalAll); err != nil {
		t.Fatal(err)
	}
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Graph.Value("bank").Constant().Raw(); err == nil {
		t.Fatal("the data are there all the same")
	}
	blocked.Lower(m, nil, 8)
	if got, want := work(m), "1 Abs, 1 Gather, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"; got != want {
		t.Errorf("takes %q, want %q", got, want)
	}
}

// readNet makes a net, and lets a node read its end.
func readNet(build func(n *net) value) (m *onnxgraph.Model, data map[string]*onnxgraph.Tensor, end value) {
	m = onnxgraph.New("net", 8, 18)
	n := &net{onnxgraph.NewBuilder(m.Graph), rand.New(rand.NewPCG(1, 2)), map[string]*onnxgraph.Tensor{}}
	end = build(n)
	m.Graph.AddOutput(n.op("Abs", nil, end), onnxgraph.Float32, nil)
	return m, n.data, end
}

// TestSameNumbers runs portable graphs and their blocked forms.
func TestSameNumbers(t *testing.T) {
	orttest.Init(t)
	b, err := lowering.BlockSize()
	if err != nil {
		t.Fatal(err)
	}
	if b == 0 {
		t.Skip("this processor has no blocked operators")
	}
	t.Logf("blocks of %d channels", b)
	for _, c := range layerCases(b) {
		t.Run(c.name, func(t *testing.T) { compare(t, c.build) })
	}
}

// compare runs a net, whose end is an output and is also read by a node, before and after it is lowered.
func compare(t *testing.T, build func(n *net) value) {
	m, data, last := readNet(build)
	direct := m.Clone()
	direct.Graph.AddOutput(direct.Graph.Value(last.Name()), onnxgraph.Float32, nil)
	for _, m := range []*onnxgraph.Model{m, direct} {
		want := run(t, m, data)
		if _, err := lowering.Lower(m, nil, ort.Options{IntraOpThreads: 1}); err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		sameShapes(t, m, data)
		got := run(t, m, data)
		for name := range want {
			near(t, got[name], want[name])
		}
	}
	if !slices.ContainsFunc(m.Graph.Nodes(), func(n *onnxgraph.Node) bool { return n.Domain() == blocked.Domain }) {
		t.Error("nothing was lowered")
	}
}

// values returns what the nodes of a model compute, by name.
func values(t *testing.T, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) map[string]*onnxgraph.Tensor {
	t.Helper()
	m = m.Clone()
	for _, n := range m.Graph.Nodes() {
		if y := n.Output(0); !y.IsOutput() {
			m.Graph.AddOutput(y, onnxgraph.Undefined, nil)
		}
	}
	return run(t, m, inputs)
}

// declare declares the types of all values.
func declare(t *testing.T, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) {
	t.Helper()
	for name, v := range values(t, m, inputs) {
		m.Graph.Value(name).SetType(v.DType(), onnxgraph.Static(v.Dims()...))
	}
}

// sameShapes checks that values have the shapes that are declared.
func sameShapes(t *testing.T, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) {
	t.Helper()
	for name, v := range values(t, m, inputs) {
		if declared, known := m.Graph.Value(name).StaticShape(); known && !m.Graph.Value(name).IsOutput() && !slices.Equal(v.Dims(), declared) {
			t.Errorf("%s has shape %v, declared is %v", m.Graph.Value(name).Producer(), v.Dims(), declared)
		}
	}
}

// work names the operators of a model with how many there are of each, the portable ones first, but for Reshape, which takes no time.
func work(m *onnxgraph.Model) string {
	count := map[string]int{}
	for _, n := range m.Graph.Nodes() {
		name := n.OpType()
		if n.Domain() == blocked.Domain {
			name = "blocked " + name
		}
		count[name]++
	}
	delete(count, "Reshape")
	var list []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		list = append(list, fmt.Sprint(count[name], " ", name))
	}
	return strings.Join(list, ", ")
}

func near(t *testing.T, got, want *onnxgraph.Tensor) {
	t.Helper()
	g, err := got.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	w, err := want.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	var apart, size float64
	for i := range w {
		apart = math.Max(apart, math.Abs(g[i]-w[i]))
		size = math.Max(size, math.Abs(w[i]))
	}
	if !(apart <= 1e-5*size) {
		t.Errorf("differs by %g of %g", apart, size)
	}
}
