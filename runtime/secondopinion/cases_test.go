package secondopinion

import "github.com/rcfreeze/rcfreeze/onnxgraph"

// testCase is a small model with one input, x, of the given dims behind the batch.
type testCase struct {
	name   string
	opset  int64 // 13 if 0
	dims   []int64
	rank   int // of the output
	output func(*net) *onnxgraph.Value
	reason string // why Check refuses the model
}

var (
	image = []int64{3, 9, 10}
	row   = []int64{5}
	pad1  = onnxgraph.Ints("pads", 1, 1, 1, 1)
)

func op(opType string, attrs ...onnxgraph.Attribute) func(*net) *onnxgraph.Value {
	return func(n *net) *onnxgraph.Value { return n.Op(opType, values{n.x}, attrs...) }
}

// with is an operator on the input and a constant of the given dims.
func with(opType string, dims ...int64) func(*net) *onnxgraph.Value {
	return func(n *net) *onnxgraph.Value { return n.Op(opType, values{n.x, n.weights(dims...)}) }
}

func conv3(attrs ...onnxgraph.Attribute) func(*net) *onnxgraph.Value {
	return func(n *net) *onnxgraph.Value { return n.conv(n.x, 3, 4, 3, attrs...) }
}

func reshaped(shape ...int64) func(*net) *onnxgraph.Value {
	return func(n *net) *onnxgraph.Value { return n.Op("Reshape", values{n.x, n.Ints(shape...)}) }
}

func pool(attrs ...onnxgraph.Attribute) func(*net) *onnxgraph.Value { return op("MaxPool", attrs...) }

func kernel(h, w int64) onnxgraph.Attribute { return onnxgraph.Ints("kernel_shape", h, w) }

// right has every operator of the white list in the forms that it allows.
var right = []testCase{
	{name: "conv", dims: image, rank: 4, output: conv3()},
	{name: "conv pads", dims: image, rank: 4, output: conv3(pad1)},
	{name: "conv stride", dims: image, rank: 4, output: conv3(pad1, onnxgraph.Ints("strides", 2, 1))},
	{name: "conv dilation", dims: image, rank: 4, output: conv3(onnxgraph.Ints("dilations", 2, 1), onnxgraph.Ints("pads", 2, 2, 2, 2))},
	{name: "conv SAME_UPPER", dims: image, rank: 4, output: conv3(onnxgraph.Str("auto_pad", "SAME_UPPER"))},
	{name: "conv VALID", dims: image, rank: 4, output: conv3(onnxgraph.Str("auto_pad", "VALID"))},
	{name: "conv of shared weights", dims: image, rank: 4, output: func(n *net) *onnxgraph.Value {
		w := n.weights(3, 3, 3, 3)
		a := n.Op("Conv", values{n.x, w}, kernel(3, 3), pad1)
		return n.Op("Conv", values{a, n.Op("Identity", values{w})}, kernel(3, 3), onnxgraph.Ints("dilations", 2, 2))
	}},
	{name: "max pool", dims: image, rank: 4, output: pool(kernel(2, 2), onnxgraph.Ints("strides", 2, 2))},
	{name: "max pool pads", dims: image, rank: 4, output: pool(kernel(3, 2), onnxgraph.Ints("strides", 2, 1), pad1)},
	{name: "max pool SAME_UPPER", dims: image, rank: 4, output: pool(kernel(2, 2), onnxgraph.Ints("strides", 2, 2), onnxgraph.Str("auto_pad", "SAME_UPPER"))},
	{name: "max pool of negative numbers", dims: image, rank: 4, output: func(n *net) *onnxgraph.Value {
		return n.Op("MaxPool", values{n.Op("Sub", values{n.x, n.Fill(onnxgraph.Float32, 10)})}, kernel(3, 3), pad1)
	}},
	{name: "sigmoid", dims: image, rank: 4, output: op("Sigmoid")},
	{name: "mish", dims: image, rank: 4, output: func(n *net) *onnxgraph.Value {
		return n.Op("Mul", values{n.x, n.Op("Tanh", values{n.Op("Softplus", values{n.x})})})
	}},
	{name: "residual block", dims: image, rank: 4, output: func(n *net) *onnxgraph.Value {
		a := n.Op("LeakyRelu", values{n.batchNorm(n.conv(n.x, 3, 4, 3, pad1), 4)}, onnxgraph.Float("alpha", 0.2))
		b := n.batchNorm(n.conv(a, 4, 4, 3, pad1), 4)
		return n.Op("Relu", values{n.Op("Add", values{b, a})})
	}},
	{name: "batch norm of set 7", opset: 7, dims: image, rank: 4, output: func(n *net) *onnxgraph.Value { return n.batchNorm(n.x, 3) }},
	{name: "batch norm of set 15", opset: 15, dims: image, rank: 4, output: func(n *net) *onnxgraph.Value { return n.batchNorm(n.x, 3) }},
	{name: "dense block", dims: image, rank: 4, output: func(n *net) *onnxgraph.Value {
		a := n.Op("Concat", values{n.x, n.conv(n.x, 3, 4, 3, pad1)}, onnxgraph.Int("axis", 1))
		return n.Op("Concat", values{n.conv(a, 7, 2, 3, pad1), a}, onnxgraph.Int("axis", 1))
	}},
	{name: "classifier", dims: image, rank: 2, output: func(n *net) *onnxgraph.Value {
		f := n.Op("Dropout", values{n.Op("Flatten", values{n.Op("GlobalAveragePool", values{n.x})})})
		y := n.Op("Gemm", values{f, n.weights(7, 3), n.weights(7)}, onnxgraph.Int("transB", 1), onnxgraph.Float("beta", 0.5))
		return n.Op("Softmax", values{y}, onnxgraph.Int("axis", 1))
	}},
	{name: "classifier by MatMul", opset: 11, dims: image, rank: 2, output: func(n *net) *onnxgraph.Value {
		f := n.Op("Reshape", values{n.Op("GlobalAveragePool", values{n.x}), n.Ints(0, -1)})
		return n.Op("Softmax", values{n.Op("Add", values{n.Op("MatMul", values{f, n.weights(3, 7)}), n.weights(7)})})
	}},
	{name: "reshape by a Constant node", dims: image, rank: 3, output: func(n *net) *onnxgraph.Value {
		s := n.Op("Constant", nil, onnxgraph.TensorAttr("value", onnxgraph.NewTensor([]int64{3}, []int64{0, 0, -1})))
		return n.Op("Reshape", values{n.x, s})
	}},
	{name: "channels last", dims: []int64{9, 10, 3}, rank: 4, output: func(n *net) *onnxgraph.Value {
		x := n.Op("Transpose", values{n.x}, onnxgraph.Ints("perm", 0, 3, 1, 2))
		return n.Op("Transpose", values{n.conv(x, 3, 4, 3)}, onnxgraph.Ints("perm", 0, 2, 3, 1))
	}},
	{name: "flatten", dims: image, rank: 2, output: op("Flatten", onnxgraph.Int("axis", 2))},
	{name: "scale and shift by channel", dims: image, rank: 4, output: func(n *net) *onnxgraph.Value {
		scaled := n.Op("Div", values{n.Op("Sub", values{n.x, n.weights(3, 1, 1)}), n.weights(3, 1, 1)})
		return n.Op("Mul", values{n.weights(1), scaled})
	}},
}

// wrong has a case for each rule, whether the engine gives a wrong result, an error, or dies.
var wrong = []testCase{
	{name: "unknown operator", dims: image, rank: 4, output: op("Elu"), reason: "Elu: not an operator"},
	{name: "groups", dims: image, rank: 4, reason: "more than one group", output: func(n *net) *onnxgraph.Value {
		return n.Op("Conv", values{n.x, n.weights(3, 1, 3, 3)}, kernel(3, 3), onnxgraph.Int("group", 3))
	}},
	{name: "pads top and left", dims: image, rank: 4, output: conv3(onnxgraph.Ints("pads", 1, 1, 0, 0)), reason: "pads"},
	{name: "pads top and bottom", dims: image, rank: 4, output: conv3(onnxgraph.Ints("pads", 1, 0, 1, 0)), reason: "pads"},
	{name: "SAME_LOWER", dims: image, rank: 4, output: conv3(onnxgraph.Str("auto_pad", "SAME_LOWER")), reason: "auto_pad SAME_LOWER"},
	{name: "conv without kernel_shape", dims: image, rank: 4, output: with("Conv", 4, 3, 3, 3), reason: "kernel_shape"},
	{name: "conv 1d", dims: []int64{3, 9}, rank: 3, reason: "kernel_shape", output: func(n *net) *onnxgraph.Value {
		return n.Op("Conv", values{n.x, n.weights(4, 3, 3)}, onnxgraph.Ints("kernel_shape", 3))
	}},
	{name: "max pool pads right and bottom", dims: image, rank: 4, output: pool(kernel(3, 3), onnxgraph.Ints("pads", 0, 0, 1, 1)), reason: "pads"},
	{name: "max pool ceil_mode", dims: image, rank: 4, output: pool(kernel(2, 2), onnxgraph.Ints("strides", 2, 2), onnxgraph.Int("ceil_mode", 1)), reason: "ceil_mode"},
	{name: "max pool dilations", dims: image, rank: 4, output: pool(kernel(2, 2), onnxgraph.Ints("dilations", 1, 1)), reason: "dilations"},
	{name: "batch norm over a value read twice", dims: image, rank: 4, reason: "overwrites", output: func(n *net) *onnxgraph.Value {
		a := n.Op("Relu", values{n.x})
		return n.Op("Add", values{n.batchNorm(n.Op("Identity", values{a}), 3), a})
	}},
	{name: "leaky relu over a value read twice", dims: image, rank: 4, reason: "overwrites", output: func(n *net) *onnxgraph.Value {
		a := n.conv(n.x, 3, 3, 3)
		return n.Op("Add", values{n.Op("LeakyRelu", values{a}, onnxgraph.Float("alpha", 0.3)), a})
	}},
	{name: "softmax over channels", dims: image, rank: 4, output: op("Softmax", onnxgraph.Int("axis", 1)), reason: "Softmax: not along"},
	{name: "softmax over the batch", dims: row, rank: 2, output: op("Softmax", onnxgraph.Int("axis", 0)), reason: "Softmax: not along"},
	{name: "vector along the last dim", dims: []int64{3, 4, 1}, rank: 4, output: with("Add", 3), reason: "Add: a vector"},
	{name: "vector under another name", dims: []int64{3, 4, 1}, rank: 4, reason: "Add: a vector", output: func(n *net) *onnxgraph.Value {
		return n.Op("Add", values{n.x, n.Op("Identity", values{n.weights(3)})})
	}},
	{name: "computed vector", dims: []int64{3, 4, 1}, rank: 4, reason: "Relu: a constant with fewer", output: func(n *net) *onnxgraph.Value {
		return n.Op("Add", values{n.x, n.Op("Relu", values{n.weights(3)})})
	}},
	{name: "a value with itself", dims: image, rank: 4, reason: "same value", output: func(n *net) *onnxgraph.Value {
		return n.Op("Concat", values{n.x, n.x}, onnxgraph.Int("axis", 1))
	}},
	{name: "MatMul by a tensor", dims: row, rank: 3, output: with("MatMul", 2, 5, 4), reason: "not a matrix"},
	{name: "gemm without bias", dims: row, rank: 2, output: with("Gemm", 5, 4), reason: "Gemm: optional inputs"},
	{name: "gemm twice with one bias", dims: row, rank: 2, reason: "bias", output: func(n *net) *onnxgraph.Value {
		w, b := n.weights(5, 5), n.weights(5)
		return n.Op("Gemm", values{n.Op("Gemm", values{n.x, w, b}), w, b})
	}},
	{name: "gemm with a column as bias", dims: []int64{4}, rank: 2, reason: "not a row", output: func(n *net) *onnxgraph.Value {
		x := n.Op("Reshape", values{n.x, n.Ints(2, 2*n.batch)})
		return n.Op("Gemm", values{x, n.weights(2*n.batch, 2), n.weights(2, 1)})
	}},
	{name: "flatten at a negative axis", dims: image, rank: 2, output: op("Flatten", onnxgraph.Int("axis", -1)), reason: "negative axis"},
	{name: "reshape with -1 first", dims: image, rank: 2, output: reshaped(-1, 270), reason: "-1"},
	{name: "reshape with -1 in the middle", dims: row, rank: 3, output: reshaped(0, -1, 5), reason: "-1"},
	{name: "transpose without perm", dims: row, rank: 2, output: op("Transpose"), reason: "no perm"},
	{name: "concat at a negative axis", dims: image, rank: 4, reason: "negative axis", output: func(n *net) *onnxgraph.Value {
		return n.Op("Concat", values{n.x, n.Op("Relu", values{n.x})}, onnxgraph.Int("axis", -3))
	}},
	{name: "dropout with a ratio", dims: image, rank: 4, reason: "Dropout: optional inputs", output: func(n *net) *onnxgraph.Value {
		return n.Op("Dropout", values{n.x, n.Fill(onnxgraph.Float32, 0.5)})
	}},
	{name: "weights in a Constant node", dims: image, rank: 4, reason: "Constant: read by another", output: func(n *net) *onnxgraph.Value {
		w := n.Op("Constant", nil, onnxgraph.TensorAttr("value", n.normal(4, 3, 3, 3)))
		return n.Op("Conv", values{n.x, w}, kernel(3, 3))
	}},
	{name: "an output that nodes read", dims: image, rank: 4, reason: "an output that nodes read", output: func(n *net) *onnxgraph.Value {
		a := n.Op("Relu", values{n.x})
		n.Op("Sigmoid", values{a})
		return a
	}},
	{name: "an input left out", opset: 12, dims: image, rank: 4, reason: "Dropout: optional inputs", output: func(n *net) *onnxgraph.Value {
		off := n.Graph.AddConstant("off", onnxgraph.NewScalar(false))
		return n.Op("Dropout", values{n.x, nil, off})
	}},
}
