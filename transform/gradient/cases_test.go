package gradient_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

var (
	integer = onnxgraph.Int
	list    = onnxgraph.Ints
	float   = onnxgraph.Float
	str     = onnxgraph.Str
)

func attrs(a ...onnxgraph.Attribute) []onnxgraph.Attribute { return a }

func positive(r *rand.Rand) float64 { return 0.5 + r.Float64() }

// apart draws numbers that are at least 0.01 away from 0, so that a finite difference does not step over a kink.
func apart(r *rand.Rand) float64 { v := r.NormFloat64(); return v + math.Copysign(0.05, v) }

func gradientCases() []gradientCase {
	cases := []gradientCase{
		{name: "same shape", op: "Add", inputs: []*input{x(2, 3), x(2, 3)}},
		{name: "channel", op: "Add", inputs: []*input{x(2, 3, 4), x(3, 1)}},
		{name: "both broadcast", op: "Add", inputs: []*input{x(2, 1, 4), x(3, 1)}},
		{name: "scalar", op: "Sub", inputs: []*input{x(2, 3), x()}},
		{name: "lower rank first", op: "Sub", inputs: []*input{x(3), x(2, 3)}},
		{name: "channel", op: "Mul", inputs: []*input{x(2, 3, 4), x(1, 3, 1)}},
		{name: "same shape", op: "Mul", inputs: []*input{x(2, 3), x(2, 3)}},
		{name: "channel", op: "Div", inputs: []*input{x(2, 3, 4), x(3, 1).from(positive)}},
		{name: "row", op: "Div", inputs: []*input{x(4), x(3, 4).from(positive)}},
		{name: "tensors", op: "Pow", inputs: []*input{x(2, 3).from(positive), x(3)}},
		{name: "constant square of negative", op: "Pow", inputs: []*input{x(2, 3), {constant: onnxgraph.NewScalar(int64(2))}}},
		{name: "two", op: "Max", inputs: []*input{x(2, 3), x(3)}},
		{name: "three", op: "Min", inputs: []*input{x(2, 3), x(2, 1), x(3)}},
		{name: "three", op: "Sum", inputs: []*input{x(2, 3), x(2, 1), x(3)}},
		{name: "any", op: "Neg", inputs: []*input{x(2, 3)}},
		{name: "any", op: "Abs", inputs: []*input{x(2, 3).from(apart)}},
		{name: "positive", op: "Sqrt", inputs: []*input{x(2, 3).from(positive)}},
		{name: "any", op: "Exp", inputs: []*input{x(2, 3)}},
		{name: "positive", op: "Log", inputs: []*input{x(2, 3).from(positive)}},
		{name: "positive", op: "Reciprocal", inputs: []*input{x(2, 3).from(positive)}},

		{name: "any", op: "Relu", inputs: []*input{x(4, 5).from(apart)}},
		{name: "default", op: "LeakyRelu", inputs: []*input{x(4, 5).from(apart)}},
		{name: "alpha", op: "LeakyRelu", inputs: []*input{x(4, 5).from(apart)}, attrs: attrs(float("alpha", 0.2))},
		{name: "both bounds", op: "Clip", inputs: []*input{x(4, 5), {constant: onnxgraph.NewScalar(-0.5)}, {constant: onnxgraph.NewScalar(0.7)}}},
		{name: "any", op: "Sigmoid", inputs: []*input{x(4, 5)}},
		{name: "any", op: "Tanh", inputs: []*input{x(4, 5)}},
		{name: "last axis", op: "Softmax", inputs: []*input{x(4, 5)}},
		{name: "axis 1 of 3", op: "Softmax", inputs: []*input{x(2, 5, 3)}, attrs: attrs(integer("axis", 1))},
		{name: "axis 1 of 3", op: "LogSoftmax", inputs: []*input{x(2, 5, 3)}, attrs: attrs(integer("axis", 1))},
		{name: "negative axis", op: "LogSoftmax", inputs: []*input{x(2, 5, 3)}, attrs: attrs(integer("axis", -2))},

		{name: "plain", op: "MatMul", inputs: []*input{x(3, 4), x(4, 5)}},
		{name: "batched and broadcast", op: "MatMul", inputs: []*input{x(2, 1, 3, 4), x(5, 4, 2)}},
		{name: "vector first", op: "MatMul", inputs: []*input{x(4), x(2, 4, 5)}},
		{name: "vector second", op: "MatMul", inputs: []*input{x(2, 3, 4), x(4)}},
		{name: "vectors", op: "MatMul", inputs: []*input{x(4), x(4)}},

		{name: "inference", op: "BatchNormalization", inputs: []*input{x(3, 2, 4, 5), x(2), x(2),
			{constant: constant(0.3, -0.2)}, {constant: constant(1.5, 0.7)}}},
		{name: "inference rank 2", op: "BatchNormalization", inputs: []*input{x(3, 2), x(2), x(2),
			{constant: constant(0.3, -0.2)}, {constant: constant(1.5, 0.7)}}},

		{name: "rank 4", op: "GlobalAveragePool", inputs: []*input{x(2, 3, 4, 5)}},
		{name: "rank 3", op: "GlobalAveragePool", inputs: []*input{x(2, 3, 4)}},
		{name: "rank 4", op: "GlobalMaxPool", inputs: []*input{x(2, 3, 4, 5)}, step: 1e-3},

		{name: "any", op: "Identity", inputs: []*input{x(2, 3)}},
		{name: "inference", op: "Dropout", inputs: []*input{x(2, 3)}},
		{name: "to float64", op: "Cast", inputs: []*input{x(2, 3)}, attrs: attrs(integer("to", int64(onnxgraph.Float64)))},
		{name: "axis 2", op: "Flatten", inputs: []*input{x(2, 3, 4)}, attrs: attrs(integer("axis", 2))},
		{name: "with -1 and 0", op: "Reshape", inputs: []*input{x(2, 3, 4), ints(0, -1)}},
		{name: "axes", op: "Squeeze", inputs: []*input{x(2, 1, 3, 1), ints(1, -1)}},
		{name: "axes", op: "Unsqueeze", inputs: []*input{x(2, 3), ints(0, -1)}},
		{name: "cycle", op: "Transpose", inputs: []*input{x(2, 3, 4)}, attrs: attrs(list("perm", 1, 2, 0))},
		{name: "of one element each", op: "Transpose", inputs: []*input{x(2, 1, 3, 1)}, attrs: attrs(list("perm", 3, 0, 2, 1))},
		{name: "default", op: "Transpose", inputs: []*input{x(2, 3, 4)}},
		{name: "rank grows", op: "Expand", inputs: []*input{x(3, 1), ints(2, 3, 4)}},
		{name: "axis 1", op: "Concat", inputs: []*input{x(2, 3), x(2, 1), x(2, 2)}, attrs: attrs(integer("axis", 1))},
		{name: "negative axis", op: "Concat", inputs: []*input{x(2, 3), x(2, 1)}, attrs: attrs(integer("axis", -1))},
		{name: "one", op: "Concat", inputs: []*input{x(2, 3)}, attrs: attrs(integer("axis", -1))},
		{name: "uneven", op: "Split", inputs: []*input{x(2, 6), ints(1, 3, 2)}, outputs: 3, attrs: attrs(integer("axis", -1))},
		{name: "even", op: "Split", inputs: []*input{x(6, 2)}, outputs: 3, attrs: attrs(integer("num_outputs", 3))},
		{name: "ranges", op: "Slice", inputs: []*input{x(5, 6), ints(1, -4), ints(4, 100), ints(0, -1)}},
		{name: "steps", op: "Slice", inputs: []*input{x(5, 7), ints(1, 0), ints(5, 7), ints(0, 1), ints(2, 3)}},
		{name: "backwards", op: "Slice", inputs: []*input{x(5, 7), ints(-1, 5), ints(math.MinInt64, 0), ints(0, 1), ints(-1, -2)}},
		{name: "backwards, negative axes", op: "Slice", inputs: []*input{x(5, 7), ints(3, -2), ints(0, -7), ints(-2, -1), ints(-1, -3)}},
		{name: "from outside", op: "Slice", inputs: []*input{x(5, 7), ints(-100, 100), ints(4, -100), ints(0, 1), ints(2, -4)}},
		{name: "step beyond the end", op: "Slice", inputs: []*input{x(5, 7), ints(1), ints(5), ints(0), ints(10)}},
		{name: "defaults", op: "Slice", inputs: []*input{x(5, 6), ints(1), ints(3)}},
		{name: "repeated index", op: "Gather", inputs: []*input{x(2, 5, 3), ints(1, 4, 1)}, attrs: attrs(integer("axis", 1))},
		{name: "negative index", op: "Gather", inputs: []*input{x(5, 3), ints(-1, 0)}},
		{name: "scalar index", op: "Gather", inputs: []*input{x(5, 3), {constant: onnxgraph.NewScalar(int64(2))}}},
		{name: "matrix of indices", op: "Gather", inputs: []*input{x(2, 5), {constant: onnxgraph.NewTensor([]int64{2, 2}, []int64{0, 1, 3, 3})}}, attrs: attrs(integer("axis", 1))},
		{name: "asymmetric", op: "Pad", inputs: []*input{x(2, 3), ints(1, 0, 2, 3)}},
		{name: "at all ends", op: "Pad", inputs: []*input{x(2, 3), ints(1, 2, 3, 4)}},
		{name: "nothing", op: "Pad", inputs: []*input{x(2, 3), ints(0, 0, 0, 0)}},
		{name: "crop", op: "Pad", inputs: []*input{x(4, 5), ints(-1, 1, 0, -2)}},
		{name: "axes", op: "Pad", inputs: []*input{x(4, 5), ints(1, 2), nil, ints(-1)}},
		{name: "axes kept", op: "ReduceSum", inputs: []*input{x(2, 3, 4), ints(0, -1)}},
		{name: "axes dropped", op: "ReduceSum", inputs: []*input{x(2, 3, 4), ints(1)}, attrs: attrs(integer("keepdims", 0))},
		{name: "all", op: "ReduceSum", inputs: []*input{x(2, 3)}},
		{name: "noop", op: "ReduceSum", inputs: []*input{x(2, 3)}, attrs: attrs(integer("noop_with_empty_axes", 1))},
		{name: "space", op: "ReduceMean", inputs: []*input{x(2, 3, 4, 5), ints(2, 3)}},
		{name: "dropped", op: "ReduceMean", inputs: []*input{x(2, 3, 4, 5), ints(-1)}, attrs: attrs(integer("keepdims", 0))},
	}
	return slices.Concat(cases, activationCases(), gemmCases(), convCases(), convTransposeCases(), poolCases(),
		normalizationCases(), reductionCases(), resizeCases(), rearrangementCases(), indexCases(), einsumCases())
}

func constant(v ...float64) *onnxgraph.Tensor { return onnxgraph.NewTensor([]int64{int64(len(v))}, v) }

func gemmCases() []gradientCase {
	var cases []gradientCase
	for _, trans := range []struct{ a, b int64 }{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
		a, b := x(3, 4), x(4, 5)
		if trans.a == 1 {
			a = x(4, 3)
		}
		if trans.b == 1 {
			b = x(5, 4)
		}
		cases = append(cases, gradientCase{name: string(rune('0'+trans.a)) + string(rune('0'+trans.b)), op: "Gemm",
			inputs: []*input{a, b, x(5)},
			attrs:  attrs(integer("transA", trans.a), integer("transB", trans.b), float("alpha", 0.5), float("beta", 2))})
	}
	return append(cases, gradientCase{name: "without C", op: "Gemm", inputs: []*input{x(3, 4), x(4, 5)}},
		gradientCase{name: "column C", op: "Gemm", inputs: []*input{x(3, 4), x(4, 5), x(3, 1)}})
}

func convCases() []gradientCase {
	conv := func(name string, in, weight *input, a ...onnxgraph.Attribute) gradientCase {
		return gradientCase{name: name, op: "Conv", inputs: []*input{in, weight, x(weight.shape[0])}, attrs: a}
	}
	return []gradientCase{
		conv("1x1", x(2, 3, 4, 5), x(4, 3, 1, 1)),
		conv("1x1 stride 2 odd", x(2, 3, 5, 7), x(4, 3, 1, 1), list("strides", 2, 2)),
		conv("1x1 stride 2 even", x(2, 3, 4, 6), x(4, 3, 1, 1), list("strides", 2, 2)),
		conv("3x3", x(2, 3, 5, 6), x(4, 3, 3, 3), list("pads", 1, 1, 1, 1)),
		conv("3x3 valid", x(2, 3, 5, 6), x(4, 3, 3, 3)),
		conv("3x3 stride 2 even", x(2, 3, 6, 8), x(4, 3, 3, 3), list("pads", 1, 1, 1, 1), list("strides", 2, 2)),
		conv("3x3 stride 2 odd", x(2, 3, 7, 5), x(4, 3, 3, 3), list("pads", 1, 1, 1, 1), list("strides", 2, 2)),
		conv("stride 3 leaves rows", x(1, 2, 8, 9), x(2, 2, 2, 2), list("strides", 3, 3)),
		conv("mixed strides", x(1, 2, 6, 7), x(2, 2, 3, 2), list("strides", 1, 2), list("pads", 1, 0, 1, 1)),
		conv("mixed strides turned", x(1, 2, 6, 7), x(2, 2, 3, 2), list("strides", 2, 1), list("pads", 1, 0, 1, 1)),
		conv("dilation", x(2, 2, 8, 9), x(3, 2, 3, 3), list("dilations", 2, 3), list("pads", 2, 3, 2, 3)),
		conv("dilation and stride", x(2, 2, 9, 10), x(3, 2, 3, 3), list("dilations", 2, 2), list("strides", 2, 3), list("pads", 1, 2, 3, 1)),
		conv("asymmetric pads", x(2, 2, 5, 6), x(3, 2, 3, 3), list("pads", 0, 2, 1, 1)),
		conv("asymmetric pads, stride", x(2, 2, 5, 6), x(3, 2, 3, 3), list("pads", 0, 2, 1, 1), list("strides", 2, 2)),
		conv("padding wider than the kernel", x(1, 2, 4, 4), x(2, 2, 2, 2), list("pads", 3, 2, 2, 3)),
		conv("padding wider than the kernel at the beginning", x(1, 2, 4, 4), x(2, 2, 2, 2), list("pads", 3, 0, 0, 0)),
		conv("padding wider than the kernel at the end", x(1, 2, 4, 4), x(2, 2, 2, 2), list("pads", 0, 0, 0, 3)),
		conv("groups", x(2, 4, 5, 5), x(6, 2, 3, 3), list("pads", 1, 1, 1, 1), integer("group", 2)),
		conv("groups, stride", x(2, 4, 5, 5), x(6, 2, 3, 3), list("pads", 1, 1, 1, 1), integer("group", 2), list("strides", 2, 2)),
		conv("depthwise", x(2, 4, 5, 5), x(4, 1, 3, 3), list("pads", 1, 1, 1, 1), integer("group", 4)),
		conv("depthwise multiplier, stride", x(2, 3, 6, 5), x(6, 1, 3, 3), list("pads", 1, 1, 1, 1), integer("group", 3), list("strides", 2, 2)),
		conv("1x7", x(1, 2, 4, 8), x(3, 2, 1, 7), list("pads", 0, 3, 0, 3)),
		conv("1x3, rows padded", x(1, 2, 4, 8), x(3, 2, 1, 3), list("pads", 1, 1, 2, 1)),
		conv("7x1", x(1, 2, 8, 4), x(3, 2, 7, 1), list("pads", 3, 0, 3, 0)),
		conv("even kernel SAME_UPPER", x(1, 2, 5, 7), x(3, 2, 4, 2), str("auto_pad", "SAME_UPPER"), list("strides", 2, 1)),
		conv("even kernel SAME_LOWER", x(1, 2, 5, 7), x(3, 2, 4, 2), str("auto_pad", "SAME_LOWER"), list("strides", 2, 1)),
		conv("SAME_UPPER, one tap, stride", x(1, 2, 8, 7), x(3, 2, 1, 1), str("auto_pad", "SAME_UPPER"), list("strides", 2, 3)),
		conv("SAME_LOWER, one tap, stride", x(1, 2, 8, 7), x(3, 2, 1, 1), str("auto_pad", "SAME_LOWER"), list("strides", 2, 3)),
		conv("SAME_UPPER, one tap, rows left out", x(1, 2, 6, 10), x(3, 2, 1, 1), str("auto_pad", "SAME_UPPER"), list("strides", 3, 4)),
		conv("SAME_LOWER, one tap, rows left out", x(1, 2, 6, 10), x(3, 2, 1, 1), str("auto_pad", "SAME_LOWER"), list("strides", 3, 4)),
		conv("SAME_UPPER, stride above kernel", x(1, 2, 9, 9), x(3, 2, 2, 2), str("auto_pad", "SAME_UPPER"), list("strides", 4, 4)),
		conv("VALID", x(1, 2, 5, 7), x(3, 2, 3, 2), str("auto_pad", "VALID"), list("strides", 2, 2)),
		conv("auto_pad empty", x(1, 2, 5, 7), x(3, 2, 3, 2), str("auto_pad", ""), list("pads", 1, 0, 1, 1)),
		conv("rank 1", x(2, 3, 9), x(4, 3, 3), list("pads", 1, 1)),
		conv("rank 1, stride, dilation, groups", x(2, 4, 11), x(6, 2, 3), list("pads", 2, 1), list("strides", 2), list("dilations", 2), integer("group", 2)),
		conv("rank 3", x(1, 2, 4, 5, 4), x(3, 2, 3, 3, 3), list("pads", 1, 1, 1, 1, 1, 1)),
		conv("rank 3, stride, groups", x(1, 2, 5, 4, 5), x(4, 1, 3, 2, 3), list("pads", 1, 0, 1, 1, 1, 0), list("strides", 2, 1, 2), integer("group", 2)),
		{name: "without bias", op: "Conv", inputs: []*input{x(1, 2, 4, 4), x(3, 2, 3, 3)}},
	}
}

func poolCases() []gradientCase {
	pool := func(op, name string, in *input, a ...onnxgraph.Attribute) gradientCase {
		return gradientCase{name: name, op: op, inputs: []*input{in}, attrs: a}
	}
	kernel := func(k ...int64) onnxgraph.Attribute { return list("kernel_shape", k...) }
	var cases []gradientCase
	for _, op := range []string{"MaxPool", "AveragePool"} {
		cases = append(cases,
			pool(op, "2x2 stride 2", x(2, 3, 4, 6), kernel(2, 2), list("strides", 2, 2)),
			pool(op, "3x3 stride 2 pad 1", x(2, 3, 7, 8), kernel(3, 3), list("strides", 2, 2), list("pads", 1, 1, 1, 1)),
			pool(op, "3x3 stride 1 overlapping", x(1, 2, 5, 5), kernel(3, 3)),
			pool(op, "asymmetric pads", x(1, 2, 5, 6), kernel(3, 2), list("strides", 2, 1), list("pads", 0, 1, 2, 0)),
			pool(op, "SAME_UPPER", x(1, 2, 5, 6), kernel(3, 2), list("strides", 2, 2), str("auto_pad", "SAME_UPPER")),
			pool(op, "SAME_LOWER", x(1, 2, 5, 6), kernel(2, 4), list("strides", 2, 2), str("auto_pad", "SAME_LOWER")),
			pool(op, "VALID, pads that do not count", x(1, 2, 5, 6), kernel(3, 3), str("auto_pad", "VALID"), list("pads", 1, 1, 1, 1)),
			pool(op, "auto_pad empty", x(1, 2, 5, 6), kernel(3, 2), str("auto_pad", ""), list("pads", 1, 0, 1, 1)),
			pool(op, "ceil", x(1, 2, 5, 6), kernel(2, 3), list("strides", 2, 2), integer("ceil_mode", 1)),
			pool(op, "ceil with pads", x(1, 2, 6, 6), kernel(3, 3), list("strides", 2, 2), list("pads", 1, 1, 1, 1), integer("ceil_mode", 1)),
			pool(op, "rank 1", x(2, 3, 9), kernel(3), list("strides", 2)),
			pool(op, "rank 3", x(1, 2, 4, 5, 4), kernel(2, 2, 2), list("strides", 2, 2, 2)),
		)
	}
	newer := pool("AveragePool", "padding counted, ceil, opset 19", x(1, 2, 6, 6), kernel(3, 3), list("strides", 2, 2), list("pads", 1, 1, 1, 1), integer("count_include_pad", 1), integer("ceil_mode", 1))
	newer.opset = 19
	for _, p := range []int64{1, 2, 3} {
		lp := pool("LpPool", string(rune('0'+p)), x(1, 2, 5, 6).from(apart), kernel(3, 2), list("strides", 2, 1), list("pads", 0, 1, 2, 0), integer("p", p))
		cases = append(cases, lp)
	}
	return append(cases, newer,
		pool("MaxPool", "dilation", x(1, 2, 7, 7), kernel(3, 3), list("dilations", 2, 2)),
		pool("MaxPool", "SAME_UPPER, dilations that do nothing", x(1, 2, 5, 6), kernel(1, 3), list("dilations", 2, 1), str("auto_pad", "SAME_UPPER")),
		pool("AveragePool", "padding counted", x(1, 2, 7, 8), kernel(3, 3), list("strides", 2, 2), list("pads", 1, 1, 1, 1), integer("count_include_pad", 1)),
		pool("AveragePool", "padding counted, ceil", x(1, 2, 6, 6), kernel(3, 3), list("strides", 2, 2), list("pads", 1, 1, 1, 1), integer("count_include_pad", 1), integer("ceil_mode", 1)),
	)
}
