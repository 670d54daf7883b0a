package rcfreeze

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestTellTrained has one of each kind of thing that does not train, or not as one may think.
func TestTellTrained(t *testing.T) {
	m := onnxgraph.New("net", 8, 18)
	g := m.Graph
	x, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 4, 6, 6))
	if err != nil {
		t.Fatal(err)
	}
	type values = []*onnxgraph.Value
	op := func(opType string, inputs values, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
		return g.AddNode(opType, inputs, attrs...).Output(0)
	}
	vector := func(name string, first float32) *onnxgraph.Value {
		return g.AddConstant(name, onnxgraph.NewTensor([]int64{4}, []float32{first, 1, 2, 3}))
	}
	norm := func(name string, momentum float32, y *onnxgraph.Value) *onnxgraph.Value {
		n := g.AddNode("BatchNormalization", values{y, vector(name+".scale", 1), vector(name+".shift", 2), vector(name+".mean", 3), vector(name+".var", 4)},
			onnxgraph.Float("momentum", momentum))
		n.Rename(name)
		return n.Output(0)
	}
	y := op("Sub", values{x, g.AddConstant("pixel_mean", onnxgraph.NewTensor([]int64{4, 1, 1}, []float32{0.1, 0.2, 0.3, 0.4}))})
	half := g.AddConstant("half_weight", onnxgraph.NewRawTensor(onnxgraph.Float16, []int64{4, 4, 1, 1}, make([]byte, 32)))
	y = op("Conv", values{y, op("Cast", values{half}, onnxgraph.Int("to", int64(onnxgraph.Float32)))})
	y = norm("stuck", 1, norm("forgetful", 0, norm("usual", 0.9, y)))
	integers := g.AddConstant("integers", onnxgraph.NewTensor([]int64{4, 4, 1, 1}, make([]int8, 16)))
	y = op("Conv", values{y, op("DequantizeLinear", values{integers, g.AddConstant("step", onnxgraph.NewScalar(float32(0.01)))})})
	g.AddOutput(op("Mul", values{y, g.AddConstant("factor", onnxgraph.NewScalar(float32(0.5)))}), onnxgraph.Float32, nil)

	for _, c := range []struct {
		recipe  train.Recipe
		want    []string
		without []string
	}{
		{train.Recipe{BatchNorm: train.BatchNormTrain}, []string{
			"trains: half_weight [4 4 1 1]\n", "trains: usual.scale [4]\n",
			"rounded at the end to the type that they have in the file: half_weight (float16)\n",
			"these weights are quantized, and stay as they are: integers; to train them, train the floating-point model",
			"and stay as they are: pixel_mean, factor; --train NAME trains one\n",
			"do not move, since their momentum is 1: stuck; --batchnorm recalibrate",
			"those of the last batch, since their momentum is 0: forgetful; --batchnorm recalibrate",
		}, []string{": usual\n", "trains: factor"}},
		{train.Recipe{BatchNorm: train.BatchNormEval, Train: []string{"fac*"}, Freeze: []string{"half*"}}, []string{
			"trains: factor []\n", "stay as they are: pixel_mean; --train",
		}, []string{"pixel_mean, factor", "half_weight", "momentum"}},
	} {
		if err := c.recipe.Select(m, parameter.Baseline); err != nil {
			t.Fatal(err)
		}
		var talk bytes.Buffer
		if err := reporterTo(&talk, true).tellTrained(m, c.recipe); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(talk.String(), want) {
				t.Errorf("got\n%s, want it to say %q", &talk, want)
			}
		}
		for _, without := range c.without {
			if strings.Contains(talk.String(), without) {
				t.Errorf("got\n%s, want it not to speak of %q", &talk, without)
			}
		}
	}
}
