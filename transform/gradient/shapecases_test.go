package gradient_test

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func resizeCases() []gradientCase {
	resize := func(name string, in *input, scales []float32, sizes *input, a ...onnxgraph.Attribute) gradientCase {
		inputs := []*input{in, nil, nil, sizes}
		if scales != nil {
			inputs[2] = &input{constant: onnxgraph.NewTensor([]int64{int64(len(scales))}, scales)}
			inputs = inputs[:3]
		}
		return gradientCase{name: name, op: "Resize", inputs: inputs, attrs: a}
	}
	mode := func(mode, coordinates, rounding string) []onnxgraph.Attribute {
		a := attrs(str("mode", mode), str("coordinate_transformation_mode", coordinates))
		if rounding != "" {
			a = append(a, str("nearest_mode", rounding))
		}
		return a
	}
	var cases []gradientCase
	for _, coordinates := range []string{"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"} {
		sized := func(c gradientCase) gradientCase {
			if coordinates == "half_pixel_symmetric" {
				c.opset = 19
			}
			return c
		}
		for _, rounding := range []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"} {
			a := mode("nearest", coordinates, rounding)
			cases = append(cases,
				sized(resize(coordinates+" "+rounding+" twice", x(1, 2, 4, 5), []float32{1, 1, 2, 2}, nil, a...)),
				sized(resize(coordinates+" "+rounding+" 1.7 and 0.7", x(1, 2, 4, 5), []float32{1, 1, 1.7, 0.7}, nil, a...)),
				sized(resize(coordinates+" "+rounding+" sizes", x(1, 2, 4, 5), nil, ints(1, 2, 3, 9), a...)))
		}
		a := mode("linear", coordinates, "")
		cases = append(cases,
			sized(resize(coordinates+" linear twice", x(1, 2, 4, 5), []float32{1, 1, 2, 2}, nil, a...)),
			sized(resize(coordinates+" linear half", x(1, 2, 4, 6), []float32{1, 1, 0.5, 0.5}, nil, a...)),
			sized(resize(coordinates+" linear 1.7 and 0.7", x(2, 1, 4, 5), []float32{1, 1, 1.7, 0.7}, nil, a...)),
			sized(resize(coordinates+" linear sizes", x(1, 2, 4, 5), nil, ints(1, 2, 1, 9), a...)))
	}
	return append(cases,
		resize("nearest rank 3", x(2, 3, 5), []float32{1, 1, 2}, nil),
		resize("nearest channels too", x(2, 3, 5), []float32{1, 2, 3}, nil),
		resize("axes", x(2, 3, 4, 5), []float32{3, 2}, nil, list("axes", 2, 3)),
		resize("axes, sizes", x(2, 3, 4, 5), nil, ints(7, 6), list("axes", 3, 2)),
		resize("axes in another order, scales that are rounded", x(2, 3, 4, 5), []float32{1.7, 0.7}, nil, list("axes", 3, 2)),
		resize("nearest, as many", x(1, 2, 4, 5), []float32{1, 1, 1.1, 1.1}, nil, mode("nearest", "asymmetric", "floor")...),
		resize("nearest, as many on one axis", x(1, 2, 4, 5), []float32{1, 1, 1.1, 1.7}, nil, mode("nearest", "asymmetric", "floor")...),
		resize("linear, as many on one axis", x(1, 2, 4, 5), []float32{1, 1, 1.1, 1.7}, nil, mode("linear", "asymmetric", "")...),
		resize("linear, as many", x(1, 2, 4, 5), []float32{1, 1, 1.1, 1.1}, nil, mode("linear", "asymmetric", "")...),
		resize("linear rank 2", x(4, 5), []float32{2, 3}, nil, str("mode", "linear")))
}

func rearrangementCases() []gradientCase {
	return []gradientCase{
		{name: "DCR", op: "DepthToSpace", inputs: []*input{x(2, 12, 2, 3)}, attrs: attrs(integer("blocksize", 2))},
		{name: "CRD", op: "DepthToSpace", inputs: []*input{x(2, 12, 2, 3)}, attrs: attrs(integer("blocksize", 2), str("mode", "CRD"))},
		{name: "3", op: "SpaceToDepth", inputs: []*input{x(2, 2, 3, 6)}, attrs: attrs(integer("blocksize", 3))},
		{name: "twice and thrice", op: "Tile", inputs: []*input{x(2, 3), ints(2, 3)}},
		{name: "one axis", op: "Tile", inputs: []*input{x(2, 3, 1), ints(1, 1, 4)}},
		{name: "edge", op: "Pad", inputs: []*input{x(2, 4, 5), ints(0, 2, 1, 0, 1, 3)}, attrs: attrs(str("mode", "edge"))},
		{name: "reflect", op: "Pad", inputs: []*input{x(2, 4, 5), ints(0, 2, 1, 0, 1, 3)}, attrs: attrs(str("mode", "reflect"))},
		{name: "reflect axes", op: "Pad", inputs: []*input{x(2, 4, 5), ints(1, 3, 2, 0), nil, ints(-1, 1)}, attrs: attrs(str("mode", "reflect"))},
		{name: "wrap", op: "Pad", inputs: []*input{x(2, 4, 5), ints(0, 2, 1, 0, 1, 3)}, attrs: attrs(str("mode", "wrap")), opset: 19},
		{name: "broadcast", op: "Where", inputs: []*input{booleans([]int64{3, 1}, true, false, true), x(2, 3, 4), x(4)}},
		{name: "single", op: "Where", inputs: []*input{booleans([]int64{3}, true, false, true), x(2, 3), x()}},
		{name: "three", op: "Mean", inputs: []*input{x(2, 3), x(2, 1), x(3)}},
	}
}

func booleans(shape []int64, v ...bool) *input {
	return &input{constant: onnxgraph.NewTensor(shape, v)}
}

func table(shape []int64, v ...int64) *input { return &input{constant: onnxgraph.NewTensor(shape, v)} }

func indexCases() []gradientCase {
	return []gradientCase{
		{name: "repeated and negative", op: "GatherElements", inputs: []*input{x(3, 2), table([]int64{2, 2}, 1, -1, 1, 0)}},
		{name: "axis", op: "GatherElements", inputs: []*input{x(2, 4), table([]int64{2, 3}, 3, 0, 0, 1, 2, -1)}, attrs: attrs(integer("axis", -1))},
		{name: "slices", op: "GatherND", inputs: []*input{x(3, 2, 2), table([]int64{3, 1}, 2, 0, 2)}},
		{name: "elements", op: "GatherND", inputs: []*input{x(3, 2), table([]int64{2, 2}, 2, 1, 0, -1)}},
		{name: "replaces", op: "ScatterElements", inputs: []*input{x(3, 3), table([]int64{2, 3}, 1, 0, 2, 0, 2, 1), x(2, 3)}},
		{name: "adds along axis 1", op: "ScatterElements", inputs: []*input{x(2, 4), table([]int64{2, 2}, 1, 1, 0, -1), x(2, 2)}, attrs: attrs(integer("axis", 1), str("reduction", "add"))},
		{name: "replaces slices", op: "ScatterND", inputs: []*input{x(4, 3), table([]int64{2, 1}, 3, 0), x(2, 3)}},
		{name: "adds elements", op: "ScatterND", inputs: []*input{x(4, 3), table([]int64{3, 2}, 3, 0, 3, 0, 1, 2), x(3)}, attrs: attrs(str("reduction", "add"))},
		{name: "smallest two", op: "TopK", inputs: []*input{x(3, 5), ints(2)}, outputs: 2, attrs: attrs(integer("largest", 0))},
		{name: "largest of axis 0", op: "TopK", inputs: []*input{x(5, 3), ints(1)}, outputs: 2, attrs: attrs(integer("axis", 0))},
	}
}
