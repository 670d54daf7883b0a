package trainstep_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

const (
	classes = 5
	epsilon = 1e-3
)

// residualNames are the parameters of residualNet that can train.
var residualNames = []string{"w1", "n1.scale", "n1.shift", "w2", "n2.scale", "n2.shift", "b3", "w3", "fc", "fc.bias"}

// residualNet is a net with normalization, a value that two nodes read, a stride, and both kinds of pooling.
func residualNet(t *testing.T) *net {
	n := newNet(t, 4, 3, 8, 8)
	pads, eps := onnxgraph.Ints("pads", 1, 1, 1, 1), onnxgraph.Float("epsilon", epsilon)
	conv := func(x *onnxgraph.Value, name string, out, in int64, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
		return n.op("Conv", []*onnxgraph.Value{x, n.trainable(name, 0, 0.3, out, in, 3, 3)}, append(attrs, pads)...)
	}
	one := func(v *onnxgraph.Value) []*onnxgraph.Value { return []*onnxgraph.Value{v} }

	first := n.op("Relu", one(n.norm("n1", conv(n.image, "w1", 4, 3), 4, eps, onnxgraph.Float("momentum", 0.8))))
	second := n.norm("n2", conv(first, "w2", 4, 4), 4, eps)
	joined := n.op("Relu", one(n.op("Add", []*onnxgraph.Value{second, first})))
	third := n.op("Conv", []*onnxgraph.Value{joined, n.trainable("w3", 0, 0.3, 6, 4, 3, 3), n.trainable("b3", 0, 0.3, 6)},
		pads, onnxgraph.Ints("strides", 2, 2))
	pooled := n.op("MaxPool", one(n.op("Relu", one(third))), onnxgraph.Ints("kernel_shape", 2, 2), onnxgraph.Ints("strides", 2, 2))
	flat := n.op("Flatten", one(n.op("GlobalAveragePool", one(pooled))))
	n.output(n.op("Gemm", []*onnxgraph.Value{flat, n.trainable("fc", 0, 0.5, classes, 6), n.trainable("fc.bias", 0, 0.5, classes)},
		onnxgraph.Int("transB", 1)))
	return n
}

// residualReference computes the loss of residualNet in float64. Norms use the statistics that are given,
// or, where there are none, those of the batch. It returns those of the batch, too.
func residualReference(p map[string][]float64, images []float64, labels []int64, smoothing float64, given map[string][]float64) (loss float64, measured map[string][]float64) {
	measured = map[string][]float64{}
	norm := func(x maps, name string) maps {
		mean, variance := x.statistics()
		measured[name+".mean"], measured[name+".var"] = mean, variance
		if given[name+".mean"] != nil {
			mean, variance = given[name+".mean"], given[name+".var"]
		}
		return x.normalize(p[name+".scale"], p[name+".shift"], mean, variance, float64(float32(epsilon)))
	}
	x := maps{4, 3, 8, 8, images}
	first := norm(x.conv(p["w1"], 1), "n1").relu()
	joined := norm(first.conv(p["w2"], 1), "n2").add(first).relu()
	third := joined.conv(p["w3"], 2).perElement(func(v float64, c int) float64 { return v + p["b3"][c] })
	logits := third.relu().maxPool().linear(p["fc"], p["fc.bias"])
	return crossEntropy(logits, labels, smoothing), measured
}

// constants returns the initializers by name.
func (n *net) constants() map[string][]float64 {
	all := map[string][]float64{}
	for _, v := range n.model.Graph.Initializers() {
		data, err := v.Constant().Float64s()
		if err != nil {
			n.t.Fatal(err)
		}
		all[v.Name()] = slices.Clone(data)
	}
	return all
}

// TestGradient compares loss and gradient with central differences of a naive float64 reference.
func TestGradient(t *testing.T) {
	cases := []struct {
		name      string
		trained   []string
		smoothing float64
		frozen    bool   // running statistics
		after     string // the operator whose first node's output training starts after
	}{
		{"everything", residualNames, 0.1, false, ""},
		{"frozen statistics", []string{"w2", "n1.scale", "n2.shift", "b3"}, 0.1, true, ""},
		{"no smoothing", []string{"fc", "b3"}, 0, false, ""},
		{"one parameter", []string{"n1.scale"}, 0.1, false, ""},
		{"frozen filters", []string{"fc", "n1.shift", "n2.scale"}, 0.1, false, ""},
		{"after the first layer", []string{"w2", "n2.scale", "n2.shift", "b3", "w3", "fc", "fc.bias"}, 0.1, false, "Relu"},
		{"after the first norm", []string{"w2", "n2.scale", "n2.shift", "b3", "w3", "fc", "fc.bias"}, 0.1, false, "BatchNormalization"},
		{"after the first convolution", []string{"n1.scale", "n1.shift", "w2", "n2.scale", "n2.shift", "b3", "w3", "fc", "fc.bias"}, 0.1, false, "Conv"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := residualNet(t)
			images, labels := n.data(classes)
			o := trainstep.Options{Trained: c.trained, LabelSmoothing: c.smoothing, FreezeStatistics: c.frozen, Optimizer: trainstep.SGD{}}
			p := n.constants()
			given := map[string][]float64{}
			if c.frozen {
				given = p
			}
			if c.after != "" {
				o.After = []string{n.first(c.after).Output(0).Name()}
				if c.after != "Conv" {
					given = map[string][]float64{"n1.mean": p["n1.mean"], "n1.var": p["n1.var"]}
				}
			}
			r := newRunner(t, n.model, n.shape, o)
			loss, gradient := r.gradient(images, labels)

			reference := func() float64 {
				loss, _ := residualReference(p, widen(images), labels, c.smoothing, given)
				return loss
			}
			near(t, "loss", []float64{loss}, []float64{reference()}, 1e-5)
			for _, name := range c.trained {
				const h = 1e-6
				slope := piece(t, r.step.Parameters, gradient, name)
				step := 1 + len(slope)/50 // of large ones some elements, as the reference takes its time
				var got, want []float64
				for i := 0; i < len(slope); i += step {
					v := p[name][i]
					p[name][i] = v + h
					above := reference()
					p[name][i] = v - h
					got, want = append(got, slope[i]), append(want, (above-reference())/(2*h))
					p[name][i] = v
				}
				near(t, "gradient of "+name, got, want, 1e-4)
			}
			if got := len(r.step.Parameters); got != len(c.trained) {
				t.Errorf("%d parameters train, want %d", got, len(c.trained))
			}
			if moving, fixed := len(r.step.Statistics), len(given); moving != 4-min(4, fixed) {
				t.Errorf("%d running statistics move, %d are given", moving, fixed)
			}
		})
	}
}

// TestUnreached has a parameter behind nothing that the loss depends on, and one whose only way to the loss has no
// derivative: both stay as they are, in spite of weight decay, and have no state, as PyTorch leaves alone what has no
// gradient.
func TestUnreached(t *testing.T) {
	n := newNet(t, 6, 3)
	w := n.trainable("w", 1, 0.1, 3)
	scaled := n.op("Mul", []*onnxgraph.Value{n.image, w})
	rounded := n.op("Floor", []*onnxgraph.Value{n.op("Mul", []*onnxgraph.Value{n.image, n.trainable("rounded", 1, 0.1, 3)})})
	n.output(n.op("Add", []*onnxgraph.Value{scaled, rounded}))
	n.output(n.op("Mul", []*onnxgraph.Value{n.image, n.trainable("aside", 1, 0.1, 3)})) // a second output
	if err := head.Choose(n.model, n.model.Graph.Outputs()[0].Name()); err != nil {
		t.Fatal(err)
	}
	o := trainstep.Options{Trained: []string{"aside", "w", "rounded"}, Optimizer: trainstep.SGD{Momentum: 0.9, WeightDecay: 0.5}}
	r := newRunner(t, n.model, n.shape, o)
	images, labels := n.data(3)
	r.run(images, labels, 0.1)
	if !slices.Equal(r.step.Unreached, []string{"aside", "rounded"}) {
		t.Errorf("not reached are %q, want aside and rounded", r.step.Unreached)
	}
	if len(r.step.Parameters) != 1 || r.step.Parameters[0].Name != "w" {
		t.Errorf("the parameters are %+v, want w alone", r.step.Parameters)
	}
	for _, s := range r.step.State {
		if got := s.Initial.Len(); got != 3 {
			t.Errorf("state %s has %d elements, want the 3 of w", s.Input, got)
		}
	}
	// the forward pass still has what is rounded
	o.Trained = []string{"w"}
	again := newRunner(t, n.model, n.shape, o)
	near(t, "loss", []float64{r.run(images, labels, 0)}, []float64{afterStep(again, images, labels)}, 1e-6)
	if _, err := trainstep.Build(fit(t, n.model, n.shape), "image", trainstep.Options{Trained: []string{"aside"}, Optimizer: trainstep.SGD{}}); err == nil {
		t.Error("a step in which nothing trains is built")
	}
}

// afterStep returns the loss after a step with rate 0.1.
func afterStep(r *runner, images []float32, labels []int64) float64 {
	r.run(images, labels, 0.1)
	return r.run(images, labels, 0)
}

// TestStatistics compares running statistics after three steps with the documented formula.
func TestStatistics(t *testing.T) {
	n := residualNet(t)
	r := newRunner(t, n.model, n.shape, trainstep.Options{Trained: residualNames, Optimizer: trainstep.SGD{}})
	p := n.constants()
	momentum := map[string]float64{"n1": 0.8, "n2": 0.9} // n2 has ONNX's default
	elements := 4.0 * 8 * 8
	for range 3 {
		for _, s := range r.step.Parameters { // the step's own, so that only statistics are compared
			p[s.Name] = widen(piece(t, r.step.Parameters, r.state(trainstep.ParametersSlot), s.Name))
		}
		images, labels := n.data(classes)
		_, used := residualReference(p, widen(images), labels, 0, nil)
		r.run(images, labels, 0.1)
		for _, norm := range []string{"n1", "n2"} {
			for i, m := range used[norm+".mean"] {
				k := momentum[norm]
				p[norm+".mean"][i] = k*p[norm+".mean"][i] + (1-k)*m
				p[norm+".var"][i] = k*p[norm+".var"][i] + (1-k)*used[norm+".var"][i]*elements/(elements-1)
			}
			for _, name := range []string{norm + ".mean", norm + ".var"} {
				near(t, name, piece(t, r.step.Statistics, r.state(trainstep.StatisticsSlot), name), p[name], 1e-5)
			}
		}
	}
}

// TestStatisticsOfSharedLayer checks that a layer that is used at several places moves its running statistics at one after
// the other, as in PyTorch.
func TestStatisticsOfSharedLayer(t *testing.T) {
	n := newNet(t, 5, 4)
	inputs := []*onnxgraph.Value{n.trainable("scale", 1, 0.2, 4), n.trainable("shift", 0, 0.2, 4), n.trainable("mean", 0, 0.3, 4), n.trainable("var", 2, 0.2, 4)}
	norm := func(x *onnxgraph.Value, momentum float32) *onnxgraph.Value {
		return n.op("BatchNormalization", append([]*onnxgraph.Value{x}, inputs...), onnxgraph.Float("momentum", momentum))
	}
	square := n.op("Mul", []*onnxgraph.Value{n.image, n.image})
	last := n.op("Add", []*onnxgraph.Value{norm(n.image, 0.8), norm(square, 0.6)})
	n.output(n.op("Add", []*onnxgraph.Value{last, norm(n.op("Mul", []*onnxgraph.Value{square, n.image}), 0.8)}))
	mean, variance := floats(t, n.model.Graph.Value("mean").Constant()), floats(t, n.model.Graph.Value("var").Constant())
	r := newRunner(t, n.model, n.shape, trainstep.Options{Trained: []string{"scale"}, Optimizer: trainstep.SGD{}})
	images, labels := n.data(4)
	r.run(images, labels, 0.1)

	wantMean, wantVariance := widen(mean), widen(variance)
	for i, keep := range []float64{0.8, 0.6, 0.8} {
		for c := range 4 {
			var column []float64
			for k := range 5 {
				column = append(column, math.Pow(float64(images[4*k+c]), float64(i+1)))
			}
			average, unbiased := 0.0, 0.0
			for _, v := range column {
				average += v / 5
			}
			for _, v := range column {
				unbiased += (v - average) * (v - average) / 4
			}
			wantMean[c] = keep*wantMean[c] + (1-keep)*average
			wantVariance[c] = keep*wantVariance[c] + (1-keep)*unbiased
		}
	}
	state := r.state(trainstep.StatisticsSlot)
	near(t, "running mean", piece(t, r.step.Statistics, state, "mean"), wantMean, 1e-5)
	near(t, "running variance", piece(t, r.step.Statistics, state, "var"), wantVariance, 1e-5)
}

// TestCorrect compares the number of right answers with that of the logits.
func TestCorrect(t *testing.T) {
	n := newNet(t, 6, 3)
	n.output(n.op("Mul", []*onnxgraph.Value{n.image, n.trainable("w", 1, 0, 3)}))
	r := newRunner(t, n.model, n.shape, trainstep.Options{Trained: []string{"w"}, Optimizer: trainstep.SGD{}})
	images := []float32{
		3, 1, 2,
		1, 3, 2,
		1, 2, 3,
		3, 1, 2,
		1, 3, 2,
		2, 2, 1, // equal logits: the first counts
	}
	r.run(images, []int64{0, 1, 2, 1, 0, 0}, 0.1)
	if got := r.output(trainstep.CorrectOutput)[0]; got != 4 {
		t.Errorf("%v right answers, want 4", got)
	}
}
