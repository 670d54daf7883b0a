package parameter_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// behind returns x → Conv → operator with a constant, which is input number index, in a file whose weights are Constant
// nodes if nodes says so, as may be the constant.
func behind(t *testing.T, opType string, index int, constant *onnxgraph.Tensor, nodes, weightNodes bool) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("behind", 8, 18)
	g := m.Graph
	x, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 3, 4, 4))
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, tensor *onnxgraph.Tensor, node bool) *onnxgraph.Value {
		if !node {
			return g.AddConstant(name, tensor)
		}
		v := g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", tensor)).Output(0)
		g.Rename(v, name)
		return v
	}
	data := make([]float32, 24)
	for i := range data {
		data[i] = 0.01 * float32(i)
	}
	y := g.AddNode("Conv", []*onnxgraph.Value{x, add("weight", onnxgraph.NewTensor([]int64{8, 3, 1, 1}, data), weightNodes)}).Output(0)
	inputs := []*onnxgraph.Value{y, y}
	if constant != nil {
		inputs[index] = add("constant", constant, nodes)
	}
	g.AddOutput(g.AddNode(opType, inputs).Output(0), onnxgraph.Float32, nil)
	return m
}

func filledMap(f func(i int) float32, dims ...int64) *onnxgraph.Tensor {
	data := make([]float32, onnxgraph.ElementCount(dims))
	for i := range data {
		data[i] = f(i)
	}
	return onnxgraph.NewTensor(dims, data)
}

// TestBehindNoise has noise that a node draws in the place of a weight: nothing behind it is learned.
func TestBehindNoise(t *testing.T) {
	for _, operator := range []string{"MatMul", "Mul"} {
		m := onnxgraph.New("noise", 8, 18)
		g := m.Graph
		x, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 4))
		if err != nil {
			t.Fatal(err)
		}
		noise := g.AddNode("RandomNormal", nil, onnxgraph.Ints("shape", 4, 4)).Output(0)
		y := g.AddNode(operator, []*onnxgraph.Value{x, noise}).Output(0)
		y = g.AddNode("Add", []*onnxgraph.Value{y, g.AddConstant("shift", filledMap(func(i int) float32 { return 0.1 * float32(i) }, 4))}).Output(0)
		g.AddOutput(y, onnxgraph.Float32, nil)
		if trained, err := parameter.Baseline.Trained(m); err != nil || len(trained) > 0 {
			t.Errorf("%s: %q train, %v", operator, trained, err)
		}
	}
}

// TestComputedMap has a map that is computed from a learned one, of a shape that the file declares.
func TestComputedMap(t *testing.T) {
	m := behind(t, "Mul", 1, nil, false, false)
	g := m.Graph
	computed := g.AddNode("Exp", []*onnxgraph.Value{g.AddConstant("map", filledMap(func(i int) float32 { return float32(math.Sin(float64(i))) }, 8, 4, 4))}).Output(0)
	for _, n := range g.Nodes() {
		if n.Is("Mul") {
			n.SetInput(1, computed)
		}
	}
	for _, shape := range [][]onnxgraph.Dim{onnxgraph.Static(8, 4, 4), nil} {
		computed.SetType(onnxgraph.Float32, shape)
		if trained, err := parameter.Baseline.Trained(m); err != nil || !slices.Contains(trained, "map") {
			t.Errorf("declared %v: %q train, %v", shape, trained, err)
		}
	}
}

// TestManyWays has a weight that reaches its layer by more ways than anyone could follow one by one.
func TestManyWays(t *testing.T) {
	m := behind(t, "Relu", 0, nil, false, false)
	for _, n := range m.Graph.Nodes() {
		if n.Is("Conv") {
			v := n.Input(1)
			for range 64 {
				v = m.Graph.AddNode("Mul", []*onnxgraph.Value{v, v}).Output(0)
			}
			n.SetInput(1, v)
		}
	}
	number := m.Graph.AddConstant("number", onnxgraph.NewScalar(float32(0.3172514)))
	for range 64 {
		number = m.Graph.AddNode("Add", []*onnxgraph.Value{number, number}).Output(0)
	}
	m.Graph.AddOutput(m.Graph.AddNode("Mul", []*onnxgraph.Value{m.Graph.Outputs()[0], number}).Output(0), onnxgraph.Float32, nil)
	if roles := transformtest.RolesOf(t, m); roles["weight"] != parameter.RoleWeight || roles["number"] != parameter.RoleConstant {
		t.Errorf("the roles are %v", roles)
	}
	if out, err := parameter.FindLeftOut(m); err != nil || len(out.Constants) > 0 {
		t.Errorf("left out are %+v, %v", out, err)
	}
}

// TestQuantizationScale has a number that looks learned, and that multiplies the scale which a node computes to quantize numbers.
func TestQuantizationScale(t *testing.T) {
	for _, quantizes := range []bool{false, true} {
		m := behind(t, "Mul", 1, onnxgraph.NewScalar(float32(0.3172514)), false, false)
		for _, n := range m.Graph.Nodes() {
			if n.Is("Mul") && quantizes {
				n.SetInput(0, m.Graph.AddNodeOf("", "DynamicQuantizeLinear", []*onnxgraph.Value{n.Input(0)}, 3).Output(1))
			}
		}
		trained, err := parameter.Baseline.Trained(m)
		if err != nil || slices.Contains(trained, "constant") == quantizes {
			t.Errorf("behind a node that quantizes: %v: %q train, %v", quantizes, trained, err)
		}
	}
}

// TestLooksLearned has what trains behind a weight, what is named as left out, and what is part of a formula for sure.
func TestLooksLearned(t *testing.T) {
	random := func(i int) float32 { return float32(math.Sin(float64(i))) }
	ones := func(int) float32 { return 1 }
	index := func(i int) float32 { return float32(i) / 2 }
	scalar := func(x float32) *onnxgraph.Tensor { return onnxgraph.NewScalar(x) }
	for _, c := range []struct {
		name             string
		op               string
		at               int
		constant         *onnxgraph.Tensor
		node, weightNode bool // in a Constant node
		want             string
	}{
		{"layer scale", "Mul", 1, filledMap(random, 8, 1, 1), false, false, "trains"},
		{"fresh layer scale", "Mul", 0, filledMap(ones, 1, 8, 1, 1), false, false, "trains"},
		{"layer scale in a Constant node", "Mul", 1, filledMap(random, 8, 1, 1), true, false, "trains"},
		{"layer scale of whole numbers", "Mul", 1, filledMap(index, 8, 1, 1), false, false, "trains"},
		{"position map", "Add", 1, filledMap(random, 1, 8, 4, 4), false, false, "trains"},
		{"scale of a LayerNorm over all", "Mul", 1, filledMap(ones, 8, 4, 4), false, false, "trains"},
		{"map in a Constant node beside weights in such", "Add", 1, filledMap(random, 8, 4, 4), true, true, "trains"},
		{"grid", "Add", 1, filledMap(index, 1, 8, 4, 4), false, false, "silent"},
		{"map in a Constant node", "Mul", 1, filledMap(random, 8, 4, 4), true, false, "silent"},
		{"divided by a map", "Div", 1, filledMap(random, 8, 4, 4), false, false, "left"},
		{"minus a vector", "Sub", 1, filledMap(random, 8, 1, 1), false, false, "left"},
		{"joined", "Add", 1, nil, false, false, "none"},

		{"learned factor", "Mul", 1, scalar(0.3172514), false, false, "trains"},
		{"learned factor, one dim", "Mul", 0, onnxgraph.NewTensor([]int64{1}, []float32{-1.7355213}), false, false, "trains"},
		{"learned factor beside weights in Constant nodes", "Mul", 0, scalar(0.9431690), true, true, "trains"},
		{"learned shift", "Add", 1, scalar(-0.0075733), false, false, "trains"},
		{"temperature", "Div", 1, scalar(1.3921765), false, false, "trains"},
		{"subtracted", "Sub", 1, scalar(0.7736513), false, false, "trains"},
		{"factor of ReZero", "Mul", 1, scalar(0), false, false, "trains"},
		{"fresh factor", "Mul", 1, scalar(1), false, false, "trains"},
		{"fresh temperature", "Div", 1, scalar(1), false, false, "trains"},
		{"fresh shift", "Add", 1, scalar(0), false, false, "trains"},
		{"half", "Mul", 1, scalar(0.5), false, false, "left"},
		{"two numbers", "Mul", 1, onnxgraph.NewTensor([]int64{2, 1, 1, 1}, []float32{0.5, 0.5}), false, false, "trains"},
		{"half in a Constant node", "Mul", 1, scalar(0.5), true, false, "silent"},
		{"learned factor in a Constant node", "Mul", 1, scalar(0.3172514), true, false, "silent"},
		{"3 of HardSwish", "Add", 1, scalar(3), false, false, "left"},
		{"1/6 of HardSwish", "Mul", 1, scalar(1.0 / 6), false, false, "left"},
		{"6 of HardSwish", "Div", 1, scalar(6), false, false, "left"},
		{"1 of GELU", "Add", 1, scalar(1), false, false, "left"},
		{"root of 2", "Div", 1, scalar(math.Sqrt2), false, false, "left"},
		{"inverse root of 2", "Mul", 1, scalar(1 / math.Sqrt2), false, false, "left"},
		{"root of 2/π", "Mul", 1, scalar(float32(math.Sqrt(2 / math.Pi))), false, false, "left"},
		{"π", "Mul", 1, scalar(math.Pi), false, false, "left"},
		{"2π", "Div", 1, scalar(2 * math.Pi), false, false, "left"},
		{"ln 2", "Mul", 1, scalar(math.Ln2), false, false, "left"},
		{"1/ln 2", "Mul", 1, scalar(1 / math.Ln2), false, false, "left"},
		{"three digits", "Mul", 1, scalar(0.485), false, false, "left"},
		{"four digits", "Mul", 1, scalar(0.4851), false, false, "trains"},
		{"a large whole number", "Mul", 1, scalar(12345), false, false, "left"},
		{"GELU by tanh", "Mul", 1, scalar(0.044715), false, false, "left"},
		{"GELU by sigmoid", "Mul", 1, scalar(1.702), false, false, "left"},
		{"negative", "Mul", 1, scalar(-0.25), false, false, "left"},
		{"epsilon", "Add", 1, scalar(1e-5), false, false, "left"},
		{"1/49 of a mean", "Mul", 1, scalar(1.0 / 49), false, false, "left"},
		{"scale of attention", "Mul", 1, scalar(float32(1 / math.Sqrt(48))), false, false, "left"},
		{"one minus", "Sub", 0, scalar(1), false, false, "left"},
		{"square", "Pow", 1, scalar(2), false, false, "silent"},
		{"root", "Pow", 1, scalar(0.5), false, false, "silent"},
		{"exponent", "Pow", 1, scalar(2.8711243), false, false, "left"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			m := behind(t, c.op, c.at, c.constant, c.node, c.weightNode)
			trained, err := parameter.Baseline.Trained(m)
			out, err2 := parameter.FindLeftOut(m)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			got := "silent"
			switch {
			case c.constant == nil && len(out.Constants) == 0 && len(trained) == 1:
				got = "none"
			case slices.Contains(trained, "constant"):
				got = "trains"
			case slices.Contains(out.Constants, "constant"):
				got = "left"
			}
			if got != c.want || !slices.Contains(trained, "weight") {
				t.Errorf("%s: got %s, want %s; %v train", c.name, got, c.want, trained)
			}
		})
	}
}

// TestLearnedByAnotherName has constants that an Identity gives another name: where the constant itself is stored tells.
func TestLearnedByAnotherName(t *testing.T) {
	for _, c := range []struct {
		constant *onnxgraph.Tensor
		node     bool
		trains   bool
	}{
		{onnxgraph.NewScalar(float32(0.3172514)), false, true}, {onnxgraph.NewScalar(float32(0.3172514)), true, false},
		{filledMap(func(i int) float32 { return float32(math.Sin(float64(i))) }, 8, 4, 4), false, true},
		{filledMap(func(i int) float32 { return float32(math.Sin(float64(i))) }, 8, 4, 4), true, false},
		{onnxgraph.NewScalar(float32(0.5)), false, false},
	} {
		m := behind(t, "Mul", 1, c.constant, c.node, false)
		v := m.Graph.Value("constant")
		use := v.Uses()[0]
		alias := m.Graph.AddNode("Identity", []*onnxgraph.Value{v}).Output(0)
		use.Node.SetInput(use.Index, alias)
		trained, err := parameter.Baseline.Trained(m)
		if err != nil || slices.Contains(trained, "constant") != c.trains {
			t.Errorf("%+v: %q train, %v", c, trained, err)
		}
		out, err := parameter.FindLeftOut(m)
		if told := slices.Contains(out.Constants, "constant"); err != nil || told != (!c.trains && !c.node) {
			t.Errorf("%+v: left out are %+v, %v", c, out, err)
		}
	}
}

// TestComputedNumbers has single numbers that are computed from others, with and without a declared shape.
func TestComputedNumbers(t *testing.T) {
	for _, declared := range []bool{false, true} {
		for name, c := range map[string]struct {
			value float32
			make  func(g *onnxgraph.Graph, v *onnxgraph.Value) *onnxgraph.Value
			want  bool
		}{
			"learned exponent": {2.6592123, func(g *onnxgraph.Graph, v *onnxgraph.Value) *onnxgraph.Value {
				return g.AddNode("Exp", []*onnxgraph.Value{v}).Output(0)
			}, true},
			"root of a size": {64, func(g *onnxgraph.Graph, v *onnxgraph.Value) *onnxgraph.Value {
				return g.AddNode("Sqrt", []*onnxgraph.Value{v}).Output(0)
			}, false},
			"inverse root of a size": {64, func(g *onnxgraph.Graph, v *onnxgraph.Value) *onnxgraph.Value {
				one := g.AddConstant("one", onnxgraph.NewScalar(float32(1)))
				return g.AddNode("Div", []*onnxgraph.Value{one, g.AddNode("Sqrt", []*onnxgraph.Value{v}).Output(0)}).Output(0)
			}, false},
			"an exponent that a formula adds to": {2.6592123, func(g *onnxgraph.Graph, v *onnxgraph.Value) *onnxgraph.Value {
				return g.AddNode("Add", []*onnxgraph.Value{v, g.AddConstant("one", onnxgraph.NewScalar(float32(1)))}).Output(0)
			}, false},
			"bounded from above": {2.6592123, func(g *onnxgraph.Graph, v *onnxgraph.Value) *onnxgraph.Value {
				return g.AddNode("Clip", []*onnxgraph.Value{v, nil, g.AddConstant("most", onnxgraph.NewScalar(float32(4)))}).Output(0)
			}, false},
			"in a Constant node": {2.6592123, func(g *onnxgraph.Graph, _ *onnxgraph.Value) *onnxgraph.Value {
				number := g.AddNode("Constant", nil, onnxgraph.Float("value_float", 2.6592123)).Output(0)
				g.Rename(number, "number")
				return g.AddNode("Exp", []*onnxgraph.Value{number}).Output(0)
			}, false},
			"of no numbers": {0, func(g *onnxgraph.Graph, _ *onnxgraph.Value) *onnxgraph.Value {
				return g.AddNode("Exp", []*onnxgraph.Value{g.AddConstant("none", onnxgraph.NewTensor([]int64{0}, []float32{}))}).Output(0)
			}, false},
			"no numbers": {0, func(g *onnxgraph.Graph, _ *onnxgraph.Value) *onnxgraph.Value {
				return g.AddConstant("none", onnxgraph.NewTensor([]int64{0}, []float32{}))
			}, false},
		} {
			m := behind(t, "Mul", 1, nil, false, false)
			computed := c.make(m.Graph, m.Graph.AddConstant("constant", onnxgraph.NewScalar(c.value)))
			if declared {
				computed.SetType(onnxgraph.Float32, nil)
			}
			for _, n := range m.Graph.Nodes() {
				if n.Is("Mul") {
					n.SetInput(1, computed)
				}
			}
			trained, err := parameter.Baseline.Trained(m)
			if err != nil || slices.Contains(trained, "constant") != c.want || slices.Contains(trained, "number") || slices.Contains(trained, "none") {
				t.Errorf("%s, declared %v: %v train (%v)", name, declared, trained, err)
			}
			// What a formula computes from written numbers is not told of, nor what trains.
			if out, err := parameter.FindLeftOut(m); err != nil || slices.Contains(out.Constants, "constant") {
				t.Errorf("%s, declared %v: left out are %+v, %v", name, declared, out, err)
			}
		}
	}
}

// TestLeftOut has parameters that cannot train, constants before any weight, and shape arithmetic.
func TestLeftOut(t *testing.T) {
	m := onnxgraph.New("left out", 8, 18)
	g := m.Graph
	x, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 4, 4, 4))
	if err != nil {
		t.Fatal(err)
	}
	op := func(opType string, inputs []*onnxgraph.Value, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
		return g.AddNode(opType, inputs, attrs...).Output(0)
	}
	drawn := func(name string, dims ...int64) *onnxgraph.Value {
		return g.AddConstant(name, filledMap(func(i int) float32 { return float32(math.Cos(float64(i))) }, dims...))
	}
	type values = []*onnxgraph.Value
	mean := op("Clip", values{op("Exp", values{drawn("mean", 4, 1, 1)}), nil, g.AddConstant("most", onnxgraph.NewScalar(float32(2.7182745)))})
	y := op("Div", values{op("Sub", values{x, mean}), drawn("std", 4, 1, 1)})
	y = op("Mul", values{y, g.AddConstant("before", onnxgraph.NewScalar(float32(0.3172514)))})
	y = op("Div", values{op("Sub", values{y, mean}), g.Value("std")}) // each constant once more
	bytes := g.AddConstant("bytes", onnxgraph.NewTensor([]int64{4, 1, 1}, []int8{1, 2, 3, 4}))
	y = op("Sub", values{y, op("DequantizeLinear", values{bytes, drawn("steps", 4)}, onnxgraph.Int("axis", 0))})
	y = op("Conv", values{y, drawn("weight", 4, 4, 1, 1)})
	integers := g.AddConstant("integers", onnxgraph.NewTensor([]int64{4, 4, 1, 1}, make([]int8, 16)))
	y = op("Conv", values{y, op("DequantizeLinear", values{integers, g.AddConstant("step", onnxgraph.NewScalar(float32(0.0123457)))})})
	y = op("Conv", values{y, op("DequantizeLinear", values{integers, g.AddConstant("step", onnxgraph.NewScalar(float32(0.0123457)))})})
	made := op("ConstantOfShape", values{g.AddConstant("dims", onnxgraph.NewTensor([]int64{4}, []int64{4, 4, 1, 1}))})
	g.Rename(made, "made")
	y = op("Conv", values{op("Conv", values{y, made}), made})
	for _, operator := range []string{"Shape", "Size"} {
		size := op("Cast", values{op(operator, values{y})}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
		size = op("Mul", values{size, g.AddConstant("ratio", onnxgraph.NewScalar(float32(1.3921765)))})
		size = op("Add", values{size, drawn("offsets", 4)})
		g.AddOutput(op("Cast", values{size}, onnxgraph.Int("to", int64(onnxgraph.Int64))), onnxgraph.Int64, nil)
	}
	y = op("Gather", values{y, g.AddConstant("order", onnxgraph.NewTensor([]int64{4}, []int64{3, 1, 2, 0}))}, onnxgraph.Int("axis", 1))
	y = op("Resize", values{y, nil, g.AddConstant("scales", onnxgraph.NewTensor([]int64{4}, []float32{1, 1, 1.3, 1.7}))})
	g.AddOutput(y, onnxgraph.Float32, nil)
	trained, err := parameter.Baseline.Trained(m)
	if err != nil || !slices.Equal(trained, []string{"weight"}) {
		t.Errorf("%v train, %v: want weight", trained, err)
	}
	for name, role := range transformtest.RolesOf(t, m) {
		if !g.Value(name).DType().IsFloat() {
			t.Errorf("%s, of integers, is a parameter: a %s", name, role)
		}
	}
	out, err := parameter.FindLeftOut(m)
	if err != nil || !slices.Equal(out.Quantized, []string{"integers"}) || !slices.Equal(out.Unsuited, []string{"made"}) ||
		!slices.Equal(out.Constants, []string{"mean", "std"}) || out.Nested != nil {
		t.Errorf("left out are %+v, %v", out, err)
	}
}

// TestLeftOutByRole tells of what cannot train only where it stands for what trains, and not for statistics or images.
func TestLeftOutByRole(t *testing.T) {
	for _, c := range []struct {
		text, sparse        string
		quantized, unsuited []string
	}{
		{"ConstantOfShape dims -> z\nConv x w1 -> a\nBatchNormalization a g z m v -> c", "", nil, []string{"z"}},
		{"ConstantOfShape dims -> z\nConv x w1 -> a\nBatchNormalization a g b z v -> c", "", nil, nil},
		{"DequantizeLinear n s -> q\nConv x w1 -> a\nBatchNormalization a g q m v -> c", "", []string{"n"}, nil},
		{"DequantizeLinear n s -> q\nConv x w1 -> a\nBatchNormalization a g b q v -> c", "", nil, nil},
		{"Conv x w1 -> a\nBatchNormalization a g b m v -> c", "b", nil, []string{"b"}},
		{"Conv x w1 -> a\nBatchNormalization a g b m v -> c", "m", nil, nil},
		{"Conv x w1 -> a\nMul a n -> c", "n", nil, nil},
		{"Conv x x -> a", "", nil, nil},
	} {
		m := transformtest.Sketch(t, c.text)
		if c.sparse != "" {
			m = transformtest.Sparse(t, m, c.sparse)
		}
		out, err := parameter.FindLeftOut(m)
		if err != nil || !slices.Equal(out.Quantized, c.quantized) || !slices.Equal(out.Unsuited, c.unsuited) {
			t.Errorf("%s, sparse %q: left out are %+v, %v", c.text, c.sparse, out, err)
		}
	}
}

// TestLeftOutInBodies tells of what would train and is in a body, and not of statistics there.
func TestLeftOutInBodies(t *testing.T) {
	for _, place := range convcases.Places {
		flat := convcases.Named("bias").Model()
		transformtest.AddNorm(flat, 4)
		out, err := parameter.FindLeftOut(convcases.Nest(flat, place))
		want := []string{convcases.Weight, convcases.Bias, "norm.scale", "norm.shift"}
		if !place.Inside {
			want = nil
		}
		slices.Sort(want)
		slices.Sort(out.Nested)
		out.Nested = slices.Compact(out.Nested) // each branch may have one of a name
		if err != nil || !slices.Equal(out.Nested, want) {
			t.Errorf("%s: %q, %v, want %q", place.Name, out.Nested, err, want)
		}
	}
}

// TestShapesBesideConstantNodes has weights in Constant nodes beside a shape that is an initializer: a map in such a node is stored
// as weights are.
func TestShapesBesideConstantNodes(t *testing.T) {
	m := behind(t, "Mul", 1, filledMap(func(i int) float32 { return float32(math.Sin(float64(i))) }, 8, 4, 4), true, true)
	form := m.Graph.AddConstant("form", onnxgraph.NewTensor([]int64{2}, []int64{2, -1}))
	m.Graph.AddOutput(m.Graph.AddNode("Reshape", []*onnxgraph.Value{m.Graph.Outputs()[0], form}).Output(0), onnxgraph.Float32, nil)
	if trained, err := parameter.Baseline.Trained(m); err != nil || !slices.Contains(trained, "constant") {
		t.Errorf("%q train, %v", trained, err)
	}
}

// TestSelectByName chooses what trains by patterns of names.
func TestSelectByName(t *testing.T) {
	m := network()
	parameter.Separate(m)
	all, err := parameter.Baseline.Trained(m)
	if err != nil {
		t.Fatal(err)
	}
	statistic := ""
	for name, role := range transformtest.RolesOf(t, m) {
		if role == parameter.RoleRunningMean {
			statistic = name
		}
	}
	for _, c := range []struct {
		train, freeze []string
		want          []string // beside all, with - for one that is taken away; or nothing but these after "only"
		fault         string
	}{
		{nil, []string{"head*"}, []string{"-head", "-head bias"}, ""},
		{nil, []string{"hea?", "s*e"}, []string{"-head", "-slope"}, ""},
		{[]string{"half"}, nil, []string{"half"}, ""},
		{[]string{"head"}, []string{"*"}, []string{"only", "head"}, ""},
		{[]string{"input*", "head"}, []string{"head*"}, []string{"input scale", "-head bias"}, ""},
		{nil, []string{"hed"}, nil, `--freeze "hed" matches no parameter; similar names are "head"`},
		{[]string{"nothing", "head"}, []string{"none"}, nil, `"nothing" matches`},
		{nil, []string{statistic}, nil, "running statistics only"},
		{nil, []string{"[h]ead", "head."}, nil, `"[h]ead" matches`},
	} {
		got, err := parameter.Selection{Variant: parameter.Baseline, Train: c.train, Freeze: c.freeze}.Trained(m)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%v, %v: got error %v, want one with %q", c.train, c.freeze, err, c.fault)
			}
			continue
		}
		want := slices.Clone(all)
		for _, name := range c.want {
			switch {
			case name == "only":
				want = nil
			case name[0] == '-':
				want = slices.DeleteFunc(want, func(n string) bool { return n == name[1:] })
			default:
				want = append(want, name)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v: %v train, want %v (%v)", c.train, c.freeze, got, want, err)
		}
	}
}
