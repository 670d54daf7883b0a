package transformtest

import (
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// ResNet returns the smallest network for square images of the given number of channels and side that has what residual networks
// have: two convolutions, conv1 and conv2, each with its normalization, norm1 and norm2, a shortcut past the second, and the linear
// layer fc. Its input is called image.
func ResNet(t *testing.T, channels, side, classes int64) *onnxgraph.Model {
	t.Helper()
	const filters = 4
	m := onnxgraph.New("resnet", 8, 18)
	image, err := m.Graph.AddInput("image", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1, Param: "N"}}, onnxgraph.Static(channels, side, side)...))
	if err != nil {
		t.Fatal(err)
	}
	b := &Builder{G: m.Graph}
	filled := func(name string, number float32, size int64) *onnxgraph.Value {
		return b.G.AddConstant(name, onnxgraph.NewTensor([]int64{size}, slices.Repeat([]float32{number}, int(size))))
	}
	weight := func(name string, dims ...int64) *onnxgraph.Value { // uniform, as PyTorch draws it
		v := b.Constant(name, dims...)
		data, err := v.Constant().Float32s()
		if err != nil {
			t.Fatal(err)
		}
		bound := 1 / math.Sqrt(float64(onnxgraph.ElementCount(dims[1:])))
		for i := range data {
			data[i] *= float32(bound)
		}
		v.SetConstant(onnxgraph.NewTensor(dims, data))
		return v
	}
	layer := func(x *onnxgraph.Value, number string, from int64) *onnxgraph.Value {
		norm := "norm" + number
		y := b.Op("Conv", x, weight("conv"+number+".weight", filters, from, 3, 3), onnxgraph.Ints("pads", 1, 1, 1, 1))
		return b.Op("BatchNormalization", y, filled(norm+".weight", 1, filters), filled(norm+".bias", 0, filters),
			filled(norm+".running_mean", 0, filters), filled(norm+".running_var", 1, filters))
	}
	x := b.Op("Relu", layer(image, "1", channels))
	x = b.Op("Relu", b.Op("Add", layer(x, "2", filters), x))
	x = b.Op("Flatten", b.Op("GlobalAveragePool", x))
	y := b.Op("Gemm", x, weight("fc.weight", classes, filters), filled("fc.bias", 0, classes), onnxgraph.Int("transB", 1))
	m.Graph.AddOutput(y, onnxgraph.Float32, nil)
	return m
}
