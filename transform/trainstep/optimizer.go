package trainstep

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Optimizer is the rule by which a step updates the parameters from their gradient: SGD or AdamW. There are no others, because
// the methods of the interface are unexported.
type Optimizer interface {
	// update emits the update of the vector of all parameters, and returns the new parameters.
	update(b *builder, parameters, gradient, learningRate *onnxgraph.Value) (*onnxgraph.Value, error)
	// isLinear reports whether the new parameters and the optimizer's state are linear in parameters and gradients.
	isLinear() bool
}

// SGD is stochastic gradient descent, without momentum if that is 0, computed as in PyTorch: with g = gradient + decay·w,
//
//	m = momentum·m + g;  w = w - rate·m, or with Nesterov w = w - rate·(g + momentum·m)
type SGD struct {
	Momentum    float64 // the factor of the last change, 0 for none
	Nesterov    bool    // Nesterov's form of momentum
	WeightDecay float64 // the factor decay, for all parameters alike; 0 for none
}

func (SGD) isLinear() bool { return true }

func (o SGD) update(b *builder, w, g, rate *onnxgraph.Value) (*onnxgraph.Value, error) {
	if o.WeightDecay != 0 {
		g = b.add(g, b.scale(w, o.WeightDecay))
	}
	if o.Momentum != 0 {
		m, err := b.slot("step.momentum", b.zeros(w))
		if err != nil {
			return nil, err
		}
		moved := b.add(b.scale(m, o.Momentum), g)
		if o.Nesterov {
			g = b.add(g, b.scale(moved, o.Momentum))
		} else {
			g = moved
		}
		if err := b.renew(m, moved); err != nil {
			return nil, err
		}
	}
	return b.sub(w, b.mul(g, rate)), nil
}

// AdamW is Adam with decoupled weight decay (Loshchilov & Hutter 2019), computed as in PyTorch:
//
//	w = w·(1 - rate·decay);  m = β1·m + (1-β1)·g;  v = β2·v + (1-β2)·g²
//	w = w - rate·(m/(1-β1^t)) / (sqrt(v/(1-β2^t)) + ε)
type AdamW struct {
	Beta1, Beta2, Epsilon float64 // β1, β2 and ε; there are no defaults: PyTorch's are 0.9, 0.999 and 1e-8
	WeightDecay           float64 // the factor decay, for all parameters alike; 0 for none
}

func (AdamW) isLinear() bool { return false }

func (o AdamW) update(b *builder, w, g, rate *onnxgraph.Value) (*onnxgraph.Value, error) {
	step, err := b.slot("step.count", []float32{0})
	if err != nil {
		return nil, err
	}
	count := b.add(step, b.num(1))
	if err := b.renew(step, count); err != nil {
		return nil, err
	}
	first, err := b.average("step.first_moment", w, g, o.Beta1)
	if err != nil {
		return nil, err
	}
	second, err := b.average("step.second_moment", w, b.mul(g, g), o.Beta2)
	if err != nil {
		return nil, err
	}
	unbias := func(moment *onnxgraph.Value, beta float64) *onnxgraph.Value {
		return b.div(moment, b.sub(b.num(1), b.binary("Pow", b.num(beta), count)))
	}
	deviation := b.Op("Sqrt", []*onnxgraph.Value{unbias(second, o.Beta2)})
	change := b.div(unbias(first, o.Beta1), b.add(deviation, b.num(o.Epsilon)))
	if o.WeightDecay != 0 {
		change = b.add(change, b.scale(w, o.WeightDecay))
	}
	return b.sub(w, b.mul(change, rate)), nil
}

// average moves a slot towards v: slot = beta·slot + (1 - beta)·v.
func (b *builder) average(name string, like, v *onnxgraph.Value, beta float64) (*onnxgraph.Value, error) {
	s, err := b.slot(name, b.zeros(like))
	if err != nil {
		return nil, err
	}
	moved := b.add(b.scale(s, beta), b.scale(v, 1-beta))
	return moved, b.renew(s, moved)
}

func (b *builder) zeros(like *onnxgraph.Value) []float32 {
	shape, _ := like.StaticShape()
	return make([]float32, shape[0])
}

// optimizer accumulates and clips the gradient, and emits the update of the parameters.
func (b *builder) optimizer(parameters, gradient *onnxgraph.Value) error {
	rate, err := b.Graph.AddInput(LearningRateInput, onnxgraph.Float32, onnxgraph.Static(1))
	if err != nil {
		return err
	}
	if b.Accumulate {
		if gradient, err = b.accumulate(parameters, gradient); err != nil {
			return err
		}
	}
	if b.ClipNorm > 0 {
		gradient = b.clip(gradient)
	}
	updated, err := b.Optimizer.update(b, parameters, gradient, rate)
	if err != nil {
		return err
	}
	return b.renew(parameters, updated)
}

// clip multiplies the gradient by bound/(norm + 1e-6) if its norm is above the bound, like PyTorch's clip_grad_norm_.
func (b *builder) clip(gradient *onnxgraph.Value) *onnxgraph.Value {
	norm := b.Op("ReduceL2", []*onnxgraph.Value{gradient, b.Ints(0)}, onnxgraph.Int("keepdims", 1))
	factor := b.div(b.num(b.ClipNorm), b.add(norm, b.num(1e-6)))
	return b.mul(gradient, b.binary("Min", factor, b.num(1)))
}
