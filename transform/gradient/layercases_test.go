package gradient_test

import (
	"math/rand/v2"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func normalizationCases() []gradientCase {
	newer := func(c gradientCase) gradientCase { c.opset = 21; return c }
	return []gradientCase{
		{name: "last axis", op: "LayerNormalization", inputs: []*input{x(2, 3, 5), x(5), x(5)}},
		{name: "without shift", op: "LayerNormalization", inputs: []*input{x(2, 3, 5), x(5)}},
		{name: "two axes", op: "LayerNormalization", inputs: []*input{x(2, 3, 5), x(3, 5), x(3, 5)}, attrs: attrs(integer("axis", 1))},
		{name: "negative axis, epsilon", op: "LayerNormalization", inputs: []*input{x(2, 3, 5), x(3, 5), x(3, 5)}, attrs: attrs(integer("axis", -2), float("epsilon", 0.1))},
		{name: "rank 4", op: "InstanceNormalization", inputs: []*input{x(2, 3, 4, 5), x(3), x(3)}},
		{name: "rank 3, epsilon", op: "InstanceNormalization", inputs: []*input{x(2, 3, 7), x(3), x(3)}, attrs: attrs(float("epsilon", 0.1))},
		{name: "per group", op: "GroupNormalization", inputs: []*input{x(2, 6, 3, 4), x(2), x(2)}, attrs: attrs(integer("num_groups", 2))},
		newer(gradientCase{name: "per channel", op: "GroupNormalization", inputs: []*input{x(2, 6, 3, 4), x(6), x(6)}, attrs: attrs(integer("num_groups", 2), float("epsilon", 0.1), integer("stash_type", int64(onnxgraph.Float64)))}),
		{name: "default", op: "MeanVarianceNormalization", inputs: []*input{x(3, 2, 4, 5)}},
		{name: "axes", op: "MeanVarianceNormalization", inputs: []*input{x(3, 2, 4, 5)}, attrs: attrs(list("axes", -1, 1))},
		{name: "odd", op: "LRN", inputs: []*input{x(2, 6, 3, 2)}, attrs: attrs(integer("size", 5), float("alpha", 0.5), float("beta", 0.6), float("bias", 2))},
		{name: "wider than the channels", op: "LRN", inputs: []*input{x(2, 2, 3, 2)}, attrs: attrs(integer("size", 7), float("alpha", 2))},
		{name: "default", op: "LpNormalization", inputs: []*input{x(3, 4)}},
		{name: "p 1, axis", op: "LpNormalization", inputs: []*input{x(3, 4, 2).from(apart)}, attrs: attrs(integer("p", 1), integer("axis", 1))},
		{name: "p 2, negative axis", op: "LpNormalization", inputs: []*input{x(3, 4, 2)}, attrs: attrs(integer("p", 2), integer("axis", -2))},
	}
}

func reductionCases() []gradientCase {
	draws := map[string]func(*rand.Rand) float64{
		"ReduceMax": nil, "ReduceMin": nil, "ReduceL1": apart, "ReduceL2": apart, "ReduceSumSquare": nil,
		"ReduceLogSum": positive, "ReduceLogSumExp": nil, "ReduceSum": nil, "ReduceMean": nil,
	}
	var cases []gradientCase
	for op, draw := range draws {
		reduce := func(name string, a []onnxgraph.Attribute, axes ...int64) gradientCase {
			in := []*input{x(2, 3, 4).from(draw)}
			if axes != nil {
				in = append(in, ints(axes...))
			}
			return gradientCase{name: name, op: op, inputs: in, attrs: a}
		}
		cases = append(cases,
			reduce("axis", nil, 1),
			reduce("negative axes, dropped", attrs(integer("keepdims", 0)), -1, 0),
			reduce("all", nil),
			reduce("all, dropped", attrs(integer("keepdims", 0))),
			reduce("no axes", attrs(integer("noop_with_empty_axes", 0)), []int64{}...),
			reduce("nothing", attrs(integer("noop_with_empty_axes", 1))),
			reduce("axis in spite of noop", attrs(integer("noop_with_empty_axes", 1)), 2),
		)
	}
	return cases
}

func convTransposeCases() []gradientCase {
	conv := func(name string, in, weight *input, a ...onnxgraph.Attribute) gradientCase {
		groups := int64(1)
		for _, attr := range a {
			if attr.Name() == "group" {
				groups = 2
			}
		}
		return gradientCase{name: name, op: "ConvTranspose", inputs: []*input{in, weight, x(groups * weight.shape[1])}, attrs: a}
	}
	return []gradientCase{
		conv("2x2 stride 2", x(2, 3, 4, 5), x(3, 4, 2, 2), list("strides", 2, 2)),
		conv("3x3", x(2, 3, 4, 5), x(3, 4, 3, 3)),
		conv("3x3 padded", x(2, 3, 4, 5), x(3, 4, 3, 3), list("pads", 1, 1, 1, 1)),
		conv("4x4 stride 2 padded", x(2, 3, 4, 5), x(3, 2, 4, 4), list("pads", 1, 1, 1, 1), list("strides", 2, 2)),
		conv("output padding", x(2, 3, 4, 5), x(3, 2, 3, 3), list("pads", 1, 1, 1, 1), list("strides", 2, 2), list("output_padding", 1, 1)),
		conv("output padding on one axis", x(1, 2, 4, 3), x(2, 2, 3, 2), list("strides", 3, 2), list("output_padding", 2, 0)),
		conv("asymmetric pads", x(1, 2, 5, 4), x(2, 3, 3, 4), list("pads", 0, 2, 1, 1), list("strides", 2, 1)),
		conv("dilation", x(1, 2, 4, 5), x(2, 3, 3, 2), list("dilations", 2, 3), list("pads", 1, 0, 2, 1)),
		conv("dilation and stride", x(1, 2, 4, 5), x(2, 3, 3, 2), list("dilations", 2, 1), list("strides", 1, 2)),
		conv("groups", x(2, 4, 4, 3), x(4, 3, 3, 3), integer("group", 2), list("strides", 2, 2)),
		conv("kernel below stride", x(1, 2, 4, 3), x(2, 2, 2, 1), list("strides", 3, 2)),
		conv("output shape", x(1, 2, 4, 3), x(2, 2, 3, 3), list("strides", 2, 2), list("output_shape", 8, 6)),
		conv("odd output shape", x(1, 2, 4, 3), x(2, 2, 4, 4), list("strides", 2, 2), list("output_shape", 7, 5)),
		conv("output shape and output padding", x(1, 2, 4, 3), x(2, 2, 4, 5), list("strides", 3, 2), list("output_shape", 10, 6), list("output_padding", 1, 0)),
		conv("odd output shape SAME_UPPER", x(1, 2, 4, 3), x(2, 2, 4, 4), list("strides", 2, 2), list("output_shape", 7, 5), str("auto_pad", "SAME_UPPER")),
		conv("SAME_UPPER", x(1, 2, 4, 3), x(2, 2, 3, 3), list("strides", 2, 2), str("auto_pad", "SAME_UPPER")),
		conv("SAME_LOWER", x(1, 2, 4, 3), x(2, 2, 3, 3), list("strides", 2, 2), str("auto_pad", "SAME_LOWER")),
		conv("sizes given, pads that do not count", x(1, 2, 4, 3), x(2, 2, 3, 3), list("strides", 2, 2), list("output_shape", 7, 5), list("pads", 2, 2, 2, 2)),
		conv("VALID", x(1, 2, 4, 3), x(2, 2, 3, 3), list("strides", 2, 2), str("auto_pad", "VALID")),
		conv("rank 1", x(2, 3, 5), x(3, 2, 4), list("strides", 2), list("pads", 1, 1)),
		conv("rank 3", x(1, 2, 3, 2, 3), x(2, 2, 2, 3, 2), list("strides", 2, 1, 2)),
		{name: "without bias", op: "ConvTranspose", inputs: []*input{x(1, 2, 4, 4), x(2, 3, 3, 3)}},
	}
}

func einsumCases() []gradientCase {
	einsum := func(equation string, in ...*input) gradientCase {
		return gradientCase{name: equation, op: "Einsum", inputs: in, attrs: attrs(str("equation", equation))}
	}
	return []gradientCase{
		einsum("ij,jk->ik", x(2, 3), x(3, 4)),
		einsum("bhid, bhjd -> bhij", x(2, 2, 3, 4), x(2, 2, 5, 4)),
		einsum("nchw,c->nhwc", x(2, 3, 2, 4), x(3)),
		einsum("bj,aj", x(2, 3), x(4, 3)),
		einsum("zA,Ab", x(2, 3), x(3, 4)),
		einsum("ij->ji", x(2, 3)),
		einsum("i,j,k->ijk", x(2), x(3), x(4)),
	}
}
