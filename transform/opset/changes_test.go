package opset_test

import (
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

type attrs = []onnxgraph.Attribute

// TestChanges upgrades one node of each old form, to every newer version that ONNX Runtime runs: it refuses what a
// version does not know. ONNX Runtime runs the forms of opset 7 and newer itself, so that there the output must stay
// as it was; older ones state what they compute. Sizes, scales and pads differ from dimension to dimension, and
// attributes differ from their defaults.
func TestChanges(t *testing.T) {
	orttest.Init(t)
	x3, x4 := waves(2, 3, 4), waves(2, 3, 4, 5)
	integer := func(name string, v int64) onnxgraph.Attribute { return onnxgraph.Int(name, v) }
	list, text, number := onnxgraph.Ints, onnxgraph.Str, onnxgraph.Float

	for _, c := range []struct {
		name    string
		opset   int64
		op      string
		inputs  []*onnxgraph.Tensor
		outputs []port
		attrs   attrs
		want    []float64 // output 0; nil if ONNX Runtime runs the old form
	}{
		{"Concat without axis", 3, "Concat", []*onnxgraph.Tensor{floats(dims(1, 2), 1, 2), floats(dims(1, 1), 3)}, float32s(1, 3), nil, []float64{1, 2, 3}},
		{"Reshape attribute", 4, "Reshape", []*onnxgraph.Tensor{x3}, float32s(6, 4), attrs{list("shape", -1, 4), list("consumed_inputs", 0)}, numbers(t, x3)},
		{"Cast type name", 5, "Cast", []*onnxgraph.Tensor{floats(dims(2), 1.5, -2.5)}, []port{{onnxgraph.Int32, dims(2)}}, attrs{text("to", "INT32")}, []float64{1, -2}},
		{"consumed_inputs", 5, "Relu", []*onnxgraph.Tensor{floats(dims(2), 1, -1)}, float32s(2), attrs{list("consumed_inputs", 0)}, []float64{1, 0}},
		{"LpPool power", 1, "LpPool", []*onnxgraph.Tensor{floats(dims(1, 1, 2), 3, 4)}, float32s(1, 1, 1), attrs{number("p", 2), list("kernel_shape", 2)}, []float64{5}},
		{"Pad paddings", 1, "Pad", []*onnxgraph.Tensor{floats(dims(2), 1, 2)}, float32s(4), attrs{list("paddings", 1, 1), number("value", 9)}, []float64{9, 1, 2, 9}},

		{"Add at an axis", 6, "Add", []*onnxgraph.Tensor{x3, floats(dims(3), 1, 2, 3)}, float32s(2, 3, 4), attrs{integer("broadcast", 1), integer("axis", 1)},
			aligned(t, x3, func(x float64, i int) float64 { return x + float64(i/4%3+1) })},
		{"Mul at axis 0", 6, "Mul", []*onnxgraph.Tensor{x3, floats(dims(2), 1, 2)}, float32s(2, 3, 4), attrs{integer("broadcast", 1), integer("axis", 0)},
			aligned(t, x3, func(x float64, i int) float64 { return x * float64(i/12+1) })},
		{"Sub at two axes", 6, "Sub", []*onnxgraph.Tensor{x3, floats(dims(2, 3), 1, 2, 3, 4, 5, 6)}, float32s(2, 3, 4), attrs{integer("broadcast", 1), integer("axis", 0)},
			aligned(t, x3, func(x float64, i int) float64 { return x - float64(i/4+1) })},
		{"Div at axis -2", 6, "Div", []*onnxgraph.Tensor{x3, floats(dims(3), 1, 2, 4)}, float32s(2, 3, 4), attrs{integer("broadcast", 1), integer("axis", -2)},
			aligned(t, x3, func(x float64, i int) float64 { return x / []float64{1, 2, 4}[i/4%3] })},
		{"Pow at the end", 6, "Pow", []*onnxgraph.Tensor{x3, floats(dims(4), 1, 2, 1, 2)}, float32s(2, 3, 4), attrs{integer("broadcast", 1)},
			aligned(t, x3, func(x float64, i int) float64 { return math.Pow(x, float64(i%2+1)) })},
		{"Greater of a scalar", 6, "Greater", []*onnxgraph.Tensor{floats(dims(2), 1, 3), onnxgraph.NewScalar(float32(2))}, []port{{onnxgraph.Bool, dims(2)}},
			attrs{integer("broadcast", 1), integer("axis", 0)}, []float64{0, 1}},
		{"PRelu of channels", 6, "PRelu", []*onnxgraph.Tensor{x3, floats(dims(3), 0.1, 0.2, 0.3)}, float32s(2, 3, 4), nil,
			aligned(t, x3, func(x float64, i int) float64 { return max(x, 0) + min(x, 0)*float64(i/4%3+1)/10 })},
		{"PRelu of all", 6, "PRelu", []*onnxgraph.Tensor{x3, floats(dims(1), 0.1)}, float32s(2, 3, 4), nil,
			aligned(t, x3, func(x float64, _ int) float64 { return max(x, 0) + min(x, 0)/10 })},
		{"Gemm broadcast", 6, "Gemm", []*onnxgraph.Tensor{floats(dims(1, 2), 1, 2), floats(dims(2, 1), 3, 4), floats(dims(1), 5)}, float32s(1, 1), attrs{integer("broadcast", 1)}, []float64{16}},
		{"Dropout is_test", 6, "Dropout", []*onnxgraph.Tensor{x3}, float32s(2, 3, 4), attrs{integer("is_test", 1), number("ratio", 0.3)}, numbers(t, x3)},
		{"BatchNormalization is_test", 5, "BatchNormalization", append([]*onnxgraph.Tensor{floats(dims(1, 2, 1), 1, 2)}, statistics()...), append(float32s(1, 2, 1), port{}, port{}, port{}, port{}),
			attrs{integer("is_test", 1), list("consumed_inputs", 0, 0, 0, 1, 1), number("epsilon", 0)}, []float64{1 + (1-0.5)/2, 1 + 2*(2+0.5)/3}},
		{"BatchNormalization in training", 9, "BatchNormalization", append([]*onnxgraph.Tensor{floats(dims(2, 2, 1), 1, 2, 3, 6)}, statistics()...), append(float32s(2, 2, 1), port{}, port{}, port{}, port{}),
			attrs{number("epsilon", 0)}, []float64{0, -1, 2, 3}},
		{"LpPool default power", 1, "LpPool", []*onnxgraph.Tensor{floats(dims(1, 1, 2), 3, 4)}, float32s(1, 1, 1), attrs{list("kernel_shape", 2)}, []float64{5}},
		{"LpPool power 3", 1, "LpPool", []*onnxgraph.Tensor{floats(dims(1, 1, 3), 3, 4, 5)}, float32s(1, 1, 1), attrs{number("p", 3), list("kernel_shape", 3)}, []float64{6}},
		{"Add at the last axis", 6, "Add", []*onnxgraph.Tensor{x3, floats(dims(4), 1, 2, 3, 4)}, float32s(2, 3, 4), attrs{integer("broadcast", 1), integer("axis", 2)},
			aligned(t, x3, func(x float64, i int) float64 { return x + float64(i%4+1) })},
		{"Add without broadcasting", 6, "Add", []*onnxgraph.Tensor{waves(1, 2), floats(dims(1, 2), 1, 2)}, float32s(1, 2), attrs{integer("axis", 0)},
			aligned(t, waves(1, 2), func(x float64, i int) float64 { return x + float64(i+1) })},
		{"PRelu of a matrix", 6, "PRelu", []*onnxgraph.Tensor{waves(3, 2), floats(dims(2), 0.1, 0.2)}, float32s(3, 2), nil,
			aligned(t, waves(3, 2), func(x float64, i int) float64 { return max(x, 0) + min(x, 0)*float64(i%2+1)/10 })},
		{"PRelu of a scalar", 6, "PRelu", []*onnxgraph.Tensor{x3, onnxgraph.NewScalar(float32(0.1))}, float32s(2, 3, 4), nil,
			aligned(t, x3, func(x float64, _ int) float64 { return max(x, 0) + min(x, 0)/10 })},
		{"PRelu of a full slope", 6, "PRelu", []*onnxgraph.Tensor{x3, floats(dims(3, 1), 0.1, 0.2, 0.3)}, float32s(2, 3, 4), nil,
			aligned(t, x3, func(x float64, i int) float64 { return max(x, 0) + min(x, 0)*float64(i/4%3+1)/10 })},
		{"Upsample height and width", 6, "Upsample", []*onnxgraph.Tensor{floats(dims(1, 1, 1, 2), 1, 2)}, float32s(1, 1, 3, 4), attrs{number("height_scale", 3), number("width_scale", 2), text("mode", "nearest")},
			[]float64{1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2}},
		{"Upsample bilinear", 6, "Upsample", []*onnxgraph.Tensor{floats(dims(1, 1, 1, 2), 1, 2)}, float32s(1, 1, 1, 4), attrs{number("height_scale", 1), number("width_scale", 2), text("mode", "bilinear")},
			[]float64{1, 1.5, 2, 2}},
		{"Upsample height_scale", 6, "Upsample", []*onnxgraph.Tensor{floats(dims(1, 1, 1, 2), 1, 2)}, float32s(1, 1, 2, 4), attrs{number("height_scale", 2), number("width_scale", 2)}, []float64{1, 1, 2, 2, 1, 1, 2, 2}},

		{"BatchNormalization spatial", 7, "BatchNormalization", append([]*onnxgraph.Tensor{floats(dims(1, 2, 1), 1, 2)}, statistics()...), float32s(1, 2, 1), attrs{integer("spatial", 1)}, nil},
		{"Dropout ratio", 7, "Dropout", []*onnxgraph.Tensor{x3}, float32s(2, 3, 4), attrs{number("ratio", 0.3)}, nil},
		{"Dropout unread mask", 7, "Dropout", []*onnxgraph.Tensor{x3}, append(float32s(2, 3, 4), port{}), nil, nil},
		{"Upsample nearest", 7, "Upsample", []*onnxgraph.Tensor{x4}, float32s(2, 3, 8, 15), attrs{onnxgraph.Floats("scales", 1, 1, 2, 3)}, nil},
		{"Upsample by a fraction", 7, "Upsample", []*onnxgraph.Tensor{x4}, float32s(2, 3, 6, 8), attrs{onnxgraph.Floats("scales", 1, 1, 1.5, 1.6)}, nil},
		{"Upsample linear", 7, "Upsample", []*onnxgraph.Tensor{x4}, float32s(2, 3, 8, 10), attrs{onnxgraph.Floats("scales", 1, 1, 2, 2), text("mode", "linear")}, nil},
		{"Upsample scales input", 9, "Upsample", []*onnxgraph.Tensor{x4, floats(dims(4), 1, 1, 2, 2)}, float32s(2, 3, 8, 10), nil, nil},
		{"Slice attributes", 9, "Slice", []*onnxgraph.Tensor{x3}, float32s(1, 3, 2), attrs{list("starts", 1, -3), list("ends", 2, -1), list("axes", 0, 2)}, nil},
		{"Slice without axes", 9, "Slice", []*onnxgraph.Tensor{x3}, float32s(2, 2, 4), attrs{list("starts", 0, 1), list("ends", math.MaxInt64, math.MaxInt64)}, nil},
		{"TopK k", 9, "TopK", []*onnxgraph.Tensor{x3}, append(float32s(2, 2, 4), port{onnxgraph.Int64, dims(2, 2, 4)}), attrs{integer("k", 2), integer("axis", 1)}, nil},
		{"Resize up", 10, "Resize", []*onnxgraph.Tensor{x4, floats(dims(4), 1, 1, 2, 1.7)}, float32s(2, 3, 8, 8), nil, nil},
		{"Resize one dimension up", 10, "Resize", []*onnxgraph.Tensor{x4, floats(dims(4), 1, 1, 1, 1.6)}, float32s(2, 3, 4, 8), attrs{text("mode", "nearest")}, nil},
		{"Resize down", 10, "Resize", []*onnxgraph.Tensor{x4, floats(dims(4), 1, 1, 0.75, 0.41)}, float32s(2, 3, 3, 2), attrs{text("mode", "nearest")}, nil},
		{"Resize one dimension down", 10, "Resize", []*onnxgraph.Tensor{x4, floats(dims(4), 1, 1, 1, 0.61)}, float32s(2, 3, 4, 3), nil, nil},
		{"Resize linear", 10, "Resize", []*onnxgraph.Tensor{x4, floats(dims(4), 1, 1, 0.5, 1.7)}, float32s(2, 3, 2, 8), attrs{text("mode", "linear")}, nil},
		{"Clip", 10, "Clip", []*onnxgraph.Tensor{x3}, float32s(2, 3, 4), attrs{number("min", -0.5), number("max", 1)}, nil},
		{"Clip one side", 10, "Clip", []*onnxgraph.Tensor{x3}, float32s(2, 3, 4), attrs{number("max", 1)}, nil},
		{"Pad value", 10, "Pad", []*onnxgraph.Tensor{x3}, float32s(2, 4, 6), attrs{list("pads", 0, 1, 0, 0, 0, 2), number("value", 3)}, nil},
		{"Pad zeros", 10, "Pad", []*onnxgraph.Tensor{x3}, float32s(2, 4, 6), attrs{list("pads", 0, 1, 0, 0, 0, 2), number("value", 0), text("mode", "constant")}, nil},
		{"Pad a fraction", 10, "Pad", []*onnxgraph.Tensor{x3}, float32s(2, 4, 6), attrs{list("pads", 0, 1, 0, 0, 0, 2), number("value", -0.5), text("mode", "constant")}, nil},
		{"Pad edge with a value", 10, "Pad", []*onnxgraph.Tensor{x3}, float32s(2, 5, 4), attrs{list("pads", 0, 1, 0, 0, 1, 0), number("value", 3), text("mode", "edge")}, nil},
		{"Pad crop", 10, "Pad", []*onnxgraph.Tensor{x3}, float32s(2, 3, 3), attrs{list("pads", 0, 1, -1, 0, -1, 0)}, nil},
		{"Pad reflect", 10, "Pad", []*onnxgraph.Tensor{x3}, float32s(2, 5, 4), attrs{list("pads", 0, 1, 0, 0, 1, 0), text("mode", "reflect")}, nil},
		{"Scatter", 10, "Scatter", []*onnxgraph.Tensor{waves(3), ints(2), floats(dims(1), 7)}, float32s(3), nil, nil},

		{"Softmax default", 12, "Softmax", []*onnxgraph.Tensor{x4}, float32s(2, 3, 4, 5), nil, nil},
		{"Softmax of a matrix", 12, "Softmax", []*onnxgraph.Tensor{waves(2, 3)}, float32s(2, 3), nil, nil},
		{"Softmax of all", 12, "Softmax", []*onnxgraph.Tensor{x3}, float32s(2, 3, 4), attrs{integer("axis", 0)}, nil},
		{"Softmax of the last", 12, "Softmax", []*onnxgraph.Tensor{x3}, float32s(2, 3, 4), attrs{integer("axis", -1)}, nil},
		{"LogSoftmax of the last but one", 12, "LogSoftmax", []*onnxgraph.Tensor{x4}, float32s(2, 3, 4, 5), attrs{integer("axis", -2)}, nil},
		{"LogSoftmax of channels", 12, "LogSoftmax", []*onnxgraph.Tensor{waves(2, 3, 1, 1)}, float32s(2, 3, 1, 1), nil, nil},
		{"Hardmax", 12, "Hardmax", []*onnxgraph.Tensor{x3}, float32s(2, 3, 4), nil, nil},
		{"Softmax of a flat map", 12, "Softmax", []*onnxgraph.Tensor{waves(2, 3, 2, 1)}, float32s(2, 3, 2, 1), nil, nil},
		{"Softmax of all but the last", 12, "Softmax", []*onnxgraph.Tensor{waves(2, 3, 1)}, float32s(2, 3, 1), attrs{integer("axis", -3)}, nil},
		{"ReduceSum axes", 12, "ReduceSum", []*onnxgraph.Tensor{x3}, float32s(2, 4), attrs{list("axes", 1), integer("keepdims", 0)}, nil},
		{"ReduceSum of all", 12, "ReduceSum", []*onnxgraph.Tensor{x3}, float32s(1, 1, 1), nil, nil},
		{"Squeeze axes", 12, "Squeeze", []*onnxgraph.Tensor{waves(1, 3, 1)}, float32s(1, 3), attrs{list("axes", 2)}, nil},
		{"Squeeze of all", 12, "Squeeze", []*onnxgraph.Tensor{waves(1, 3, 1)}, float32s(3), nil, nil},
		{"Unsqueeze axes", 12, "Unsqueeze", []*onnxgraph.Tensor{waves(3)}, float32s(1, 3, 1), attrs{list("axes", 0, 2)}, nil},
		{"Split sizes", 12, "Split", []*onnxgraph.Tensor{x3}, append(float32s(2, 1, 4), float32s(2, 2, 4)...), attrs{integer("axis", 1), list("split", 1, 2)}, nil},
		{"Split evenly", 12, "Split", []*onnxgraph.Tensor{x3}, append(float32s(2, 3, 2), float32s(2, 3, 2)...), attrs{integer("axis", 2)}, nil},
		{"Resize TensorFlow floor", 11, "Resize", []*onnxgraph.Tensor{x4, floats(dims(0)), floats(dims(4), 1, 1, 0.6, 1.7)}, float32s(2, 3, 2, 8),
			attrs{text("coordinate_transformation_mode", "tf_half_pixel_for_nn"), text("nearest_mode", "floor")}, nil},
		{"Resize TensorFlow round", 11, "Resize", []*onnxgraph.Tensor{x4, floats(dims(0)), floats(dims(4), 1, 1, 0.6, 1.7)}, float32s(2, 3, 2, 8),
			attrs{text("coordinate_transformation_mode", "tf_half_pixel_for_nn")}, nil},
		{"RoiAlign", 15, "RoiAlign", []*onnxgraph.Tensor{x4, floats(dims(1, 4), 0, 0, 3, 2), ints(0)}, float32s(1, 3, 2, 2),
			attrs{integer("output_height", 2), integer("output_width", 2), integer("sampling_ratio", 2)}, nil},
		{"ReduceMean axes", 17, "ReduceMean", []*onnxgraph.Tensor{x4}, float32s(2, 3, 1, 1), attrs{list("axes", 2, 3)}, nil},
		{"ReduceMax of all", 17, "ReduceMax", []*onnxgraph.Tensor{x3}, float32s(1, 1, 1), nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, feed := calling(t, c.opset, c.op, c.inputs, c.outputs, c.attrs...)
			var want tensors
			var err error
			if c.want == nil {
				want, err = run(m, feed)
			} else {
				want, err = stated(c.outputs[0], c.want)
			}
			if err != nil {
				t.Fatal(err)
			}
			for target := max(c.opset+1, 7); target <= opset.Newest; target++ {
				newer := upgradedTo(t, m, target)
				if trainsWithoutRuntime(newer) {
					continue
				}
				got, err := run(newer, feed)
				if err == nil {
					err = differ(got, want)
				}
				if err != nil {
					t.Errorf("opset %d: %v", target, err)
				}
			}
		})
	}
}

// stated returns output y0 with the given elements.
func stated(p port, data []float64) (tensors, error) {
	if p.dtype != onnxgraph.Float32 {
		whole := make([]byte, len(data)*p.dtype.Bits()/8)
		for i, v := range data {
			v := uint32(int32(v))
			for b := range p.dtype.Bits() / 8 {
				whole[i*p.dtype.Bits()/8+b] = byte(v >> (8 * b))
			}
		}
		return tensors{"y0": onnxgraph.NewRawTensor(p.dtype, p.dims, whole)}, nil
	}
	y, err := onnxgraph.FromFloat64s(p.dtype, p.dims, data)
	return tensors{"y0": y}, err
}

// statistics returns scale, bias, mean and variance of two channels.
func statistics() []*onnxgraph.Tensor {
	return []*onnxgraph.Tensor{floats(dims(2), 1, 2), floats(dims(2), 1, 1), floats(dims(2), 0.5, -0.5), floats(dims(2), 4, 9)}
}

func numbers(t *testing.T, x *onnxgraph.Tensor) []float64 {
	t.Helper()
	data, err := x.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// aligned applies f to each element of x and its index.
func aligned(t *testing.T, x *onnxgraph.Tensor, f func(x float64, i int) float64) []float64 {
	t.Helper()
	data := numbers(t, x)
	for i := range data {
		data[i] = f(data[i], i)
	}
	return data
}
