package trainstep_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/opset"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestEndings trains nets that end in different ways but mean the same.
func TestEndings(t *testing.T) {
	type values = []*onnxgraph.Value
	sizes := func(n *net, v ...int64) *onnxgraph.Value {
		return n.model.Graph.AddConstant("sizes", onnxgraph.NewTensor([]int64{int64(len(v))}, v))
	}
	rank4 := func(n *net, v *onnxgraph.Value) *onnxgraph.Value {
		return n.op("Reshape", values{v, sizes(n, 0, -1, 1, 1)})
	}
	cases := []struct {
		name  string
		opset int64
		end   func(n *net, v *onnxgraph.Value) *onnxgraph.Value
	}{
		{"logits", 18, func(n *net, v *onnxgraph.Value) *onnxgraph.Value { return v }},
		{"softmax", 18, func(n *net, v *onnxgraph.Value) *onnxgraph.Value { return n.op("Softmax", values{v}) }},
		{"log softmax", 18, func(n *net, v *onnxgraph.Value) *onnxgraph.Value {
			return n.op("LogSoftmax", values{v}, onnxgraph.Int("axis", 1))
		}},
		{"rank 4", 18, rank4},
		{"softmax of rank 4", 18, func(n *net, v *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Softmax", values{rank4(n, v)}, onnxgraph.Int("axis", 1))
		}},
		{"flattened softmax", 18, func(n *net, v *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Flatten", values{n.op("Softmax", values{rank4(n, v)}, onnxgraph.Int("axis", 1))})
		}},
		{"softmax of rank 4, old form", 12, func(n *net, v *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Softmax", values{rank4(n, v)})
		}},
		{"identity", 18, func(n *net, v *onnxgraph.Value) *onnxgraph.Value {
			return n.op("Identity", values{n.op("Softmax", values{v})})
		}},
	}
	var want []float64
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNet(t, 3, 4)
			n.model.SetOpset("", c.opset)
			n.output(c.end(n, n.op("Gemm", values{n.image, n.trainable("w", 0, 1, 4, 6)})))
			if err := opset.Upgrade(n.model, 18); err != nil {
				t.Fatal(err)
			}
			r := newRunner(t, n.model, n.shape, trainstep.Options{Trained: []string{"w"}, Optimizer: trainstep.SGD{}})
			loss, g := r.gradient(n.data(6))
			got := append(g, loss)
			if want == nil {
				want = got
			}
			near(t, "gradient and loss", got, want, 1e-6)
		})
	}
}

// TestFaults checks that an error lists everything of its kind.
func TestFaults(t *testing.T) {
	type values = []*onnxgraph.Value
	plain := func() *net {
		n := newNet(t, 3, 4)
		half := n.model.Graph.AddConstant("half", onnxgraph.NewRawTensor(onnxgraph.Float16, []int64{1}, []byte{0, 0x3c}))
		cast := n.op("Cast", values{half}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
		n.output(n.op("Mul", values{n.op("Gemm", values{n.image, n.trainable("w", 0, 1, 4, 6)}), cast}))
		return n
	}
	half := func() *net {
		n := newNet(t, 3, 4)
		narrow := n.model.Graph.AddConstant("narrow", onnxgraph.NewRawTensor(onnxgraph.Float16, []int64{1}, []byte{0, 0x3c}))
		y := n.op("Cast", values{n.op("Mul", values{n.image, n.trainable("wide", 0, 1, 4)})}, onnxgraph.Int("to", int64(onnxgraph.Float16)))
		y = n.op("Mul", values{y, narrow})
		n.output(n.op("Cast", values{y}, onnxgraph.Int("to", int64(onnxgraph.Float32))))
		return n
	}
	unknown := func() *net {
		n := newNet(t, 3, 4)
		x := n.op("Gemm", values{n.image, n.trainable("w", 0, 1, 4, 6)})
		n.output(n.op("Tan", values{n.op("Atan", values{n.op("Tan", values{x})})}))
		return n
	}
	unconnected := func() *net {
		n := newNet(t, 3, 4)
		n.output(n.op("Mul", values{n.image, n.trainable("other", 0, 1, 4)}))
		n.output(n.op("Gemm", values{n.image, n.trainable("w", 0, 1, 4, 6)}))
		if err := head.Choose(n.model, n.model.Graph.Outputs()[0].Name()); err != nil {
			t.Fatal(err)
		}
		return n
	}
	several := func() *net {
		n := newNet(t, 3, 4)
		features, logits := n.op("Relu", values{n.image}), n.op("Gemm", values{n.image, n.trainable("w", 0, 1, 4, 6)})
		n.model.Graph.Rename(features, "features")
		n.model.Graph.Rename(logits, "logits")
		n.output(features)
		n.output(logits)
		return n
	}
	images := func() *net {
		n := newNet(t, 3, 4, 2, 2)
		n.output(n.op("Mul", values{n.image, n.trainable("w", 0, 1, 2)}))
		return n
	}
	// ended returns a net whose output has a shape, after an operator.
	ended := func(opType string, shape ...int64) *net {
		n := newNet(t, 3, 4, 2, 2)
		x := n.op("Conv", values{n.image, n.trainable("w", 0, 1, 6, 4, 1, 1)})
		n.output(n.op(opType, values{n.op("Reshape", values{x, n.model.Graph.AddConstant("shape", onnxgraph.NewTensor([]int64{int64(len(shape))}, shape))})}))
		return n
	}
	allKinds := func() *net {
		n := newNet(t, 3, 4)
		x := n.op("Tan", values{n.op("Gemm", values{n.image, n.trainable("w", 0, 1, 4, 6)})})
		x = n.op("Einsum", values{x}, onnxgraph.Str("equation", "...i->...i"))
		ratio := n.op("Abs", values{n.model.Graph.AddConstant("ratio", onnxgraph.NewScalar(float32(0.5)))})
		x = n.op("Dropout", values{x, ratio})
		mean, variance := n.trainable("mean", 0, 1, 6), n.trainable("var", 1, 0.1, 6)
		for i, name := range []string{"first", "second"} {
			statistics := values{mean, variance}
			if i == 1 {
				statistics = values{variance, mean}
			}
			x = n.op("BatchNormalization", append(values{x, n.trainable(name+".scale", 1, 1, 6), n.trainable(name+".shift", 0, 1, 6)}, statistics...))
		}
		n.output(x)
		return n
	}
	cases := []struct {
		name    string
		net     *net
		trained []string
		want    []string
	}{
		{"parameters", plain(), []string{"w", "nowhere", "half", "elsewhere"}, []string{
			`parameter "nowhere": no initializer of that name`, `parameter "elsewhere"`}},
		{"float16", half(), []string{"narrow", "wide"}, []string{`parameters ["narrow"] are float16, and`, "--precision fp32", "computes in float16"}},
		{"nothing", plain(), nil, []string{"nothing to train: no parameter is selected"}},
		{"no gradient", unknown(), []string{"w"}, []string{"Tan (", "Atan ("}},
		{"all kinds at once", allKinds(), []string{"w", "nowhere"}, []string{`"nowhere"`, "Tan (", "ellipsis", `ratio "Abs`, `statistics "mean"`, `statistics "var"`}},
		{"unconnected", unconnected(), []string{"w"}, []string{"does not depend on anything that trains"}},
		{"a row per place", ended("Softmax", 12, 6), []string{"w"}, []string{"has shape [12 6]: needs [N, classes] for N = 3 images"}},
		{"scores of places", ended("Relu", 3, 24, 1), []string{"w"}, []string{"has shape [3 24 1]: needs [N, classes]"}},
		{"boxes", ended("Softmax", 3, 12, 2), []string{"w"}, []string{"has shape [3 12 2]: needs [N, classes]"}},
		{"each class by itself", ended("Sigmoid", 3, 24), []string{"w"}, []string{"Sigmoid", "decides on each class by itself", "--num-classes"}},
		{"several outputs", several(), []string{"w"}, []string{"several outputs", "--logits NAME", "features: float32 [3, 4]", "logits: float32 [3, 6]"}},
		{"no logits", images(), []string{"w"}, []string{"has shape [3 4 2 2]: needs [N, classes]"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := trainstep.Build(fit(t, c.net.model, c.net.shape), "image", trainstep.Options{Trained: c.trained, Optimizer: trainstep.SGD{}})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want one with %q", err, want)
				}
			}
			var unsupported *gradient.UnsupportedError
			if c.name == "no gradient" && (!errors.As(err, &unsupported) || len(unsupported.Faults) != 3) {
				t.Errorf("got error %v, want an UnsupportedError of 3 nodes", err)
			}
		})
	}
}

// TestAfterNothing refuses to start training after what is no value of the model, or the same for all images; beside such names
// another one counts.
func TestAfterNothing(t *testing.T) {
	n := newNet(t, 3, 4)
	n.output(n.op("Gemm", []*onnxgraph.Value{n.op("Relu", []*onnxgraph.Value{n.image}), n.trainable("w", 0, 1, 4, 6)}))
	relu := n.first("Relu").Output(0).Name()
	for _, c := range []struct {
		after []string
		works bool
	}{
		{[]string{"w"}, false}, {[]string{"nowhere"}, false}, {[]string{"nowhere", "w"}, false}, {[]string{"w", relu, "nowhere"}, true},
	} {
		_, err := trainstep.Build(fit(t, n.model, n.shape), "image", trainstep.Options{Trained: []string{"w"}, After: c.after, Optimizer: trainstep.SGD{}})
		if (err == nil) != c.works || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%q, after which training starts", c.after)) {
			t.Errorf("after %q: got error %v", c.after, err)
		}
	}
}

// TestLargeLogits has logits whose exponentials are beyond what a float32 holds, or vanish: loss and gradient must be right
// all the same.
func TestLargeLogits(t *testing.T) {
	for _, smoothing := range []float64{0, 0.1} {
		n := newNet(t, 4, 3)
		n.output(n.op("Mul", []*onnxgraph.Value{n.image, n.trainable("w", 1, 0, 3)}))
		r := newRunner(t, n.model, n.shape, trainstep.Options{Trained: []string{"w"}, LabelSmoothing: smoothing, Optimizer: trainstep.SGD{}})
		images, labels := []float32{1000, 0, -1000, -1000, -1000, -1001, 0, 200, 0, -3000, 1, 5000}, []int64{1, 2, 1, 2}
		loss, gradient := r.gradient(images, labels)
		rows := func(w []float64) [][]float64 {
			var rows [][]float64
			for i := range labels {
				row := make([]float64, 3)
				for k := range row {
					row[k] = float64(images[3*i+k]) * w[k]
				}
				rows = append(rows, row)
			}
			return rows
		}
		w := []float64{1, 1, 1}
		near(t, "loss", []float64{loss}, []float64{crossEntropy(rows(w), labels, smoothing)}, 1e-6)
		want := make([]float64, 3)
		for k := range w {
			const h = 1e-6
			w[k] = 1 + h
			above := crossEntropy(rows(w), labels, smoothing)
			w[k] = 1 - h
			want[k] = (above - crossEntropy(rows(w), labels, smoothing)) / (2 * h)
			w[k] = 1
		}
		near(t, "gradient", gradient, want, 1e-4)
	}
}

// TestSharedStatistics checks that norms are refused that have some of their running statistics together, and others not.
func TestSharedStatistics(t *testing.T) {
	cases := []struct {
		name   string
		inputs [2][4]string
		want   string
	}{
		{"between two norms", [2][4]string{{"s1", "t1", "m1", "v1"}, {"s2", "t2", "m1", "v2"}}, "are also those of node"},
		{"crosswise", [2][4]string{{"s1", "t1", "m1", "v1"}, {"s2", "t2", "v1", "m1"}}, "are also those of node"},
		{"within a norm", [2][4]string{{"s1", "t1", "v1", "v1"}, {"s2", "t2", "m2", "v2"}}, "are also those of node"},
		{"with a parameter", [2][4]string{{"s1", "t1", "m1", "v1"}, {"s2", "t2", "m2", "s1"}}, "computed, or train"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNet(t, 3, 4)
			x := n.image
			for _, names := range c.inputs {
				inputs := []*onnxgraph.Value{x}
				for _, name := range names {
					v := n.model.Graph.Value(name)
					if v == nil {
						v = n.trainable(name, 1, 0.1, 4)
					}
					inputs = append(inputs, v)
				}
				x = n.op("BatchNormalization", inputs)
			}
			n.output(x)
			_, err := trainstep.Build(fit(t, n.model, n.shape), "image", trainstep.Options{Trained: []string{"s1", "s2"}, Optimizer: trainstep.SGD{}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func floats(t *testing.T, tensor *onnxgraph.Tensor) []float32 {
	t.Helper()
	data, err := tensor.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
