package gradient_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// TestLowerBatchNorm compares what a lowered BatchNormalization gives with what its standard says: the output, and the mean
// and the biased variance of the batch. The variance is about as small as epsilon, which so makes a difference.
func TestLowerBatchNorm(t *testing.T) {
	orttest.Init(t)
	for _, epsilon := range []float64{0, 1e-5, 1e-3} { // 0: the default of 1e-5
		const batch, channels, space = 3, 2, 4
		m := onnxgraph.New("lowered", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float64, onnxgraph.Static(batch, channels, space))
		if err != nil {
			t.Fatal(err)
		}
		scale, shift := []float64{0.5, -2}, []float64{3, 0.25}
		inputs := []*onnxgraph.Value{x, m.Graph.AddConstant("scale", constant(scale...)), m.Graph.AddConstant("shift", constant(shift...)),
			m.Graph.AddConstant("mean", constant(7, 8)), m.Graph.AddConstant("variance", constant(9, 10))}
		n := m.Graph.AddNode("BatchNormalization", inputs, integer("training_mode", 1))
		if epsilon != 0 {
			n.SetAttr(float("epsilon", float32(epsilon)))
		}
		n.Output(0).SetType(onnxgraph.Float64, onnxgraph.Static(batch, channels, space))
		y := m.Graph.AddNode("Identity", []*onnxgraph.Value{n.Output(0)}).Output(0)
		mean, variance := gradient.LowerBatchNorm(onnxgraph.NewBuilder(m.Graph), n)
		for _, v := range []*onnxgraph.Value{y, mean, variance} {
			m.Graph.AddOutput(v, onnxgraph.Undefined, nil)
		}
		session, err := open(m, ort.CPU)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		rng := rand.New(rand.NewPCG(1, 2))
		data := make([]float64, batch*channels*space)
		for i := range data {
			data[i] = 1 + 0.004*rng.NormFloat64()
		}
		got, err := session.Run(map[string]*onnxgraph.Tensor{"x": onnxgraph.NewTensor([]int64{batch, channels, space}, data)})
		if err != nil {
			t.Fatal(err)
		}
		wantY, wantMean, wantVariance := make([]float64, len(data)), make([]float64, channels), make([]float64, channels)
		channel := func(i int) int { return i / space % channels }
		for i, v := range data {
			wantMean[channel(i)] += v / (batch * space)
		}
		for i, v := range data {
			wantVariance[channel(i)] += (v - wantMean[channel(i)]) * (v - wantMean[channel(i)]) / (batch * space)
		}
		if epsilon == 0 {
			epsilon = 1e-5
		}
		for i, v := range data {
			c := channel(i)
			wantY[i] = (v-wantMean[c])/math.Sqrt(wantVariance[c]+epsilon)*scale[c] + shift[c]
		}
		for v, want := range map[*onnxgraph.Value][]float64{y: wantY, mean: wantMean, variance: wantVariance} {
			values, err := got[v.Name()].Float64s()
			if err != nil || len(values) != len(want) {
				t.Fatalf("%s: %d values, want %d (%v)", v.Name(), len(values), len(want), err)
			}
			for i := range want {
				if !(math.Abs(values[i]-want[i]) <= 1e-6*math.Abs(want[i])) {
					t.Errorf("epsilon %g: %s[%d] is %g, want %g", epsilon, v.Name(), i, values[i], want[i])
				}
			}
		}
	}
}
