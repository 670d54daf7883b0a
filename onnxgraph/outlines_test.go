package onnxgraph

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// unread is a constant of which only the type and the dims are known, as it comes out of a node that computes something.
type unread struct{ *Tensor }

// outlineOf tells what is known of what a node makes of constants: its type, its dims and the numbers of a short vector. "-" is nothing.
func outlineOf(op string, inputs []any, attrs ...Attribute) string {
	m := New("g", 8, 18)
	inputs = slices.Clone(inputs)
	for i, in := range inputs {
		if hidden, ok := in.(unread); ok {
			inputs[i] = fromConstants(m.Graph, "Abs", []any{hidden.Tensor})
		}
	}
	y := fromConstants(m.Graph, op, inputs, attrs...)
	x := m.expanded().known[y]
	if x == nil {
		return "-"
	}
	text := fmt.Sprint(x.dtype, " ", x.dims)
	numbers := x.numbers()
	if numbers != nil && len(x.dims) < 2 {
		text += fmt.Sprint(" = ", numbers)
	} else if x.constant != nil && numbers == nil {
		text += " = too many"
	}
	return text
}

// required has how many inputs operators must have in ONNX, for those that need more than one or none.
var required = map[string]int{"Range": 3, "Expand": 2, "Tile": 2, "OneHot": 3, "RandomNormal": 0, "RandomUniform": 0, "MelWeightMatrix": 5, "MatMul": 2, "Gather": 2,
	"Reshape": 2, "Add": 2, "Sub": 2, "Mul": 2, "Div": 2, "Pow": 2, "Mod": 2, "PRelu": 2, "BitShift": 2, "BitwiseAnd": 2, "BitwiseOr": 2, "BitwiseXor": 2, "And": 2,
	"Or": 2, "Xor": 2, "Equal": 2, "Less": 2, "LessOrEqual": 2, "Greater": 2, "GreaterOrEqual": 2, "Where": 3, "Gemm": 2}

// TestOutlines tells what nodes make of constants, without computing it: the type, the dims and, where it may be a shape, the
// numbers, as ONNX's documents say. Of nodes that lack inputs, or do not go together with them, nothing is known.
func TestOutlines(t *testing.T) {
	type row struct {
		op     string
		inputs []any
		attrs  []Attribute
		want   string
	}
	with := func(attrs ...Attribute) []Attribute { return attrs }
	image, count := zeros(1, 2, 4, 6), func(n int64) *Tensor { return NewTensor([]int64{n}, make([]int64, n)) }
	double, small := Int("dtype", int64(Float64)), NewTensor([]int64{2}, []float64{1.75, -1.75})
	rows := []row{
		{"ConstantOfShape", []any{list(2, 3)}, nil, "float32 [2 3]"},
		{"ConstantOfShape", []any{list(2, 3)}, with(TensorAttr("value", list(7))), "int64 [2 3]"},
		{"ConstantOfShape", []any{list()}, nil, "float32 []"},
		{"ConstantOfShape", []any{list(2, -3)}, nil, "-"},
		{"ConstantOfShape", []any{unread{list(2, 3)}}, nil, "-"},
		{"ConstantOfShape", []any{count(65)}, nil, "-"}, // more than any shape has
		{"Range", []any{NewScalar[int64](1), NewScalar[int64](10), NewScalar[int64](4)}, nil, "int64 [3]"},
		{"Range", []any{NewScalar[float32](10), NewScalar[float32](2), NewScalar[float32](-4)}, nil, "float32 [2]"},
		{"Range", []any{NewScalar[int64](1), NewScalar[int64](1), NewScalar[int64](1)}, nil, "int64 [0]"},
		{"Range", []any{NewScalar[int64](9), NewScalar[int64](1), NewScalar[int64](1)}, nil, "int64 [0]"},
		{"Range", []any{NewScalar[int64](1), NewScalar[int64](9), NewScalar[int64](0)}, nil, "-"},
		{"Range", []any{list(1, 2), NewScalar[int64](9), NewScalar[int64](1)}, nil, "-"},
		{"Range", []any{NewScalar[int64](1), list(8, 9), NewScalar[int64](1)}, nil, "-"},
		{"Range", []any{NewScalar[int64](1), NewScalar[int64](9), list(1, 1)}, nil, "-"},
		{"Expand", []any{zeros(3, 1), list(2, 1, 4)}, nil, "float32 [2 3 4]"},
		{"Expand", []any{zeros(2, 3), list(3)}, nil, "float32 [2 3]"},
		{"Expand", []any{zeros(3, 1), list(2, 4)}, nil, "-"},
		{"Expand", []any{zeros(3, 1), unread{list(3, 4)}}, nil, "-"},
		{"Tile", []any{zeros(2, 3), list(2, 1)}, nil, "float32 [4 3]"},
		{"Tile", []any{zeros(), list()}, nil, "float32 []"},
		{"Tile", []any{zeros(2, 3), list(2)}, nil, "-"},
		{"Tile", []any{zeros(2, 3), list(2, -1)}, nil, "-"},
		{"OneHot", []any{zeros(2, 3), NewScalar[int64](5), list(0, 1)}, nil, "int64 [2 3 5]"},
		{"OneHot", []any{zeros(2, 3), list(5), floats(0, 1)}, with(Int("axis", 0)), "float32 [5 2 3]"},
		{"OneHot", []any{zeros(2, 3), list(5), floats(0, 1)}, with(Int("axis", -2)), "float32 [2 5 3]"},
		{"OneHot", []any{zeros(2, 3), list(5), floats(0, 1)}, with(Int("axis", 2)), "float32 [2 3 5]"},
		{"OneHot", []any{zeros(2, 3), list(5), floats(0, 1)}, with(Int("axis", 3)), "-"},
		{"OneHot", []any{zeros(2, 3), list(5), floats(0, 1)}, with(Int("axis", -4)), "-"},
		{"OneHot", []any{zeros(2, 3), list(5, 6), floats(0, 1)}, nil, "-"},
		{"Resize", []any{image, nil, floats(1, 1, 1.5, 0.4)}, nil, "float32 [1 2 6 2]"},
		{"Resize", []any{image, floats(), floats(), list(1, 2, 8, 3)}, nil, "float32 [1 2 8 3]"},
		{"Resize", []any{image, nil, nil, list(8, 3)}, with(Ints("axes", 3, -2)), "float32 [1 2 3 8]"},
		{"Resize", []any{image, nil, floats(2)}, with(Ints("axes", 1)), "float32 [1 4 4 6]"},
		{"Resize", []any{image, floats(1, 1, 2, 2)}, nil, "float32 [1 2 8 12]"},
		{"Resize", []any{image, nil, nil, list(8)}, with(Ints("axes", 4)), "-"},
		{"Resize", []any{image, nil, nil, list(8)}, with(Ints("axes", -5)), "-"},
		{"Resize", []any{image, nil, floats(1, 2)}, nil, "-"},
		{"Resize", []any{image, nil, nil, list(8, 3)}, nil, "-"},
		{"Resize", []any{image, nil, nil, list(1, 2, 8, 3)}, with(Str("keep_aspect_ratio_policy", "stretch")), "float32 [1 2 8 3]"},
		{"Resize", []any{image, nil, nil, list(1, 2, 8, 3)}, with(Str("keep_aspect_ratio_policy", "not_larger")), "-"},
		{"Resize", []any{image, nil, floats(1, 1, float32(math.NaN()), 1)}, nil, "-"},
		{"Upsample", []any{image}, with(Floats("scales", 1, 1, 2, 0.5)), "float32 [1 2 8 3]"},
		{"Upsample", []any{image, floats(1, 1, 2, 2)}, nil, "float32 [1 2 8 12]"},
		{"Pad", []any{zeros(2, 3)}, with(Ints("pads", 1, 0, 5, 7)), "float32 [8 10]"},
		{"Pad", []any{zeros(2, 3), list(1, 0, 5, 7)}, nil, "float32 [8 10]"},
		{"Pad", []any{zeros(2, 3), list(1, 5), nil, list(-1)}, nil, "float32 [2 9]"},
		{"Pad", []any{zeros(2, 3), list(1, 2, 3, 4), nil, list(1, 0)}, nil, "float32 [8 7]"},
		{"Pad", []any{zeros(2, 3), list(-1, 0, 0, -2)}, nil, "float32 [1 1]"},
		{"Pad", []any{zeros(2, 3), list(-1, 0, -2, 0)}, nil, "-"},
		{"Pad", []any{zeros(2, 3), list(1, 5)}, nil, "-"},
		{"Pad", []any{zeros(2, 3), list(1, 5), nil, list(2)}, nil, "-"},
		{"Pad", []any{zeros(2, 3), list(1, 5), nil, list(-3)}, nil, "-"},
		{"Pad", []any{zeros(2, 3), list(1, 5), nil, unread{list(1)}}, nil, "-"},
		{"EyeLike", []any{zeros(2, 3)}, nil, "float32 [2 3]"},
		{"EyeLike", []any{zeros(2, 3)}, with(double), "float64 [2 3]"},
		{"RandomNormal", nil, with(Ints("shape", 2, 3)), "float32 [2 3]"},
		{"RandomUniform", nil, with(Ints("shape", 2), double), "float64 [2]"},
		{"RandomNormalLike", []any{zeros(2, 3)}, with(double), "float64 [2 3]"},
		{"RandomUniformLike", []any{list(2)}, nil, "int64 [1]"},
		{"Bernoulli", []any{zeros(2)}, with(double), "float64 [2]"},
		{"Multinomial", []any{zeros(2, 3)}, nil, "int32 [2 1]"},
		{"Multinomial", []any{zeros(2, 3)}, with(Int("sample_size", 5), Int("dtype", int64(Int64))), "int64 [2 5]"},
		{"Multinomial", []any{zeros(2)}, nil, "-"},
		{"Multinomial", []any{zeros(2, 3, 4)}, nil, "-"},
		{"HannWindow", []any{NewScalar[int64](5)}, nil, "float32 [5]"},
		{"HammingWindow", []any{NewScalar[int64](5)}, with(Int("output_datatype", int64(Float64))), "float64 [5]"},
		{"BlackmanWindow", []any{unread{NewScalar[int64](5)}}, nil, "-"},
		{"MelWeightMatrix", []any{NewScalar[int64](3), NewScalar[int64](17), list(8000), floats(0), floats(4000)}, nil, "float32 [9 3]"},
		{"MelWeightMatrix", []any{NewScalar[int64](3), NewScalar[int64](16), list(8000), floats(0), floats(4000)}, with(Int("output_datatype", int64(Float64))), "float64 [9 3]"},
		{"MelWeightMatrix", []any{list(3, 4), list(16), list(8000), floats(0), floats(4000)}, nil, "-"},
		{"MelWeightMatrix", []any{list(3), list(16, 17), list(8000), floats(0), floats(4000)}, nil, "-"},
		{"Concat", []any{zeros(2, 3), zeros(4, 3)}, with(Int("axis", 0)), "float32 [6 3]"},
		{"Concat", []any{zeros(2, 3), zeros(2, 4), zeros(2, 1)}, with(Int("axis", -1)), "float32 [2 8]"},
		{"Concat", []any{zeros(2, 3), zeros(2, 4)}, nil, "float32 [2 7]"}, // as in the oldest operator set
		{"Concat", []any{list(2, 3), list(4)}, with(Int("axis", 0)), "int64 [3] = [2 3 4]"},
		{"Concat", []any{list(2, 3), unread{list(4)}}, with(Int("axis", 0)), "int64 [3]"},
		{"Concat", []any{unread{list(4)}, list(2, 3)}, with(Int("axis", 0)), "int64 [3]"},
		{"Concat", []any{count(32), count(33)}, with(Int("axis", 0)), "int64 [65]"},
		{"Concat", []any{zeros(2, 3), zeros(4)}, with(Int("axis", 0)), "-"},
		{"Concat", []any{zeros(2, 3), zeros(2, 3)}, with(Int("axis", 2)), "-"},
		{"Concat", []any{zeros(2, 3), zeros(2, 3)}, with(Int("axis", -3)), "-"},
		{"Concat", []any{list(2), nil, list(3)}, with(Int("axis", 0)), "-"},
		{"MatMul", []any{zeros(2, 3), zeros(3, 4)}, nil, "float32 [2 4]"},
		{"MatMul", []any{zeros(5, 1, 2, 3), zeros(6, 3, 4)}, nil, "float32 [5 6 2 4]"},
		{"MatMul", []any{zeros(5, 2, 3), zeros(6, 3, 4)}, nil, "-"},
		{"MatMul", []any{zeros(3), zeros(3, 4)}, nil, "-"},
		{"MatMul", []any{zeros(2, 3), zeros(3)}, nil, "-"},
		{"Gemm", []any{zeros(2, 3), zeros(3, 4)}, nil, "float32 [2 4]"},
		{"Gemm", []any{zeros(2, 3), zeros(3, 4), zeros(4)}, with(Int("transA", 0), Int("transB", 0)), "float32 [2 4]"},
		{"Gemm", []any{zeros(2, 3), zeros(2, 4)}, with(Int("transA", 1)), "float32 [3 4]"},
		{"Gemm", []any{zeros(2, 3), zeros(4, 3)}, with(Int("transB", 1)), "float32 [2 4]"},
		{"Gemm", []any{zeros(2, 3, 1), zeros(3, 4)}, nil, "-"},
		{"Gemm", []any{zeros(2, 3), zeros(3)}, nil, "-"},
		{"Gather", []any{zeros(4, 5), list(1, 2, 3)}, nil, "float32 [3 5]"},
		{"Gather", []any{zeros(4, 5), NewScalar[int64](1)}, with(Int("axis", 1)), "float32 [4]"},
		{"Gather", []any{zeros(4, 5), NewTensor([]int64{2, 3}, make([]int64, 6))}, with(Int("axis", -1)), "float32 [4 2 3]"},
		{"Gather", []any{zeros(4, 5), list(1)}, with(Int("axis", 2)), "-"},
		{"Gather", []any{zeros(4, 5), list(1)}, with(Int("axis", -3)), "-"},
		{"Gather", []any{list(7, 8, 9), list(2, 0)}, nil, "int64 [2] = [9 7]"},
		{"Gather", []any{list(7, 8, 9), NewScalar[int64](-1)}, nil, "int64 [] = [9]"},
		{"Gather", []any{list(7, 8, 9), list(-3)}, nil, "int64 [1] = [7]"},
		{"Gather", []any{list(7, 8, 9), list(0, 3)}, nil, "-"},
		{"Gather", []any{list(7, 8, 9), list(0, -4)}, nil, "-"},
		{"Gather", []any{list(7, 8, 9), NewTensor([]int64{1, 2}, []int64{0, 1})}, nil, "int64 [1 2]"},
		{"Gather", []any{list(7, 8, 9), unread{list(2, 0)}}, nil, "int64 [2]"},
		{"Gather", []any{unread{list(7, 8, 9)}, list(2, 0)}, nil, "int64 [2]"},
		{"Gather", []any{NewTensor([]int64{1, 2}, []int64{7, 8}), list(0)}, nil, "int64 [1 2]"},
		{"Transpose", []any{zeros(2, 3, 4)}, nil, "float32 [4 3 2]"},
		{"Transpose", []any{zeros(2, 3, 4)}, with(Ints("perm", 1, 2, 0)), "float32 [3 4 2]"},
		{"Transpose", []any{zeros(2, 3, 4)}, with(Ints("perm", 1, 2, 3)), "-"},
		{"Transpose", []any{list(1, 2)}, nil, "int64 [2]"},
		{"Reshape", []any{zeros(2, 3, 4), list(6, 4)}, nil, "float32 [6 4]"},
		{"Reshape", []any{zeros(2, 3, 4), list(0, -1)}, nil, "float32 [2 12]"},
		{"Reshape", []any{zeros(2, 3, 4), list(-1, 0, 2)}, nil, "float32 [4 3 2]"},
		{"Reshape", []any{zeros(2, 3, 4), list(6, 5)}, nil, "-"},
		{"Reshape", []any{zeros(2, 3, 4), list(-1, -1)}, nil, "-"},
		{"Reshape", []any{zeros(2, 3, 4), list(6, 4, 1, 0)}, nil, "-"},
		{"Reshape", []any{zeros(0, 3), list(0, 5)}, nil, "float32 [0 5]"},
		{"Reshape", []any{zeros(2, 0), list(0, 5)}, with(Int("allowzero", 1)), "float32 [0 5]"},
		{"Reshape", []any{zeros(2, 3), list(0, 3)}, with(Int("allowzero", 1)), "-"},
		{"Reshape", []any{zeros(2, 3), unread{list(3, 2)}}, nil, "-"},
		{"Reshape", []any{NewScalar[int64](7), list(1)}, nil, "int64 [1] = [7]"},
		{"Flatten", []any{zeros(2, 3, 4)}, nil, "float32 [2 12]"},
		{"Flatten", []any{zeros(2, 3, 4)}, with(Int("axis", 0)), "float32 [1 24]"},
		{"Flatten", []any{zeros(2, 3, 4)}, with(Int("axis", 3)), "float32 [24 1]"},
		{"Flatten", []any{zeros(2, 3, 4)}, with(Int("axis", -2)), "float32 [6 4]"},
		{"Flatten", []any{zeros(2, 3, 4)}, with(Int("axis", 4)), "-"},
		{"Shape", []any{zeros(2, 3, 4)}, nil, "int64 [3] = [2 3 4]"},
		{"Shape", []any{zeros(2, 3, 4)}, with(Int("start", 1)), "-"},
		{"Shape", []any{zeros(2, 3, 4)}, with(Int("end", 1)), "-"},
		{"Unsqueeze", []any{zeros(2, 3)}, with(Ints("axes", 0, 2)), "float32 [1 2 1 3]"},
		{"Unsqueeze", []any{zeros(2, 3), list(-1)}, nil, "float32 [2 3 1]"},
		{"Unsqueeze", []any{NewScalar[int64](7), list(0)}, nil, "int64 [1] = [7]"},
		{"Unsqueeze", []any{zeros(2, 3), list(3)}, nil, "-"},
		{"Unsqueeze", []any{zeros(2, 3), list(-4)}, nil, "-"},
		{"Unsqueeze", []any{zeros(2, 3), list(1, 1)}, nil, "-"},
		{"Squeeze", []any{zeros(1, 2, 1, 3)}, nil, "float32 [2 3]"},
		{"Squeeze", []any{zeros(1, 2, 1, 3)}, with(Ints("axes", 2)), "float32 [1 2 3]"},
		{"Squeeze", []any{zeros(1, 2, 1, 3), list(0, -2)}, nil, "float32 [2 3]"},
		{"Squeeze", []any{zeros(1, 2, 1, 3), list(1)}, nil, "-"},
		{"Squeeze", []any{zeros(1, 2, 1, 3), list(4)}, nil, "-"},
		{"Squeeze", []any{zeros(1, 2, 1, 3), list(-5)}, nil, "-"},
		{"Squeeze", []any{list(7)}, nil, "int64 [] = [7]"},
		{"Identity", []any{list(7, 8)}, nil, "int64 [2] = [7 8]"},
		{"Cast", []any{small}, with(Int("to", int64(Float32))), "float32 [2] = [1.75 -1.75]"},
		{"Cast", []any{small}, with(Int("to", int64(Int64))), "int64 [2] = [1 -1]"},
		{"Cast", []any{small}, with(Int("to", int64(Int8))), "int8 [2]"},
		{"Cast", []any{unread{small}}, with(Int("to", int64(Int64))), "int64 [2]"},
		{"Add", []any{list(2, 3), list(4, 5)}, nil, "int64 [2] = [6 8]"},
		{"Sub", []any{list(2, 3), NewScalar[int64](1)}, nil, "int64 [2] = [1 2]"},
		{"Mul", []any{list(2), list(4, 5, 6)}, nil, "int64 [3] = [8 10 12]"},
		{"Add", []any{list(2, 3), unread{list(4, 5)}}, nil, "int64 [2]"},
		{"Add", []any{unread{list(2, 3)}, list(4, 5)}, nil, "int64 [2]"},
		{"Add", []any{list(2, 3), NewTensor([]int64{1, 1}, []int64{4})}, nil, "int64 [1 2]"},
		{"Add", []any{count(64), list(1)}, nil, "int64 [64] = " + fmt.Sprint(func() (ones [64]float64) {
			for i := range ones {
				ones[i] = 1
			}
			return ones
		}())},
		{"Add", []any{count(65), list(1)}, nil, "int64 [65]"},
		{"Add", []any{list(1), list(2), count(65)}, nil, "int64 [65]"}, // ONNX Runtime refuses it, and no memory may be taken for it
		{"Sum", []any{zeros(2, 1), zeros(1, 3), zeros(4, 1, 1)}, nil, "float32 [4 2 3]"},
		{"Max", []any{zeros(2, 1), zeros(3)}, nil, "float32 [2 3]"},
		{"Min", []any{zeros(2, 4), zeros(3)}, nil, "-"},
		{"Where", []any{NewTensor([]int64{2, 1}, make([]bool, 2)), list(1, 2, 3), zeros(4, 1, 1)}, nil, "int64 [4 2 3]"},
		{"Where", []any{NewTensor([]int64{2}, make([]bool, 2)), list(1, 2, 3), zeros(4, 1, 1)}, nil, "-"},
		{"NonZero", []any{list(1, 2)}, nil, "-"}, // which no rule is for
	}
	for op := range expansions {
		switch {
		case op == "Equal" || op == "Less" || op == "LessOrEqual" || op == "Greater" || op == "GreaterOrEqual":
			rows = append(rows, row{op, []any{list(1, 2), zeros(3, 1)}, nil, "bool [3 2]"}, row{op, []any{list(1, 2), zeros(3)}, nil, "-"})
		case required[op] == 2 && op != "MatMul" && op != "Gemm" && op != "Reshape" && op != "Gather" && op != "Tile" && op != "Expand":
			rows = append(rows, row{op, []any{zeros(2, 1), zeros(3)}, nil, "float32 [2 3]"}, row{op, []any{list(1, 2), zeros(3)}, nil, "-"})
		}
	}
	for _, op := range []string{"Dropout", "Softmax", "LogSoftmax", "CumSum", "Trilu", "ScatterND", "ScatterElements", "Clip", "BatchNormalization", "InstanceNormalization",
		"LayerNormalization", "LRN", "Abs", "Neg", "Sqrt", "Exp", "Log", "Relu", "Sigmoid", "Tanh", "Erf", "Floor", "Ceil", "Round", "Reciprocal", "Sign", "Sin", "Cos",
		"LeakyRelu", "Elu", "Gelu", "HardSigmoid", "HardSwish", "Softplus", "Not"} {
		rows = append(rows, row{op, []any{list(1, 2)}, nil, "int64 [2]"}, row{op, []any{zeros(3, 1)}, nil, "float32 [3 1]"})
	}
	for i, r := range rows {
		needs, known := required[r.op]
		if !known {
			needs = 1
		}
		if fewer := min(len(r.inputs), needs-1); needs > 0 {
			if got := outlineOf(r.op, r.inputs[:fewer:fewer], r.attrs...); got != "-" {
				t.Errorf("row %d, %s of %d inputs: got %s, want -: it needs %d", i, r.op, fewer, got, needs)
			}
		}
		if got := outlineOf(r.op, r.inputs, r.attrs...); got != r.want {
			t.Errorf("row %d, %s of %d inputs with %v: got %s, want %s", i, r.op, len(r.inputs), mapSlice(r.attrs, func(a Attribute) string { return a.proto.String() }), got, r.want)
		}
	}
}

// TestOutlinesOfAnything asks what nodes make of constants of all kinds, whether they go together or not: it must not panic.
func TestOutlinesOfAnything(t *testing.T) {
	kinds := []any{nil, NewScalar[int64](1), list(2, -1), list(), zeros(2, 3), unread{list(1, 2)}}
	for op := range expansions {
		for count := range 4 {
			choices := 1
			for range count {
				choices *= len(kinds)
			}
			for choice := range choices {
				var inputs []any
				for c := choice; len(inputs) < count; c /= len(kinds) {
					inputs = append(inputs, kinds[c%len(kinds)])
				}
				outlineOf(op, inputs)
			}
		}
	}
}
