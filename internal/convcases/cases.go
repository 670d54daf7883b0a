// Package convcases holds convolutions of every kind for tests: one table, the one-node models that the rows describe,
// and a naive reference.
package convcases

import (
	"fmt"
	"math/rand/v2"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Case is a convolution. Absent strides and dilations are 1, absent pads 0.
type Case struct {
	Name      string
	Input     []int64 // batch, channels, then the size along each axis
	Filters   int64
	Groups    int64
	Kernel    []int64
	Strides   []int64
	Dilations []int64
	Pads      []int64 // the begin of each axis, then the end of each
	AutoPad   string
	Bias      bool
	DType     onnxgraph.DType
	Opset     int64
}

// Cases are convolutions of every kind.
var Cases = []Case{
	{Name: "plain", Input: []int64{2, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}},
	{Name: "bias", Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true},
	{Name: "1-D", Input: []int64{2, 4, 9}, Filters: 6, Kernel: []int64{3}, Pads: []int64{1, 1}, Bias: true},
	{Name: "3-D", Input: []int64{1, 2, 4, 5, 4}, Filters: 3, Kernel: []int64{3, 2, 3}, Pads: []int64{1, 0, 1, 1, 1, 1}, Bias: true},
	{Name: "2 groups", Input: []int64{1, 4, 6, 6}, Filters: 6, Groups: 2, Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}, Bias: true},
	{Name: "depthwise", Input: []int64{1, 5, 6, 6}, Filters: 5, Groups: 5, Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}},
	{Name: "depthwise, twice the filters", Input: []int64{1, 3, 6, 6}, Filters: 6, Groups: 3, Kernel: []int64{5, 5}, Pads: []int64{2, 2, 2, 2}, Bias: true},
	{Name: "stride", Input: []int64{1, 3, 9, 8}, Filters: 4, Kernel: []int64{3, 3}, Strides: []int64{2, 3}, Pads: []int64{1, 1, 1, 1}},
	{Name: "dilation", Input: []int64{1, 3, 9, 8}, Filters: 4, Kernel: []int64{3, 3}, Dilations: []int64{2, 1}, Pads: []int64{2, 1, 2, 1}, Bias: true},
	{Name: "asymmetric pads", Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{2, 3}, Pads: []int64{0, 2, 1, 1}, Bias: true},
	{Name: "1×7", Input: []int64{1, 3, 6, 9}, Filters: 4, Kernel: []int64{1, 7}, Pads: []int64{0, 3, 0, 3}},
	{Name: "7×1", Input: []int64{1, 3, 9, 6}, Filters: 4, Kernel: []int64{7, 1}, Strides: []int64{2, 1}, Pads: []int64{3, 0, 3, 0}, Bias: true},
	{Name: "1×2, pads missing", Input: []int64{1, 3, 4, 6}, Filters: 2, Kernel: []int64{1, 2}, Strides: []int64{1, 2}},
	{Name: "same upper, even kernel, stride", Input: []int64{1, 3, 5, 7}, Filters: 4, Kernel: []int64{4, 4}, Strides: []int64{2, 2}, AutoPad: "SAME_UPPER", Bias: true},
	{Name: "same upper, stride", Input: []int64{1, 3, 6, 7}, Filters: 4, Kernel: []int64{3, 3}, Strides: []int64{2, 2}, AutoPad: "SAME_UPPER"},
	{Name: "same lower, even kernel, stride", Input: []int64{1, 3, 5, 7}, Filters: 4, Kernel: []int64{4, 4}, Strides: []int64{2, 2}, AutoPad: "SAME_LOWER"},
	{Name: "same upper, stride above the kernel", Input: []int64{1, 2, 12}, Filters: 3, Kernel: []int64{2}, Strides: []int64{5}, AutoPad: "SAME_UPPER"},
	{Name: "same upper, dilation", Input: []int64{1, 3, 9, 8}, Filters: 4, Kernel: []int64{3, 2}, Dilations: []int64{2, 3}, AutoPad: "SAME_UPPER", Bias: true},
	{Name: "same lower, dilation, 1-D", Input: []int64{1, 3, 11}, Filters: 4, Kernel: []int64{4}, Dilations: []int64{2}, AutoPad: "SAME_LOWER"},
	{Name: "same upper, dilation, stride", Input: []int64{1, 3, 9, 8}, Filters: 4, Kernel: []int64{2, 3}, Strides: []int64{2, 3}, Dilations: []int64{3, 1}, AutoPad: "SAME_UPPER"},
	{Name: "valid, dilation", Input: []int64{1, 3, 8, 9}, Filters: 4, Kernel: []int64{3, 3}, Dilations: []int64{2, 3}, AutoPad: "VALID"},
	{Name: "one input channel", Input: []int64{1, 1, 5, 5}, Filters: 2, Kernel: []int64{3, 3}, Bias: true},
	{Name: "valid", Input: []int64{1, 3, 6, 7}, Filters: 4, Kernel: []int64{3, 3}, Strides: []int64{2, 2}, AutoPad: "VALID"},
	{Name: "opset 11", Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true, Opset: 11},
	{Name: "float16", Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true, DType: onnxgraph.Float16},
	{Name: "bfloat16", Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true, DType: onnxgraph.BFloat16, Opset: 22},
	{Name: "float64, 1-D", Input: []int64{1, 3, 9}, Filters: 4, Kernel: []int64{3}, DType: onnxgraph.Float64},
	{Name: "float64", Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true, DType: onnxgraph.Float64},
}

// The names in a case's model.
const (
	Node   = "conv"
	X      = "x"
	Weight = "conv.weight"
	Bias   = "conv.bias"
	Y      = "y"
)

// withDefaults fills in what a row leaves out.
func (c Case) withDefaults() Case {
	axes := len(c.Kernel)
	fill := func(list *[]int64, count int, v int64) {
		for len(*list) < count {
			*list = append(*list, v)
		}
	}
	fill(&c.Strides, axes, 1)
	fill(&c.Dilations, axes, 1)
	fill(&c.Pads, 2*axes, 0)
	c.Groups = max(c.Groups, 1)
	if c.DType == onnxgraph.Undefined {
		c.DType = onnxgraph.Float32
	}
	if c.Opset == 0 {
		c.Opset = 18
	}
	return c
}

// Model returns the model of one convolution, with weights and bias drawn from U[-1, 1]. Attributes that a row leaves out
// are absent, kernel_shape too.
func (c Case) Model() *onnxgraph.Model {
	full := c.withDefaults()
	m := onnxgraph.New("case", 8, full.Opset)
	g := m.Graph
	x, err := g.AddInput(X, full.DType, onnxgraph.Static(c.Input...))
	must(err)
	dims := append([]int64{c.Filters, c.Input[1] / full.Groups}, c.Kernel...)
	inputs := []*onnxgraph.Value{x, g.AddConstant(Weight, Draw(full.DType, 1, dims...))}
	if c.Bias {
		inputs = append(inputs, g.AddConstant(Bias, Draw(full.DType, 2, c.Filters)))
	}
	n := g.AddNode("Conv", inputs)
	n.Rename(Node)
	for name, list := range map[string][]int64{"strides": c.Strides, "dilations": c.Dilations, "pads": c.Pads} {
		if list != nil {
			n.SetAttr(onnxgraph.Ints(name, list...))
		}
	}
	if c.Groups > 0 {
		n.SetAttr(onnxgraph.Int("group", c.Groups))
	}
	if c.AutoPad != "" {
		n.SetAttr(onnxgraph.Str("auto_pad", c.AutoPad))
	}
	g.Rename(n.Output(0), Y)
	g.AddOutput(n.Output(0), full.DType, onnxgraph.Static(append([]int64{c.Input[0], c.Filters}, full.outputSize()...)...))
	return m
}

// Runs reports whether ONNX Runtime has a kernel for the case on CPUs; others have only the naive reference.
func (c Case) Runs() bool {
	wide := c.DType == onnxgraph.Float64 || c.DType == onnxgraph.BFloat16
	return !wide && (c.Dilations == nil || c.AutoPad == "" || c.AutoPad == "VALID")
}

// Data returns the input that the case's convolution is tried on.
func (c Case) Data() *onnxgraph.Tensor { return Draw(c.withDefaults().DType, 3, c.Input...) }

// Draw returns a tensor of numbers from U[-1, 1], the same for the same seed.
func Draw(dtype onnxgraph.DType, seed uint64, dims ...int64) *onnxgraph.Tensor {
	random := rand.New(rand.NewPCG(seed, 0))
	data := make([]float64, onnxgraph.ElementCount(dims))
	for i := range data {
		data[i] = 2*random.Float64() - 1
	}
	t, err := onnxgraph.FromFloat64s(dtype, dims, data)
	must(err)
	return t
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("convcases: %v", err)) // the table's mistake
	}
}
