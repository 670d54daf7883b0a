package trainstep_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// dropoutNet computes drop1(x)·w1 + drop2(x)·w2, so that each gradient shows one of the masks.
func dropoutNet(t *testing.T, inputs ...func(n *net) []*onnxgraph.Value) *net {
	n := newNet(t, 2, 2000)
	var products []*onnxgraph.Value
	for i, further := range inputs {
		dropped := n.op("Dropout", append([]*onnxgraph.Value{n.image}, further(n)...))
		name := []string{"w1", "w2"}[i]
		products = append(products, n.op("Mul", []*onnxgraph.Value{dropped, n.trainable(name, 0, 0.1, n.shape...)}))
	}
	n.output(n.op("Sum", products))
	return n
}

func ratio(v float32) func(*net) []*onnxgraph.Value {
	return func(n *net) []*onnxgraph.Value {
		return []*onnxgraph.Value{n.model.Graph.AddConstant("ratio", onnxgraph.NewScalar(v))}
	}
}

// TestDropout compares loss and gradients with masks drawn from the stream in Go.
func TestDropout(t *testing.T) {
	none := func(*net) []*onnxgraph.Value { return nil }
	active := func(n *net) []*onnxgraph.Value { // as PyTorch exports a model in training mode
		return append(ratio(0.25)(n), n.model.Graph.AddConstant("training", onnxgraph.NewScalar(true)))
	}
	cases := []struct {
		name   string
		net    *net
		ratios []float64
	}{
		{"two ratios", dropoutNet(t, ratio(0.3), ratio(0.75)), []float64{0.3, 0.75}},
		{"default ratio, training mode", dropoutNet(t, none, active), []float64{0.5, 0.25}},
		{"ratio 0", dropoutNet(t, ratio(0), ratio(0.5)), []float64{0, 0.5}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := c.net
			r := newRunner(t, n.model, n.shape, trainstep.Options{Trained: []string{"w1", "w2"}, Optimizer: trainstep.SGD{}})
			images := slices.Repeat([]float32{1}, 4000)
			var last []float64
			for step := range 2 {
				stream := filterbank.NewStream(5, string(rune('a'+step)))
				fill(r, trainstep.DropoutStreamInput, []int64{int64(stream.Add), int64(stream.Xor)})
				w := widen(r.state(trainstep.ParametersSlot))
				loss, gradient := r.gradient(images, []int64{3, 1999})
				wantLoss, want := naiveDropout(stream, c.ratios, w, []int64{3, 1999})
				near(t, "loss", []float64{loss}, []float64{wantLoss}, 1e-5)
				near(t, "gradient", gradient, want, 1e-5)
				for i := range want {
					if (gradient[i] == 0) != (want[i] == 0) {
						t.Fatalf("element %d: gradient %g, by the stream %g", i, gradient[i], want[i])
					}
				}
				for i, ratio := range c.ratios {
					part := gradient[i*4000:][:4000]
					dropped := zeros(part) / 4000
					if math.Abs(dropped-ratio) > 4*math.Sqrt(ratio*(1-ratio)/4000) {
						t.Errorf("dropout %d dropped a share of %g, its ratio is %g", i, dropped, ratio)
					}
				}
				if last != nil && sameZeros(last, gradient) > 0.9 {
					t.Error("two steps drop the same")
				}
				last = gradient
				r.setState(trainstep.ParametersSlot, floats(t, r.step.State[0].Initial))
			}
			if sameZeros(last[:4000], last[4000:]) > 0.9 {
				t.Error("two Dropouts drop the same")
			}
		})
	}
}

// TestDropoutBeforeTraining has one Dropout before and one behind the value after which training starts, where a body may be what
// reads that: only the latter drops, and it draws as if the other were not there.
func TestDropoutBeforeTraining(t *testing.T) {
	for _, inBody := range []bool{false, true} {
		n := newNet(t, 2, 2000)
		half := n.model.Graph.AddConstant("ratio", onnxgraph.NewScalar[float32](0.5))
		before := n.op("Relu", []*onnxgraph.Value{n.op("Dropout", []*onnxgraph.Value{n.image, half})})
		dropped := n.op("Dropout", []*onnxgraph.Value{before, half})
		m := n.output(n.op("Mul", []*onnxgraph.Value{dropped, n.trainable("w1", 0, 0.1, n.shape...)}))
		if inBody {
			m = convcases.Capture(m, before.Name())
		}
		r := newRunner(t, m, n.shape, trainstep.Options{Trained: []string{"w1"}, After: []string{before.Name()}, Optimizer: trainstep.SGD{}})
		if !r.step.HasDropout {
			t.Fatalf("read by a body %v: the Dropout behind drops nothing", inBody)
		}
		stream := filterbank.NewStream(5, "a")
		fill(r, trainstep.DropoutStreamInput, []int64{int64(stream.Add), int64(stream.Xor)})
		w := widen(r.state(trainstep.ParametersSlot))
		loss, gradient := r.gradient(slices.Repeat([]float32{1}, 4000), []int64{3, 1999})
		wantLoss, want := naiveDropout(stream, []float64{0.5}, w, []int64{3, 1999})
		near(t, "loss", []float64{loss}, []float64{wantLoss}, 1e-5)
		near(t, "gradient", gradient, want, 1e-5)

		// Where training starts behind both, nothing is drawn.
		last := newRunner(t, m, n.shape, trainstep.Options{Trained: []string{"w1"}, After: []string{dropped.Name()}, Optimizer: trainstep.SGD{}})
		if last.step.HasDropout {
			t.Errorf("read by a body %v: a step behind all Dropouts draws", inBody)
		}
	}
}

func zeros(data []float64) float64 {
	count := 0.0
	for _, v := range data {
		if v == 0 {
			count++
		}
	}
	return count
}

// sameZeros returns the share of elements that are zero in both or in neither.
func sameZeros(a, b []float64) float64 {
	same := 0.0
	for i := range a {
		if (a[i] == 0) == (b[i] == 0) {
			same++
		}
	}
	return same / float64(len(a))
}

// naiveDropout returns loss and gradient of dropoutNet for images of ones.
func naiveDropout(stream filterbank.Stream, ratios, w []float64, labels []int64) (loss float64, gradient []float64) {
	size := len(w) / len(ratios)
	masks := make([]float64, len(w))
	drawn := uint32(0)
	for k, ratio := range ratios {
		for i := range size {
			masks[k*size+i] = 1
			if ratio > 0 {
				if float64(stream.Bits(drawn)) < ratio*(1<<32) {
					masks[k*size+i] = 0
				} else {
					masks[k*size+i] = 1 / (1 - ratio)
				}
				drawn++
			}
		}
	}
	row := size / len(labels)
	logits := make([][]float64, len(labels))
	gradient = make([]float64, len(w))
	for n, label := range labels {
		logits[n] = make([]float64, row)
		sum := 0.0
		for i := range row {
			for k := range ratios {
				j := k*size + n*row + i
				logits[n][i] += masks[j] * w[j]
			}
			sum += math.Exp(logits[n][i])
		}
		for i := range row {
			d := math.Exp(logits[n][i]) / sum
			if int64(i) == label {
				d--
			}
			for k := range ratios {
				j := k*size + n*row + i
				gradient[j] = d * masks[j] / float64(len(labels))
			}
		}
	}
	return crossEntropy(logits, labels, 0), gradient
}

func TestDropoutFaults(t *testing.T) {
	cases := []struct {
		name string
		net  func() *net
		want string
	}{
		{"ratio above 1", func() *net { return dropoutNet(t, ratio(1.5)) }, "ratio is [1.5], needs one number from 0 up to 1"},
		{"computed ratio", func() *net {
			return dropoutNet(t, func(n *net) []*onnxgraph.Value {
				return []*onnxgraph.Value{n.op("ReduceMean", []*onnxgraph.Value{n.image}, onnxgraph.Int("keepdims", 0))}
			})
		}, "is not a constant"},
		{"used mask", func() *net {
			n := newNet(t, 2, 10)
			drop := n.model.Graph.AddNodeOf("", "Dropout", []*onnxgraph.Value{n.image}, 2)
			mask := n.op("Cast", []*onnxgraph.Value{drop.Output(1)}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
			n.output(n.op("Sum", []*onnxgraph.Value{n.op("Mul", []*onnxgraph.Value{drop.Output(0), n.trainable("w1", 0, 1, 10)}), mask}))
			return n
		}, "mask output is used"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := c.net()
			fitted := n.model
			if c.name != "ratio above 1" { // which ONNX Runtime refuses to run
				fitted = fit(t, n.model, n.shape)
			} else {
				for _, node := range fitted.Graph.Nodes() {
					node.Output(0).SetType(onnxgraph.Float32, onnxgraph.Static(n.shape...))
				}
			}
			_, err := trainstep.Build(fitted, "image", trainstep.Options{Trained: []string{"w1"}, Optimizer: trainstep.SGD{}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}
