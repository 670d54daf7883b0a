package gradient_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// TestKinks compares derivatives where there is no one derivative with those that PyTorch takes there; the numbers are
// what PyTorch 1.13 gave.
func TestKinks(t *testing.T) {
	orttest.Init(t)
	scalar := func(v float64) *input {
		return &input{constant: onnxgraph.NewTensor([]int64{1}, []float32{float32(v)})}
	}
	cases := []struct {
		name string
		gradientCase
		at, want []float64 // of the first input
	}{
		{"relu", gradientCase{op: "Relu"}, []float64{0}, []float64{0}},
		{"leaky_relu", gradientCase{op: "LeakyRelu", attrs: attrs(float("alpha", 0.25))}, []float64{0}, []float64{0.25}},
		{"prelu", gradientCase{op: "PRelu", inputs: []*input{scalar(0.25)}}, []float64{0}, []float64{0.25}},
		{"relu6", gradientCase{op: "Clip", inputs: []*input{scalar(0), scalar(6)}}, []float64{-1, 0, 6, 7}, []float64{0, 0, 0, 0}},
		{"elu", gradientCase{op: "Elu", attrs: attrs(float("alpha", 0.25))}, []float64{0}, []float64{0.25}},
		{"celu", gradientCase{op: "Celu", attrs: attrs(float("alpha", 0.25))}, []float64{0}, []float64{1}},
		{"hardsigmoid", gradientCase{op: "HardSigmoid", attrs: attrs(float("alpha", 0.25))}, []float64{-2, 2}, []float64{0, 0}},
		{"hardswish", gradientCase{op: "HardSwish"}, []float64{-3, 3}, []float64{-0.5, 1.5}},
		{"threshold", gradientCase{op: "ThresholdedRelu"}, []float64{1}, []float64{0}},
		{"abs", gradientCase{op: "Abs"}, []float64{0}, []float64{0}},
		{"pow", gradientCase{op: "Pow", inputs: []*input{scalar(2)}}, []float64{0}, []float64{0}},
		{"maximum", gradientCase{op: "Max", inputs: []*input{scalar(1)}}, []float64{1, 2}, []float64{0.5, 1}},
		{"minimum", gradientCase{op: "Min", inputs: []*input{scalar(1)}}, []float64{1, 2}, []float64{0.5, 0}},
		{"amax", gradientCase{op: "ReduceMax"}, []float64{2, 2, 1}, []float64{0.5, 0.5, 0}},
		{"norm", gradientCase{op: "ReduceL2"}, []float64{0, 0}, []float64{0, 0}},
		{"norm of p = 1", gradientCase{op: "ReduceL1"}, []float64{0, 3}, []float64{0, 1}},
		{"max_pool", gradientCase{op: "MaxPool", attrs: attrs(list("kernel_shape", 3, 1))}, []float64{1, 2, 2}, []float64{0, 1, 0}},
		{"adaptive_max_pool", gradientCase{op: "GlobalMaxPool"}, []float64{1, 2, 2}, []float64{0, 1, 0}},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			n := int64(len(c.at))
			shape := []int64{1, 1, n, 1}
			c.inputs = append([]*input{x(shape...)}, c.inputs...)
			feeds := map[string]*onnxgraph.Tensor{"x0": tensor(onnxgraph.Float32, shape, c.at)}
			forward, differentiated, err := c.models(orttest.Provider(t), onnxgraph.Float32, feeds)
			if err != nil {
				t.Fatal(err)
			}
			defer forward.Close()
			defer differentiated.Close()
			out, err := forward.Run(feeds)
			if err != nil {
				t.Fatal(err)
			}
			results, err := differentiated.Run(feeds)
			if err != nil {
				t.Fatal(err)
			}
			got, err := results["d_x0"].Float64s()
			if err != nil {
				t.Fatal(err)
			}
			var want []float64
			for name, y := range out {
				weights := lossWeights(name, int(y.Len()))
				for i, w := range c.want {
					want = append(want, float64(float32(w*float64(float32(weights[i%len(weights)])))))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
