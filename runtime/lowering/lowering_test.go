package lowering_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/internal/blocked"
	"github.com/rcfreeze/rcfreeze/runtime/lowering"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestLoweredSteps makes one training step in portable form, in blocked form, and in the form for CUDA, all on the CPU, on five
// batches. The losses agree within 1e-5. What the step leaves behind agrees within 1e-4 of its largest change on three of the
// batches, and within 5e-2 on each: where an activation is 0 but for rounding, two forms take it for one side or the other.
func TestLoweredSteps(t *testing.T) {
	orttest.Init(t)
	if b, err := lowering.BlockSize(); err != nil {
		t.Fatal(err)
	} else if b == 0 {
		t.Skip("this processor has no blocked operators")
	}
	const size, images = 32, 3
	for _, c := range []struct {
		name         string
		architecture string
		options      architecture.Options
		blocks       *transform.Options
	}{
		{"residual", "cifar-resnet", architecture.Options{Depth: 8, Width: 16}, nil},
		{"narrow", "cifar-resnet", architecture.Options{Depth: 8, Width: 4}, nil},
		{"pooling", "vgg", architecture.Options{Width: 16}, nil},
		{"two-conv blocks", "cifar-resnet", architecture.Options{Depth: 8, Width: 16}, &transform.Options{Pointwise: transform.Random}},
		{"folded blocks", "cifar-resnet", architecture.Options{Depth: 8, Width: 16}, &transform.Options{Pointwise: transform.Random, Expansion: 3}},
		{"depthwise blocks", "cifar-resnet", architecture.Options{Depth: 8, Width: 16}, &transform.Options{Pointwise: transform.Random, Layout: transform.Depthwise, Expansion: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Classes, c.options.Channels, c.options.ImageHeight, c.options.ImageWidth = 5, 3, size, size
			m, err := architecture.New(c.architecture, c.options)
			if err != nil {
				t.Fatal(err)
			}
			variant := parameter.Baseline
			if c.blocks != nil {
				variant = parameter.Frozen
				if _, err := transform.Convert(m, *c.blocks); err != nil {
					t.Fatal(err)
				}
			}
			trained, err := variant.Trained(m)
			if err != nil {
				t.Fatal(err)
			}
			build := func() *trainstep.Step {
				fitted, image, err := specialize.Fit(m, []int64{images, 3, size, size})
				if err != nil {
					t.Fatal(err)
				}
				step, err := trainstep.Build(fitted, image, trainstep.Options{Trained: trained, Optimizer: trainstep.SGD{Momentum: 0.9}})
				if err != nil {
					t.Fatal(err)
				}
				return step
			}
			portable, lowered := build(), build()
			if _, err := lowering.Lower(lowered.Model, lowered.Convolutions, ort.Options{}); err != nil {
				t.Fatal(err)
			}
			named := 0
			for _, n := range lowered.Model.Graph.Nodes() {
				if n.Domain() == blocked.Domain && n.OpType() == "Conv" {
					named++
				}
			}
			if named == 0 && c.name != "narrow" {
				t.Error("no convolution was lowered")
			}
			t.Logf("%d nodes, lowered %d with %d blocked convolutions", len(portable.Model.Graph.Nodes()), len(lowered.Model.Graph.Nodes()), named)
			sameSteps(t, portable, lowered)
			forCUDA := build()
			if _, err := lowering.Lower(forCUDA.Model, forCUDA.Convolutions, ort.Options{Provider: ort.CUDA}); err != nil {
				t.Fatal(err)
			}
			if before, after := len(portable.Model.Graph.Nodes()), len(forCUDA.Model.Graph.Nodes()); after == before {
				t.Errorf("nothing was lowered for CUDA: %d nodes before and after", after)
			}
			sameSteps(t, portable, forCUDA)
		})
	}
}

// sameSteps runs two training steps of the same states on five batches.
func sameSteps(t *testing.T, portable, lowered *trainstep.Step) {
	t.Helper()
	reference, candidate := newStepRunner(t, portable), newStepRunner(t, lowered)
	apart := map[string][]float64{}
	for seed := range uint64(5) {
		want, got := reference.after(seed), candidate.after(seed)
		if d := difference(got[trainstep.LossOutput], want[trainstep.LossOutput], nil); !(d < 1e-5) {
			t.Errorf("the loss differs by %g of it", d)
		}
		for _, s := range portable.State {
			initial, err := s.Initial.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			apart[s.Output] = append(apart[s.Output], difference(got[s.Output], want[s.Output], initial))
		}
	}
	for name, d := range apart {
		if slices.Sort(d); !(d[2] < 1e-4) || !(d[4] < 5e-2) {
			t.Errorf("%s differs by %.2g of its largest change", name, d)
		}
		t.Logf("%s differs by %.2g of its largest change", name, d)
	}
}

// stepRunner makes training steps, all from the initial state.
type stepRunner struct {
	t       *testing.T
	step    *trainstep.Step
	session *ort.Session
}

func newStepRunner(t *testing.T, step *trainstep.Step) *stepRunner {
	t.Helper()
	data, err := step.Model.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return &stepRunner{t, step, session}
}

// after returns every output of the step on images that are drawn from the seed.
func (r *stepRunner) after(seed uint64) map[string][]float32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	inputs := map[string]*onnxgraph.Tensor{}
	for _, s := range r.step.State {
		inputs[s.Input] = s.Initial
	}
	for _, port := range r.session.Inputs() {
		switch port.Name {
		case r.step.Image:
			pixels := make([]float32, port.Shape[0]*port.Shape[1]*port.Shape[2]*port.Shape[3])
			for i := range pixels {
				pixels[i] = float32(rng.NormFloat64())
			}
			inputs[port.Name] = onnxgraph.NewTensor(port.Shape, pixels)
		case trainstep.LabelsInput:
			labels := make([]int64, port.Shape[0])
			for i := range labels {
				labels[i] = rng.Int64N(5)
			}
			inputs[port.Name] = onnxgraph.NewTensor(port.Shape, labels)
		case trainstep.LearningRateInput:
			inputs[port.Name] = onnxgraph.NewTensor(port.Shape, []float32{0.1})
		}
	}
	out, err := r.session.Run(inputs)
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string][]float32{}
	for name, v := range out {
		if all[name], err = v.Float32s(); err != nil {
			r.t.Fatal(err)
		}
	}
	return all
}

// difference is the largest one of got and want, relative to the largest change from initial, or to the largest number if that
// is nil.
func difference(got, want, initial []float32) float64 {
	var largest, apart float32
	for i, w := range want {
		from := float32(0)
		if initial != nil {
			from = initial[i]
		}
		largest = max(largest, w-from, from-w)
		apart = max(apart, got[i]-w, w-got[i])
	}
	return float64(apart / largest)
}
