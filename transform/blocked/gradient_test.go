package blocked_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/ort/orttest"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// TestConvolutionGradients compares gradients of convolutions before and after they are lowered: for every form that
// a filter's gradient has, and every way in which an input's gradient falls into phases.
func TestConvolutionGradients(t *testing.T) {
	orttest.Init(t)
	b, err := specialize.BlockSize()
	if err != nil {
		t.Fatal(err)
	}
	if b == 0 {
		t.Skip("this processor has no blocked operators")
	}
	ints := func(name string, v ...int64) onnxgraph.Attribute { return onnxgraph.Ints(name, v...) }
	cases := []struct {
		name   string
		x, w   []int64
		frozen bool // the filters are a constant
		attrs  []onnxgraph.Attribute
	}{
		{"3×3", []int64{3, b, 6, 5}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}},
		{"3×3, rows of whole blocks", []int64{2, 2 * b, 4, 2 * b}, []int64{b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}},
		{"3×3 of one block, rows of whole blocks", []int64{2, b, 4, 2 * b}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}},
		{"3×3, many channels for their size", []int64{3, 2 * b, 3, 2}, []int64{3 * b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}},
		{"3×3, rows of parts of a block", []int64{8, 2 * b, 4, b / 4}, []int64{b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}},
		{"3×3, groups of images", []int64{24, b, 2, b / 2}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}},
		{"3×3 of stride 2, rows of whole blocks", []int64{2, 2 * b, 4, 4 * b}, []int64{b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}},
		{"3×3 of stride 2, groups of images", []int64{24, 2 * b, 4, b}, []int64{3 * b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}},
		{"2×3 of stride 3, not all rows and columns read", []int64{2, b, 11, 13}, []int64{b, b, 2, 3}, false, []onnxgraph.Attribute{ints("strides", 3, 4)}},
		{"5×3", []int64{2, 2 * b, 7, 6}, []int64{b, 2 * b, 5, 3}, false, []onnxgraph.Attribute{ints("pads", 2, 1, 2, 1)}},
		{"3×1", []int64{2, 2 * b, 7, 6}, []int64{b, 2 * b, 3, 1}, false, []onnxgraph.Attribute{ints("pads", 1, 0, 1, 0)}},
		{"1×7", []int64{2, 2 * b, 7, 6}, []int64{b, 2 * b, 1, 7}, false, []onnxgraph.Attribute{ints("pads", 0, 3, 0, 3)}},
		{"padding wider than the kernel at one side", []int64{2, b, 4, 4}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 0, 0, 3, 19)}},
		{"padding wider than the kernel at the other", []int64{2, b, 4, 4}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 3, 3, 0, 0)}},
		{"3×3 without padding", []int64{2, b, 6, 5}, []int64{b, b, 3, 3}, false, nil},
		{"frozen 3×3", []int64{2, b, 6, 5}, []int64{2 * b, b, 3, 3}, true, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}},
		{"dilated 3×3", []int64{2, b, 8, 9}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{ints("dilations", 2, 3), ints("pads", 2, 3, 2, 3)}},
		{"frozen dilated 3×3", []int64{2, b, 8, 9}, []int64{2 * b, b, 3, 3}, true, []onnxgraph.Attribute{ints("dilations", 2, 1)}},
		{"3×3 of stride 2", []int64{2, b, 6, 8}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}},
		{"frozen 3×3 of stride 2", []int64{2, b, 6, 8}, []int64{2 * b, b, 3, 3}, true, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}},
		{"3×3 of stride 2, odd size", []int64{2, b, 7, 5}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}},
		{"2×3 of stride 2 and 1", []int64{2, b, 6, 5}, []int64{b, b, 2, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 1), ints("pads", 0, 1, 0, 1)}},
		{"1×1", []int64{2, b, 6, 5}, []int64{3 * b, b, 1, 1}, false, nil},
		{"1×1 of one block", []int64{2, b, 6, 5}, []int64{b, b, 1, 1}, false, nil},
		{"1×1 of one pixel", []int64{4, b, 1, 1}, []int64{3 * b, b, 1, 1}, false, nil},
		{"1×1 of stride 2", []int64{2, b, 6, 4}, []int64{2 * b, b, 1, 1}, false, []onnxgraph.Attribute{ints("strides", 2, 2)}},
		{"1×1 of stride 2, padded to the size of the image", []int64{2, b, 4, 6}, []int64{2 * b, b, 1, 1}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 2, 3, 2, 3)}},
		{"5×5", []int64{2, b, 7, 6}, []int64{b, b, 5, 5}, false, []onnxgraph.Attribute{ints("pads", 2, 2, 2, 2)}},
		{"3×3 of an image", []int64{2, 3, 6, 5}, []int64{2 * b, 3, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}},
		{"dilated 3×2 of stride 2 of an image", []int64{2, 3, 9, 8}, []int64{b, 3, 3, 2}, false, []onnxgraph.Attribute{ints("strides", 2, 1), ints("dilations", 1, 2), ints("pads", 1, 0, 1, 2)}},
		{"1×1 of few channels", []int64{2, 3, 6, 5}, []int64{b, 3, 1, 1}, false, nil},
		{"1×1 of few channels of one pixel", []int64{2, 3, 1, 1}, []int64{b, 3, 1, 1}, false, nil},
		{"3×3 of one place, of few channels", []int64{2, 3, 3, 3}, []int64{b, 3, 3, 3}, false, nil},
		{"7×7 of an image", []int64{2, 3, 9, 8}, []int64{b, 3, 7, 7}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 3, 3, 3, 3)}},
		{"padding wider than the kernel", []int64{2, b, 4, 4}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 3, 3, 3, 3)}},
		{"grouped", []int64{2, 2 * b, 6, 5}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", 2), ints("pads", 1, 1, 1, 1)}},
		{"depthwise", []int64{2, b, 6, 5}, []int64{b, 1, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("pads", 1, 1, 1, 1)}},
		{"frozen depthwise", []int64{2, b, 6, 5}, []int64{b, 1, 3, 3}, true, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("pads", 1, 1, 1, 1)}},
		{"depthwise of stride 2", []int64{2, 2 * b, 6, 4}, []int64{2 * b, 1, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", 2*b), ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}},
		{"depthwise 5×5 of stride 2, dilated", []int64{2, b, 12, 14}, []int64{b, 1, 5, 5}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("strides", 2, 2), ints("dilations", 2, 2), ints("pads", 2, 2, 2, 2)}},
		{"depthwise 1×1 of stride 2", []int64{2, b, 6, 4}, []int64{b, 1, 1, 1}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("strides", 2, 2)}},
		{"depthwise dilated 2×3, not all rows read", []int64{2, b, 13, 11}, []int64{b, 1, 2, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("strides", 4, 3), ints("dilations", 1, 2), ints("pads", 0, 1, 0, 2)}},
		{"depthwise 1×1", []int64{3, 2 * b, 6, 5}, []int64{2 * b, 1, 1, 1}, false, []onnxgraph.Attribute{onnxgraph.Int("group", 2*b)}},
		{"depthwise of one pixel", []int64{3, b, 1, 1}, []int64{b, 1, 1, 1}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b)}},
		{"depthwise of two filters per channel", []int64{2, b, 6, 5}, []int64{2 * b, 1, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("pads", 1, 1, 1, 1)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			lowered(t, func(n *net) (y value, wanted []value) {
				x, w := n.input("x", c.x...), n.input("w", c.w...)
				filters, wanted := w, []value{x, w}
				if c.frozen {
					filters, wanted = n.Graph.AddConstant("bank", n.data["w"]), []value{x}
				}
				return n.conv(x, filters, append(c.attrs, ints("kernel_shape", c.w[2:]...))...), wanted
			})
		})
	}
}

// TestGradientsOfShortcuts compares the gradient by what two convolutions of a stride read, which is put together once.
func TestGradientsOfShortcuts(t *testing.T) {
	orttest.Init(t)
	b, err := specialize.BlockSize()
	if err != nil {
		t.Fatal(err)
	}
	if b == 0 {
		t.Skip("this processor has no blocked operators")
	}
	kernels := map[string][2][]int64{
		"3×3 and 1×1": {{3, 3, 1, 1, 1, 1}, {1, 1, 0, 0, 0, 0}},
		"1×1 and 3×3": {{1, 1, 0, 0, 0, 0}, {3, 3, 1, 1, 1, 1}},
		"both 1×1":    {{1, 1, 0, 0, 0, 0}, {1, 1, 0, 0, 0, 0}},
		"both 3×3":    {{3, 3, 1, 1, 1, 1}, {3, 3, 1, 1, 1, 1}},
	}
	for name, pair := range kernels {
		t.Run(name, func(t *testing.T) {
			lowered(t, func(n *net) (value, []value) {
				x := n.input("x", 2, b, 6, 8)
				var branches []value
				for i, k := range pair {
					w := n.input(fmt.Sprint("w", i), 2*b, b, k[0], k[1])
					y := n.conv(x, w, onnxgraph.Ints("kernel_shape", k[:2]...), onnxgraph.Ints("pads", k[2:]...), onnxgraph.Ints("strides", 2, 2))
					y.SetType(onnxgraph.Float32, onnxgraph.Static(2, 2*b, 3, 4))
					branches = append(branches, y)
				}
				return n.op("Add", nil, branches...), []value{x}
			})
		})
	}
}

// lowered compares the gradients of a net's output by the wanted values before and after they are lowered.
func lowered(t *testing.T, build func(n *net) (y value, wanted []value)) {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	n := &net{onnxgraph.NewBuilder(m.Graph), rand.New(rand.NewPCG(1, 2)), map[string]*onnxgraph.Tensor{}}
	y, wanted := build(n)
	m.Graph.AddOutput(y, onnxgraph.Float32, nil)
	y.SetType(onnxgraph.Float32, onnxgraph.Static(run(t, m, n.data)[y.Name()].Dims()...))
	convolutions := differentiate(t, n, y, wanted)
	want := run(t, m, n.data)
	if _, err := specialize.Lower(m, convolutions, ort.Options{IntraOpThreads: 1}); err != nil {
		t.Fatal(err)
	}
	got := run(t, m, n.data)
	for name := range want {
		near(t, got[name], want[name])
	}
}

// differentiate makes outputs of the gradients of Σ y·z, for some z of y's shape, by the wanted values.
func differentiate(t *testing.T, n *net, y value, wanted []value) []gradient.Convolution {
	t.Helper()
	shape, ok := y.StaticShape()
	if !ok {
		t.Fatal("the output has no shape")
	}
	product := n.op("Mul", nil, y, n.input("z", shape...))
	loss := n.op("ReduceSum", keep(0), product, n.Ints(0, 1, 2, 3))
	for v, s := range map[value][]int64{product: shape, loss: {}} {
		v.SetType(onnxgraph.Float32, onnxgraph.Static(s...))
	}
	gradients, err := gradient.Of(n.Builder, loss, wanted...)
	if err != nil {
		t.Fatal(err)
	}
	n.Graph.RemoveOutputs()
	for _, v := range wanted {
		n.Graph.AddOutput(n.op("Abs", nil, gradients.Of[v]), onnxgraph.Float32, nil)
	}
	return gradients.Convolutions
}
