package gradient_test

import (
	"math"
	"math/rand/v2"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func awayFrom(kinks ...float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		for {
			v := 3 * r.NormFloat64()
			near := false
			for _, k := range kinks {
				near = near || math.Abs(v-k) < 0.1
			}
			if !near {
				return v
			}
		}
	}
}

func activationCases() []gradientCase {
	on := func(op, name string, in *input, a ...onnxgraph.Attribute) gradientCase {
		return gradientCase{name: name, op: op, inputs: []*input{in}, attrs: a}
	}
	smooth := func() *input { return x(4, 5).from(awayFrom()) }
	kink := func(k ...float64) *input { return x(4, 5).from(awayFrom(k...)) }
	newer := func(c gradientCase) gradientCase { c.opset = 20; return c }
	return []gradientCase{
		on("Sin", "any", smooth()),
		on("Cos", "any", smooth()),
		on("Erf", "any", x(4, 5)),
		on("Elu", "default", kink(0)),
		on("Elu", "alpha", kink(0), float("alpha", 0.3)),
		on("Selu", "default", kink(0)),
		on("Selu", "alpha, gamma", kink(0), float("alpha", 0.3), float("gamma", 2)),
		on("Celu", "default", smooth()),
		on("Celu", "alpha", kink(0), float("alpha", 0.3)),
		newer(on("Gelu", "exact", smooth())),
		newer(on("Gelu", "tanh", smooth(), str("approximate", "tanh"))),
		on("Mish", "any", smooth()),
		on("HardSigmoid", "default", kink(-2.5, 2.5)),
		on("HardSigmoid", "PyTorch's", kink(-3, 3), float("alpha", 1.0/6), float("beta", 0.5)),
		on("HardSwish", "any", kink(-3, 3)),
		on("Softplus", "any", smooth()),
		on("Softsign", "any", smooth()),
		on("ThresholdedRelu", "default", kink(1)),
		on("ThresholdedRelu", "alpha", kink(-0.5), float("alpha", -0.5)),
		{name: "per channel", op: "PRelu", inputs: []*input{x(2, 3, 4).from(apart), x(3, 1)}},
		{name: "single", op: "PRelu", inputs: []*input{x(2, 3, 4).from(apart), x(1)}},
		{name: "per element", op: "PRelu", inputs: []*input{x(2, 3).from(apart), x(2, 3)}},
		{name: "lower bound", op: "Clip", inputs: []*input{x(4, 5), {constant: onnxgraph.NewScalar(-0.5)}}},
		{name: "upper bound", op: "Clip", inputs: []*input{x(4, 5), nil, {constant: onnxgraph.NewScalar(0.5)}}},
	}
}
