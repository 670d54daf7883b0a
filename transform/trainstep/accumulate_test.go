package trainstep_test

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestAccumulate makes updates by two or three small batches, and by one as large as these together: loss, parameters and
// what the optimizer keeps must be the same but for rounding, and must not change before the last of the small ones.
func TestAccumulate(t *testing.T) {
	const small = 2
	n := newNet(t, small, 3, 6, 6)
	x := n.op("Conv", []*onnxgraph.Value{n.image, n.trainable("conv", 0, 0.3, 8, 3, 3, 3)})
	x = n.op("GlobalAveragePool", []*onnxgraph.Value{n.op("Relu", []*onnxgraph.Value{x})})
	n.output(n.op("Gemm", []*onnxgraph.Value{n.op("Flatten", []*onnxgraph.Value{x}), n.trainable("fc", 0, 1, 8, classes), n.trainable("bias", 0, 1, classes)}))
	adam := []string{"step.count", "step.first_moment", "step.second_moment"}
	for _, c := range []struct {
		name      string
		optimizer trainstep.Optimizer
		clip      float64
		slots     []string
	}{
		{"sgd", trainstep.SGD{}, 0, nil},
		{"momentum", trainstep.SGD{Momentum: 0.9, WeightDecay: 0.05}, 0, []string{"step.momentum"}},
		{"nesterov", trainstep.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.05}, 0, []string{"step.momentum"}},
		{"clip", trainstep.SGD{Momentum: 0.9}, 0.05, []string{"step.momentum"}},
		{"adamw", trainstep.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3, WeightDecay: 0.1}, 0, adam},
		{"adamw with clip", trainstep.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3}, 0.05, adam},
	} {
		t.Run(c.name, func(t *testing.T) {
			slots := append([]string{trainstep.ParametersSlot}, c.slots...)
			o := trainstep.Options{Trained: []string{"conv", "fc", "bias"}, LabelSmoothing: 0.1, Optimizer: c.optimizer, ClipNorm: c.clip}
			large := map[int]*runner{}
			for _, steps := range []int{2, 3} {
				large[steps] = newRunner(t, n.model, []int64{small * int64(steps), 3, 6, 6}, o)
			}
			o.Accumulate = true
			r := newRunner(t, n.model, n.shape, o)
			for _, steps := range []int{3, 2, 3} {
				var images []float32
				var labels []int64
				before := map[string][]float32{}
				for _, slot := range slots {
					before[slot] = slices.Clone(r.state(slot))
					large[steps].setState(slot, before[slot])
				}
				loss := 0.0
				for i := range steps {
					for _, slot := range slots {
						if !slices.Equal(r.state(slot), before[slot]) {
							t.Errorf("%s changed before the last of %d steps", slot, steps)
						}
					}
					x, y := n.data(classes)
					images, labels = append(images, x...), append(labels, y...)
					share := float32(0)
					if i == steps-1 {
						share = 1 / float32(steps)
					}
					fill(r, trainstep.UpdateInput, []float32{share})
					loss += r.run(x, y, 0.1) / float64(steps)
				}
				want := large[steps].run(images, labels, 0.1)
				near(t, "loss", []float64{loss}, []float64{want}, 1e-6)
				for _, slot := range slots {
					near(t, slot, r.state(slot), large[steps].state(slot), 2e-5)
				}
			}
		})
	}
}
