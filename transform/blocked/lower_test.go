package blocked_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/ort/orttest"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/blocked"
)

type value = *onnxgraph.Value

// net is a portable graph in the making.
type net struct {
	*onnxgraph.Builder
	rng  *rand.Rand
	data map[string]*onnxgraph.Tensor
}

func (n *net) input(name string, dims ...int64) value {
	v, err := n.Graph.AddInput(name, onnxgraph.Float32, onnxgraph.Static(dims...))
	if err != nil {
		panic(err)
	}
	size := int64(1)
	for _, d := range dims {
		size *= d
	}
	data := make([]float32, size)
	for i := range data {
		data[i] = float32(n.rng.NormFloat64())
	}
	n.data[name] = onnxgraph.NewTensor(dims, data)
	return v
}

func (n *net) op(opType string, attrs []onnxgraph.Attribute, inputs ...value) value {
	return n.Op(opType, inputs, attrs...)
}

func (n *net) conv(x, w value, attrs ...onnxgraph.Attribute) value { return n.op("Conv", attrs, x, w) }

func keep(v int64) []onnxgraph.Attribute { return []onnxgraph.Attribute{onnxgraph.Int("keepdims", v)} }

// image is the output of a blocked convolution, [2, 2B, 6, 5].
func (n *net) image(b int64) value {
	return n.conv(n.input("x", 2, b, 6, 5), n.input("w", 2*b, b, 3, 3), onnxgraph.Ints("pads", 1, 1, 1, 1))
}

func run(t *testing.T, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) map[string]*onnxgraph.Tensor {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSameNumbers runs portable graphs and their blocked forms.
func TestSameNumbers(t *testing.T) {
	orttest.Init(t)
	b, err := specialize.BlockSize()
	if err != nil {
		t.Fatal(err)
	}
	if b == 0 {
		t.Skip("this processor has no blocked operators")
	}
	t.Logf("blocks of %d channels", b)
	cases := []struct {
		name  string
		build func(n *net) value
	}{
		{"conv", func(n *net) value { return n.image(b) }},
		{"conv of few channels", func(n *net) value {
			return n.conv(n.input("x", 2, 3, 6, 5), n.input("w", b, 3, 3, 3), onnxgraph.Ints("strides", 2, 1))
		}},
		{"depthwise conv", func(n *net) value {
			return n.conv(n.image(b), n.input("d", 2*b, 1, 3, 3), onnxgraph.Int("group", 2*b), onnxgraph.Ints("dilations", 2, 1))
		}},
		{"relu", func(n *net) value { return n.op("Relu", nil, n.image(b)) }},
		{"per channel sub", func(n *net) value { return n.op("Sub", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)) }},
		{"per channel mul", func(n *net) value { return n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)) }},
		{"per channel add", func(n *net) value { return n.op("Add", nil, n.input("s", 2*b, 1, 1), n.image(b)) }},
		{"affine", func(n *net) value {
			return n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
		}},
		{"affine and clip", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Clip", nil, y, n.Fill(onnxgraph.Float32, -0.5), n.Fill(onnxgraph.Float32, 0.75))
		}},
		{"affine and upper bound", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Clip", nil, y, nil, n.Fill(onnxgraph.Float32, 0.75))
		}},
		{"affine and bound that is computed", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Clip", nil, y, n.op("Squeeze", nil, n.input("low", 1)))
		}},
		{"affine, sum and hard sigmoid", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			attrs := []onnxgraph.Attribute{onnxgraph.Float("alpha", 0.3), onnxgraph.Float("beta", 0.4)}
			return n.op("HardSigmoid", attrs, n.op("Add", nil, y, n.input("z", 2, 2*b, 6, 5)))
		}},
		{"affine and sigmoid", func(n *net) value {
			return n.op("Sigmoid", nil, n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1)))
		}},
		{"affine and neg", func(n *net) value {
			return n.op("Neg", nil, n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1)))
		}},
		{"mask below a bound", func(n *net) value {
			attrs := []onnxgraph.Attribute{onnxgraph.Float("alpha", 3e38), onnxgraph.Float("beta", 0)}
			return n.op("HardSigmoid", attrs, n.op("Sub", nil, n.Fill(onnxgraph.Float32, 0.5), n.image(b)))
		}},
		{"number minus image", func(n *net) value { return n.op("Sub", nil, n.Fill(onnxgraph.Float32, 0.5), n.image(b)) }},
		{"affine, sum and relu", func(n *net) value {
			y := n.op("Add", nil, n.op("Mul", nil, n.image(b), n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Relu", nil, n.op("Add", nil, y, n.input("z", 2, 2*b, 6, 5)))
		}},
		{"affine, sum with what is read again, and relu", func(n *net) value {
			z := n.image(b)
			y := n.op("Add", nil, n.op("Mul", nil, z, n.input("s", 1, 2*b, 1, 1)), n.input("h", 1, 2*b, 1, 1))
			return n.op("Add", nil, n.op("Relu", nil, n.op("Add", nil, y, z)), z)
		}},
		{"mean over images and space", func(n *net) value { return n.op("ReduceMean", keep(1), n.image(b), n.Ints(0, 2, 3)) }},
		{"sum over images and space", func(n *net) value { return n.op("ReduceSum", keep(0), n.image(b), n.Ints(0, 2, 3)) }},
		{"mean of squares", func(n *net) value {
			x := n.image(b)
			return n.op("ReduceMean", keep(1), n.op("Mul", nil, x, x), n.Ints(0, 2, 3))
		}},
		{"sum of products", func(n *net) value {
			return n.op("ReduceSum", keep(1), n.op("Mul", nil, n.image(b), n.input("z", 2, 2*b, 6, 5)), n.Ints(0, 2, 3))
		}},
		{"centred", func(n *net) value {
			x := n.image(b)
			return n.op("Sub", nil, x, n.op("ReduceMean", keep(1), x, n.Ints(0, 2, 3)))
		}},
		{"global average", func(n *net) value { return n.op("GlobalAveragePool", nil, n.image(b)) }},
		{"expand", func(n *net) value {
			x := n.image(b)
			return n.op("Mul", nil, n.op("Expand", nil, n.op("GlobalAveragePool", nil, x), n.Ints(2, 2*b, 6, 5)), x)
		}},
		{"concat", func(n *net) value {
			return n.op("Concat", []onnxgraph.Attribute{onnxgraph.Int("axis", 1)}, n.image(b), n.input("z", 2, b, 6, 5))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { compare(t, c.build) })
	}
}

// compare runs a net, whose end is an output and is also read by a node, before and after it is lowered.
func compare(t *testing.T, build func(n *net) value) {
	m := onnxgraph.New("net", 8, 18)
	n := &net{onnxgraph.NewBuilder(m.Graph), rand.New(rand.NewPCG(1, 2)), map[string]*onnxgraph.Tensor{}}
	last := build(n)
	read := n.op("Abs", nil, last)
	m.Graph.AddOutput(read, onnxgraph.Float32, nil)
	direct := m.Clone()
	direct.Graph.AddOutput(direct.Graph.Value(last.Name()), onnxgraph.Float32, nil)
	for _, m := range []*onnxgraph.Model{m, direct} {
		want := run(t, m, n.data)
		if _, err := specialize.Lower(m, nil, ort.Options{IntraOpThreads: 1}); err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		got := run(t, m, n.data)
		for name := range want {
			near(t, got[name], want[name])
		}
	}
	if !slices.ContainsFunc(m.Graph.Nodes(), func(n *onnxgraph.Node) bool { return n.Domain() == blocked.Domain }) {
		t.Error("nothing was lowered")
	}
}

func near(t *testing.T, got, want *onnxgraph.Tensor) {
	t.Helper()
	g, err := got.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	w, err := want.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	var apart, size float64
	for i := range w {
		apart = math.Max(apart, math.Abs(g[i]-w[i]))
		size = math.Max(size, math.Abs(w[i]))
	}
	if !(apart <= 1e-5*size) {
		t.Errorf("differs by %g of %g", apart, size)
	}
}
