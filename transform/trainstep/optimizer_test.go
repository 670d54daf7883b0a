package trainstep_test

import (
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// update is a naive optimizer: it changes w by its gradient g in step t, counted from 1.
type update func(w, g []float64, rate float64, t int)

func naiveSGD(o trainstep.SGD) update {
	var m []float64
	return func(w, g []float64, rate float64, t int) {
		if m == nil {
			m = make([]float64, len(w))
		}
		for i := range w {
			d := g[i] + o.WeightDecay*w[i]
			m[i] = o.Momentum*m[i] + d
			if o.Nesterov {
				d += o.Momentum * m[i]
			} else {
				d = m[i]
			}
			w[i] -= rate * d
		}
	}
}

func naiveAdamW(o trainstep.AdamW) update {
	var m, v []float64
	return func(w, g []float64, rate float64, t int) {
		if m == nil {
			m, v = make([]float64, len(w)), make([]float64, len(w))
		}
		for i := range w {
			w[i] *= 1 - rate*o.WeightDecay
			m[i] = o.Beta1*m[i] + (1-o.Beta1)*g[i]
			v[i] = o.Beta2*v[i] + (1-o.Beta2)*g[i]*g[i]
			first, second := m[i]/(1-math.Pow(o.Beta1, float64(t))), v[i]/(1-math.Pow(o.Beta2, float64(t)))
			w[i] -= rate * first / (math.Sqrt(second) + o.Epsilon)
		}
	}
}

// clipped bounds the norm of the gradient first.
func clipped(bound float64, u update) update {
	return func(w, g []float64, rate float64, t int) {
		squares := 0.0
		for _, v := range g {
			squares += v * v
		}
		if norm := math.Sqrt(squares); norm > bound {
			for i := range g {
				g[i] *= bound / (norm + 1e-6)
			}
		}
		u(w, g, rate, t)
	}
}

// TestOptimizers compares three steps at changing rates with the formulas, for the step's own gradients.
func TestOptimizers(t *testing.T) {
	cases := []struct {
		name      string
		optimizer trainstep.Optimizer
		clip      float64
		naive     update
	}{
		{"sgd", trainstep.SGD{}, 0, naiveSGD(trainstep.SGD{})},
		{"momentum", trainstep.SGD{Momentum: 0.9}, 0, naiveSGD(trainstep.SGD{Momentum: 0.9})},
		{"nesterov", trainstep.SGD{Momentum: 0.8, Nesterov: true}, 0, naiveSGD(trainstep.SGD{Momentum: 0.8, Nesterov: true})},
		{"weight decay", trainstep.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.05}, 0,
			naiveSGD(trainstep.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.05})},
		{"decay alone", trainstep.SGD{WeightDecay: 0.05}, 0, naiveSGD(trainstep.SGD{WeightDecay: 0.05})},
		{"clip", trainstep.SGD{Momentum: 0.9}, 0.1, clipped(0.1, naiveSGD(trainstep.SGD{Momentum: 0.9}))},
		{"clip with decay", trainstep.SGD{WeightDecay: 0.05}, 0.1, clipped(0.1, naiveSGD(trainstep.SGD{WeightDecay: 0.05}))},
		{"clip far away", trainstep.SGD{}, 1e6, naiveSGD(trainstep.SGD{})},
		{"adamw", trainstep.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3}, 0, naiveAdamW(trainstep.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3})},
		{"adamw with decay", trainstep.AdamW{Beta1: 0.7, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.1}, 0,
			naiveAdamW(trainstep.AdamW{Beta1: 0.7, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.1})},
	}
	n := residualNet(t)
	plain := newRunner(t, n.model, n.shape, trainstep.Options{Trained: residualNames, Optimizer: trainstep.SGD{}})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRunner(t, n.model, n.shape, trainstep.Options{Trained: residualNames, Optimizer: c.optimizer, ClipNorm: c.clip})
			w := widen(r.state(trainstep.ParametersSlot))
			for i, rate := range []float32{0.1, 0.05, 0.2} {
				images, labels := n.data(classes)
				plain.setState(trainstep.ParametersSlot, r.state(trainstep.ParametersSlot))
				_, gradient := plain.gradient(images, labels)
				c.naive(w, gradient, float64(rate), i+1)
				r.run(images, labels, rate)
				near(t, "parameters", r.state(trainstep.ParametersSlot), w, 2e-6)
			}
		})
	}
}
