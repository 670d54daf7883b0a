package architecture

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
)

// network builds a graph, with one method per kind of layer. Each method takes the layer's name and input, and returns its
// output. After an error, the methods draw no more weights.
type network struct {
	graph *onnxgraph.Graph
	seed  uint64
	err   error
}

// featureMaps are the feature maps between two layers: [batch, channels, height, width], or [batch, channels], with height and
// width 1, once they are flat.
type featureMaps struct {
	value                   *onnxgraph.Value
	channels, height, width int
}

func (m featureMaps) features() int { return m.channels * m.height * m.width }

// window is the window of a convolution or pooling: size × size pixels, moved by stride pixels, over an image with pad pixels
// around it.
type window struct{ size, stride, pad int }

func (w window) attrs() []onnxgraph.Attribute {
	size, stride, pad := int64(w.size), int64(w.stride), int64(w.pad)
	return []onnxgraph.Attribute{
		onnxgraph.Ints("kernel_shape", size, size),
		onnxgraph.Ints("strides", stride, stride),
		onnxgraph.Ints("pads", pad, pad, pad, pad),
	}
}

// over returns v as feature maps with the spatial size that results from applying w to x.
func (w window) over(x featureMaps, v *onnxgraph.Value, channels int) featureMaps {
	left := func(n int) int { return (n+2*w.pad-w.size)/w.stride + 1 }
	return featureMaps{v, channels, left(x.height), left(x.width)}
}

// conv is a convolution without bias.
func (n *network) conv(name string, x featureMaps, filters int, w window) featureMaps {
	weight := n.weight(name, filters, x.channels, w.size, w.size)
	return w.over(x, n.node(name, "Conv", []*onnxgraph.Value{x.value, weight}, w.attrs()...), filters)
}

// convBias is a convolution with bias.
func (n *network) convBias(name string, x featureMaps, filters int, w window) featureMaps {
	inputs := []*onnxgraph.Value{x.value, n.weight(name, filters, x.channels, w.size, w.size), n.bias(name, filters, x.channels*w.size*w.size)}
	return w.over(x, n.node(name, "Conv", inputs, w.attrs()...), filters)
}

// batchNorm normalizes each channel with running statistics, which start as mean 0 and variance 1.
func (n *network) batchNorm(name string, x featureMaps) featureMaps {
	inputs := []*onnxgraph.Value{
		x.value,
		n.fill(name+".weight", x.channels, 1),
		n.fill(name+".bias", x.channels, 0),
		n.fill(name+".running_mean", x.channels, 0),
		n.fill(name+".running_var", x.channels, 1),
	}
	x.value = n.node(name, "BatchNormalization", inputs, onnxgraph.Float("epsilon", 1e-5), onnxgraph.Float("momentum", 0.9))
	return x
}

func (n *network) relu(name string, x featureMaps) featureMaps {
	x.value = n.node(name, "Relu", []*onnxgraph.Value{x.value})
	return x
}

func (n *network) add(name string, x, y featureMaps) featureMaps {
	x.value = n.node(name, "Add", []*onnxgraph.Value{x.value, y.value})
	return x
}

func (n *network) maxPool(name string, x featureMaps, w window) featureMaps {
	return w.over(x, n.node(name, "MaxPool", []*onnxgraph.Value{x.value}, w.attrs()...), x.channels)
}

func (n *network) globalAveragePool(name string, x featureMaps) featureMaps {
	return featureMaps{n.node(name, "GlobalAveragePool", []*onnxgraph.Value{x.value}), x.channels, 1, 1}
}

func (n *network) flatten(name string, x featureMaps) featureMaps {
	return featureMaps{n.node(name, "Flatten", []*onnxgraph.Value{x.value}, onnxgraph.Int("axis", 1)), x.features(), 1, 1}
}

// linear is a fully connected layer with bias. x must be flat.
func (n *network) linear(name string, x featureMaps, outputs int) featureMaps {
	inputs := []*onnxgraph.Value{x.value, n.weight(name, outputs, x.channels), n.bias(name, outputs, x.channels)}
	return featureMaps{n.node(name, "Gemm", inputs, onnxgraph.Int("transB", 1)), outputs, 1, 1}
}

// node adds a node under a layer's name and returns its output.
func (n *network) node(name, opType string, inputs []*onnxgraph.Value, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	node := n.graph.AddNode(opType, inputs, attrs...)
	output := node.Output(0)
	if !node.Rename(name) || !n.graph.Rename(output, name+".output") {
		panic("architecture: two layers are named " + name)
	}
	return output
}

// weight is a layer's weight of the given shape, which begins with the number of outputs. It has PyTorch's default, U[-a,a] with
// a = 1/√fan_in (kaiming_uniform_ with a = √5).
func (n *network) weight(layer string, shape ...int) *onnxgraph.Value {
	name := layer + ".weight"
	return n.parameter(name, shape, n.uniform(name, shape[0], shape[1:]...))
}

// bias is a layer's bias: U[-a,a] with a = 1/√fan_in of the layer's weight.
func (n *network) bias(layer string, outputs, fanIn int) *onnxgraph.Value {
	name := layer + ".bias"
	data := n.uniform(name, outputs, 1)
	for i := range data {
		data[i] *= float32(1 / math.Sqrt(float64(fanIn)))
	}
	return n.parameter(name, []int{outputs}, data)
}

// uniform draws filters × shape numbers from U[-a,a] with a = 1/√(product of shape). The name of the random stream is not just
// that of the parameter, because banks of frozen blocks may use that name: with the same seed, they would get the same numbers.
func (n *network) uniform(name string, filters int, shape ...int) []float32 {
	if n.err != nil {
		return nil
	}
	var data []float32
	data, n.err = filterbank.Generate("kaiming-uniform", filterbank.Spec{
		Seed: n.seed, Stream: "initial " + name, Filters: filters, Shape: shape, Groups: 1, Trains: true,
	})
	return data
}

// fill is a vector parameter whose elements are all v.
func (n *network) fill(name string, length int, v float32) *onnxgraph.Value {
	if n.err != nil {
		return nil
	}
	return n.parameter(name, []int{length}, slices.Repeat([]float32{v}, length))
}

// parameter adds an initializer, unless there was an error.
func (n *network) parameter(name string, shape []int, data []float32) *onnxgraph.Value {
	if n.err != nil {
		return nil
	}
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	v := n.graph.AddConstant(name, onnxgraph.NewTensor(dims, data))
	if v.Name() != name {
		panic("architecture: two parameters are named " + name)
	}
	return v
}
