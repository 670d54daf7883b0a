package parameter_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// network is x → Sub → Conv (standardized weight) → BatchNormalization → Add → PRelu → MatMul → Add → HardSwish by hand, with a
// second BatchNormalization that shares constants with the first.
func network() *onnxgraph.Model {
	m := onnxgraph.New("network", 8, 18)
	g := m.Graph
	x, _ := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 3, 8, 8))
	constant := func(name string, fill float32, dims ...int64) *onnxgraph.Value {
		data := []float32{}
		for range onnxgraph.NewTensor(dims, make([]float32, onnxgraph.ElementCount(dims))).Len() {
			data = append(data, fill)
		}
		return g.AddConstant(name, onnxgraph.NewTensor(dims, data))
	}
	op := func(operator string, inputs ...*onnxgraph.Value) *onnxgraph.Value {
		return g.AddNode(operator, inputs).Output(0)
	}

	scaled := op("Mul", x, constant("input scale", 2, 3, 1, 1))
	filters := constant("filters", 1, 16, 3, 3, 3)
	centered := op("Sub", filters, op("ReduceMean", filters))
	y := op("Conv", scaled, op("Mul", centered, constant("gain", 1, 16, 1, 1, 1)))
	ones, zeros := constant("ones", 1, 16), constant("zeros", 0, 16)
	for range 2 {
		y = op("BatchNormalization", y, op("Identity", ones), op("Identity", zeros), op("Identity", zeros), op("Identity", ones))
	}
	y = op("Add", y, constant("channel bias", 1, 16, 1, 1))
	y = op("PRelu", y, constant("slope", 1, 16, 1, 1))
	y = op("MatMul", op("GlobalAveragePool", y), constant("head", 1, 16, 10))
	y = op("Add", y, constant("head bias", 1, 10))
	y = op("Mul", y, constant("half", 0.5))
	g.AddOutput(y, onnxgraph.Float32, nil)
	return m
}

func wantSeparated(t *testing.T, m *onnxgraph.Model, want ...parameter.Separated) {
	t.Helper()
	if got := parameter.Separate(m); !slices.Equal(got, want) {
		t.Errorf("separated %v, want %v", got, want)
	}
}

func TestParameters(t *testing.T) {
	m := network()
	reader := m.Graph.Value("filters").Uses()[0].Node // reads the filters through a Clip without a lower bound
	most := m.Graph.AddConstant("most", onnxgraph.NewScalar(float32(2)))
	clipped := m.Graph.AddNode("Clip", []*onnxgraph.Value{m.Graph.Value("filters"), nil, most}).Output(0)
	reader.SetInput(0, clipped)
	want := map[string]parameter.Role{
		"input scale": "constant", "filters": "weight", "most": "constant", "gain": "weight", "ones": "norm-scale", "zeros": "norm-shift",
		"channel bias": "bias", "slope": "weight", "head": "weight", "head bias": "bias", "half": "constant",
	}
	if got := transformtest.RolesOf(t, m); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	wantSeparated(t, m, parameter.Separated{Name: "ones", Copies: 4}, parameter.Separated{Name: "zeros", Copies: 4})
	wantSeparated(t, m)
	for _, n := range m.Graph.Nodes() {
		for i := 1; n.Is("BatchNormalization") && i < 5; i++ {
			if v := n.Input(i); v.Constant() == nil || len(v.Uses()) != 1 {
				t.Errorf("%s: input %d is no constant of its own", n, i)
			}
		}
	}
	counts := map[parameter.Role]int{}
	for _, role := range transformtest.RolesOf(t, m) {
		counts[role]++
	}
	for _, role := range []parameter.Role{"norm-scale", "norm-shift", "running-mean", "running-var"} {
		if counts[role] != 2 {
			t.Errorf("after separating: %d constants of role %s, want 2", counts[role], role)
		}
	}
}

// TestSeparateElementwise: biases and scales that Add and Mul apply are parameters of their layers, as are those of a
// normalization in other words; single numbers and what comes before any weight are not.
func TestSeparateElementwise(t *testing.T) {
	m := onnxgraph.New("shared", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 4))
	if err != nil {
		t.Fatal(err)
	}
	constant := func(name string, dims ...int64) *onnxgraph.Value {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		return m.Graph.AddConstant(name, onnxgraph.NewTensor(dims, make([]float32, n)))
	}
	op := func(opType string, inputs ...*onnxgraph.Value) *onnxgraph.Value {
		return m.Graph.AddNode(opType, inputs).Output(0)
	}
	bias, scale, half := constant("bias", 4), constant("scale", 4), m.Graph.AddConstant("half", onnxgraph.NewScalar(float32(0.5)))
	y := op("Mul", x, scale) // the input's
	for _, weight := range []string{"first", "second"} {
		y = op("MatMul", y, constant(weight, 4, 4))
		y = op("Add", op("Identity", bias), y)
		y = op("Mul", op("Mul", y, scale), half)
	}
	m.Graph.AddOutput(y, onnxgraph.Float32, nil)
	wantSeparated(t, m, parameter.Separated{Name: "bias", Copies: 2}, parameter.Separated{Name: "scale", Copies: 2})
	counts := map[parameter.Role]int{}
	for _, role := range transformtest.RolesOf(t, m) {
		counts[role]++
	}
	want := map[parameter.Role]int{"weight": 2, "bias": 2, "norm-scale": 2, "constant": 2}
	if !maps.Equal(counts, want) {
		t.Errorf("roles are %v, want %v", counts, want)
	}
}

// TestReinit checks bounds and spread of what is drawn.
func TestReinit(t *testing.T) {
	m := network()
	parameter.Separate(m)
	if _, err := parameter.Reinit(m, parameter.ReinitOptions{Seed: 3}); err != nil {
		t.Fatal(err)
	}
	for name, bound := range map[string]float64{
		"filters": 1 / math.Sqrt(27), "head": 0.25, "head bias": 0.25,
	} {
		data, _ := m.Graph.Value(name).Constant().Float64s()
		largest, sum := 0.0, 0.0
		for _, v := range data {
			largest, sum = max(largest, math.Abs(v)), sum+v
		}
		if largest > bound || largest < 0.7*bound || math.Abs(sum/float64(len(data))) > bound/2 {
			t.Errorf("%s: the largest of %d numbers is %v, the bound %v, the mean %v", name, len(data), largest, bound, sum/float64(len(data)))
		}
	}
	parameters, err := parameter.List(m)
	if err != nil {
		t.Fatal(err)
	}
	fill := map[parameter.Role]float64{"norm-scale": 1, "norm-shift": 0, "running-mean": 0, "running-var": 1}
	for _, p := range parameters {
		data, _ := p.Value.Constant().Float64s()
		if want, ok := fill[p.Role]; ok && (data[0] != want || data[len(data)-1] != want) {
			t.Errorf("%s of role %s is %v, want %v", p.Value.Name(), p.Role, data[0], want)
		}
	}
	if data, _ := m.Graph.Value("slope").Constant().Float64s(); data[0] != 0.25 {
		t.Errorf("slope %v", data[0])
	}
}

// TestReinitFanIn draws weights and biases of layers of every kind within ±1/√fan_in, as PyTorch's layers start.
func TestReinitFanIn(t *testing.T) {
	through := func(perm ...int64) func(b *transformtest.Builder, w *onnxgraph.Value) *onnxgraph.Value {
		return func(b *transformtest.Builder, w *onnxgraph.Value) *onnxgraph.Value {
			dims := w.Constant().Dims()
			scaled := b.Op("Mul", w, b.Constant("gain", dims...)) // from which no dims follow but those that are declared
			scaled.SetType(onnxgraph.Float32, onnxgraph.Static(dims...))
			n := b.Op("Transpose", scaled)
			if perm != nil {
				n.Producer().SetAttr(onnxgraph.Ints("perm", perm...))
			}
			return n
		}
	}
	for _, c := range []struct {
		name  string
		dims  []int64
		layer func(b *transformtest.Builder, flat, image, w *onnxgraph.Value) *onnxgraph.Value
		fan   float64
		bias  bool
	}{
		{"Gemm", []int64{54, 24}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Gemm", flat, w, b.Constant("bias", 24))
		}, 54, true},
		{"Gemm, transposed", []int64{24, 54}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Gemm", flat, w, b.Constant("bias", 24), onnxgraph.Int("transB", 1))
		}, 54, true},
		{"Gemm, the weight first", []int64{24, 54}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.G.AddNode("Gemm", []*onnxgraph.Value{w, b.Op("Transpose", flat)}).Output(0)
		}, 54, false},
		{"Gemm, the weight first and transposed", []int64{54, 24}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.G.AddNode("Gemm", []*onnxgraph.Value{w, b.Op("Transpose", flat)}, onnxgraph.Int("transA", 1)).Output(0)
		}, 54, false},
		{"MatMul and Add", []int64{54, 24}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Add", b.Op("MatMul", flat, w), b.Constant("bias", 24))
		}, 54, true},
		{"Add, the bias first", []int64{54, 24}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Add", b.Constant("bias", 24), b.Op("MatMul", flat, w))
		}, 54, true},
		{"MatMul, the weight first", []int64{24, 54}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("MatMul", w, b.Op("Transpose", flat))
		}, 54, false},
		{"Conv", []int64{8, 6, 3, 3}, func(b *transformtest.Builder, _, image, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Conv", image, w, b.Constant("bias", 8))
		}, 54, true},
		{"Conv in groups", []int64{8, 3, 3, 3}, func(b *transformtest.Builder, _, image, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Conv", image, w, b.Constant("bias", 8), onnxgraph.Int("group", 2))
		}, 27, true},
		{"ConvTranspose", []int64{6, 8, 3, 3}, func(b *transformtest.Builder, _, image, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("ConvTranspose", image, w, b.Constant("bias", 8))
		}, 72, true},
		{"LSTM", []int64{1, 96, 54}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			x := b.Op("Unsqueeze", flat, b.Ints(0))
			return b.Op("LSTM", x, w, b.Constant("recurrent", 1, 96, 24), b.Constant("bias", 1, 192), onnxgraph.Int("hidden_size", 24))
		}, 24, true},
		{"GRU", []int64{1, 72, 54}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			x := b.Op("Unsqueeze", flat, b.Ints(0))
			return b.Op("GRU", x, w, b.Constant("recurrent", 1, 72, 24), b.Constant("bias", 1, 144), onnxgraph.Int("hidden_size", 24))
		}, 24, true},
		{"Gemm, transposed by a node", []int64{24, 54}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("Gemm", flat, b.Op("Transpose", w), b.Constant("bias", 24))
		}, 54, true},
		{"MatMul of a computed weight", []int64{24, 54}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("MatMul", flat, through()(b, w))
		}, 54, false},
		{"MatMul, a computed weight first", []int64{54, 24}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("MatMul", through(1, 0)(b, w), b.Op("Transpose", flat))
		}, 54, false},
		{"MatMul of a computed weight, with perm", []int64{24, 54}, func(b *transformtest.Builder, flat, _, w *onnxgraph.Value) *onnxgraph.Value {
			return b.Op("MatMul", flat, through(1, 0)(b, w))
		}, 54, false},
	} {
		m := transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
			return c.layer(b, b.Op("Flatten", x), x, b.Constant("weight", c.dims...))
		}, 2, 24)
		if _, err := parameter.Reinit(m, parameter.ReinitOptions{Seed: 1}); err != nil {
			t.Fatal(err)
		}
		names := []string{"weight"}
		if c.bias {
			names = append(names, "bias")
		}
		for _, name := range names {
			most := 0.0
			for _, x := range convcases.ArrayOf(m.Graph.Value(name).Constant()).Data {
				most = max(most, math.Abs(x))
			}
			if bound := 1 / math.Sqrt(c.fan); most > bound || most < 0.65*bound {
				t.Errorf("%s: the largest number of the %s is %v, the bound %v", c.name, name, most, bound)
			}
		}
	}
}

// TestReinitBiasOfNoLayer starts a bias behind an operator without a fan-in with zeros.
func TestReinitBiasOfNoLayer(t *testing.T) {
	m := transformtest.Classifier(t, func(b *transformtest.Builder, x *onnxgraph.Value) *onnxgraph.Value {
		y := b.Op("PRelu", b.Op("Conv", x, b.Constant("w", 6, 6, 1, 1)), b.Constant("slope", 6, 1, 1))
		return b.Op("Add", y, b.Constant("bias", 6, 1, 1))
	}, 2, 6, 3, 3)
	if _, err := parameter.Reinit(m, parameter.ReinitOptions{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	for _, x := range convcases.ArrayOf(m.Graph.Value("bias").Constant()).Data {
		if x != 0 {
			t.Errorf("the bias holds %v", x)
		}
	}
}

// TestReinitCovers checks which parameters each option draws.
func TestReinitCovers(t *testing.T) {
	for _, c := range []struct {
		o    parameter.ReinitOptions
		want int // of bank, pointwise weight and bias
	}{
		{parameter.ReinitOptions{}, 2},
		{parameter.ReinitOptions{Banks: true}, 3},
		{parameter.ReinitOptions{SpatialOnly: true}, 0},
		{parameter.ReinitOptions{SpatialOnly: true, Banks: true}, 1},
	} {
		m := transformtest.Converted(t, convcases.Named("bias"), transform.Options{Pointwise: transform.Identity})
		drawn, err := parameter.Reinit(m, c.o)
		if err != nil || len(drawn) != c.want {
			t.Errorf("%+v: drew %d parameters, want %d, %v", c.o, len(drawn), c.want, err)
		}
		if _, err := transform.Blocks(transformtest.Reloaded(t, m)); err != nil {
			t.Error(err)
		}
	}
	m := convcases.Named("bias").Model()
	drawn, err := parameter.Reinit(m, parameter.ReinitOptions{SpatialOnly: true})
	if err != nil || len(drawn) != 1 || drawn[0].Value.Name() != "conv.weight" {
		t.Errorf("spatial filters of a source model: %v, %v", drawn, err)
	}
}

// TestSeparateKeepsNames has constants as PyTorch writes equal ones: once, with an Identity for every further name. Each
// layer's own comes out under its name, whichever layer comes first in the file.
func TestSeparateKeepsNames(t *testing.T) {
	for _, aliasFirst := range []bool{false, true} {
		m := onnxgraph.New("net", 8, 18)
		g := m.Graph
		x, _ := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 2, 4, 4))
		y := x
		own := map[string]*onnxgraph.Value{}
		for _, p := range []string{"weight", "bias", "mean", "var"} {
			own["a."+p] = g.AddConstant("a."+p, onnxgraph.NewTensor([]int64{2}, []float32{1, 1}))
			own["b."+p] = g.AddNode("Identity", []*onnxgraph.Value{own["a."+p]}).Output(0)
			g.Rename(own["b."+p], "b."+p)
		}
		layers := []string{"a", "b"}
		if aliasFirst {
			slices.Reverse(layers)
		}
		for _, layer := range layers {
			inputs := []*onnxgraph.Value{y}
			for _, p := range []string{"weight", "bias", "mean", "var"} {
				inputs = append(inputs, own[layer+"."+p])
			}
			y = g.AddNode("BatchNormalization", inputs).Output(0)
		}
		g.AddOutput(y, onnxgraph.Float32, nil)
		parameter.Separate(m)
		for name, role := range map[string]parameter.Role{"a.weight": "norm-scale", "b.bias": "norm-shift", "a.mean": "running-mean", "b.var": "running-var"} {
			if got := transformtest.RolesOf(t, m)[name]; got != role {
				t.Errorf("alias first: %v: %s is a %s, want %s", aliasFirst, name, got, role)
			}
		}
		if n := len(g.Initializers()); n != 8 {
			t.Errorf("alias first: %v: %d constants, want 8", aliasFirst, n)
		}
	}
}

// TestParametersOfOtherDomains knows nothing of operators that only share a name with ONNX's own.
func TestParametersOfOtherDomains(t *testing.T) {
	for operator, trains := range map[string]bool{"Conv": true, "Mul": true, "Add": true, "Clip": false} {
		for _, domain := range []string{"", "vendor"} {
			m := transformtest.Sketch(t, "Conv x w1 -> a")
			m.SetOpset("vendor", 1)
			w := m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4, 4, 1, 1))
			m.Graph.AddOutput(m.Graph.AddNodeOf(domain, operator, []*onnxgraph.Value{m.Graph.Value("a"), w}, 1).Output(0), onnxgraph.Float32, nil)
			trained, err := parameter.Baseline.Trained(m)
			if err != nil || slices.Contains(trained, "w") != (domain == "" && trains) {
				t.Errorf("%s of domain %q: %q train, %v", operator, domain, trained, err)
			}
			if out, err := parameter.FindLeftOut(m); err != nil || slices.Contains(out.Constants, "w") != (domain != "") {
				t.Errorf("%s of domain %q: left out are %+v, %v", operator, domain, out, err)
			}
		}
	}
}

// TestBiasBehindBody takes a bias behind a node with bodies for a parameter, as it stands behind their weights.
func TestBiasBehindBody(t *testing.T) {
	for _, place := range convcases.Places[:3] {
		m := convcases.Nest(convcases.Named("bias").Model(), place)
		y := m.Graph.Outputs()[0]
		m.Graph.RemoveOutputs()
		shift := m.Graph.AddConstant("shift", convcases.Draw(onnxgraph.Float32, 1, 4, 1, 1))
		m.Graph.AddOutput(m.Graph.AddNode("Add", []*onnxgraph.Value{y, shift}).Output(0), onnxgraph.Float32, nil)
		if role := transformtest.RolesOf(t, m)["shift"]; role != parameter.RoleBias {
			t.Errorf("%s: its role is %s", place.Name, role)
		}
		front := convcases.Nest(convcases.Named("bias").Model(), place)
		x := front.Graph.Value(convcases.X)
		moved := front.Graph.AddNode("Add", []*onnxgraph.Value{x, front.Graph.AddConstant("shift", convcases.Draw(onnxgraph.Float32, 1, 3, 1, 1))})
		for _, u := range x.Uses() {
			if u.Node != moved {
				u.Node.SetInput(u.Index, moved.Output(0))
			}
		}
		if role := transformtest.RolesOf(t, front)["shift"]; role != parameter.RoleConstant {
			t.Errorf("%s: in front of it the role is %s", place.Name, role)
		}
	}
}
