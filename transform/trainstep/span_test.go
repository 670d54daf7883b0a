package trainstep_test

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestCoordinates makes updates of a net that trains by coordinates, and of the same as two convolutions, past which the gradient
// takes shortcuts: what they lead to must be the same but for rounding, also for what trains beside the coordinates. Where coordinates would not do, there are none.
func TestCoordinates(t *testing.T) {
	decay := trainstep.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.5}
	cases := []struct {
		name      string
		expansion int
		options   trainstep.Options
		has       bool
	}{
		{"plain", 32, trainstep.Options{Optimizer: trainstep.SGD{}}, true},
		{"decay alone", 32, trainstep.Options{Optimizer: trainstep.SGD{WeightDecay: 0.5}}, true},
		{"momentum", 32, trainstep.Options{Optimizer: trainstep.SGD{Momentum: 0.9}}, true},
		{"nesterov and decay", 32, trainstep.Options{Optimizer: decay}, true},
		{"accumulated", 32, trainstep.Options{Optimizer: decay, Accumulate: true}, true},
		{"one bank filter per filter", 1, trainstep.Options{Optimizer: decay}, false},
		{"fewer combined than coordinates", 4, trainstep.Options{Optimizer: decay}, false},
		{"clipped", 32, trainstep.Options{Optimizer: decay, ClipNorm: 0.01}, false},
		{"adamw", 32, trainstep.Options{Optimizer: trainstep.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-2}}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := spanNet(t, c.expansion)
			trained, err := parameter.Frozen.Trained(m)
			if err != nil {
				t.Fatal(err)
			}
			c.options.Trained = trained
			data := newNet(t, 4, 3, 8, 8)
			var runners []*runner
			for _, form := range []trainstep.BlockForm{trainstep.TwoConv, trainstep.Merged} {
				c.options.BlockForm = form
				runners = append(runners, newRunner(t, m, data.shape, c.options))
			}
			all, state := len(runners[1].trained()), len(runners[1].state(trainstep.ParametersSlot))
			if (state < all/2) != c.has {
				t.Errorf("the state has %d numbers of what trains, which are %d", state, all)
			}
			first := slices.Clone(runners[0].trained())
			for i := range 6 {
				images, labels := data.data(10)
				for _, r := range runners {
					if c.options.Accumulate {
						fill(r, trainstep.UpdateInput, []float32{float32(i%2) / 2})
					}
					r.run(images, labels, 0.1)
				}
			}
			two, merged := moved(runners[0].trained(), first), moved(runners[1].trained(), first)
			for _, s := range runners[1].step.Parameters {
				near(t, s.Name, piece(t, runners[1].step.Parameters, merged, s.Name), piece(t, runners[0].step.Parameters, two, s.Name), 2e-3)
			}
		})
	}
}

// spanNet is a small residual network of frozen blocks with norms and a head that train, too.
func spanNet(t *testing.T, expansion int) *onnxgraph.Model {
	t.Helper()
	m := transformtest.ResNet(t, 3, 8, 10)
	if _, err := transform.Convert(m, transform.Options{Expansion: expansion, Pointwise: transform.Random}); err != nil {
		t.Fatal(err)
	}
	return m
}

func moved(now, first []float32) []float32 {
	by := make([]float32, len(now))
	for i := range now {
		by[i] = now[i] - first[i]
	}
	return by
}
