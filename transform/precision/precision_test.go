package precision_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

const (
	half   = onnxgraph.Float16
	single = onnxgraph.Float32
	double = onnxgraph.Float64
)

// network is a graph under construction, of one element type inside.
type network struct {
	*onnxgraph.Graph
	dtype onnxgraph.DType
	seed  uint64
}

func (g *network) op(operator string, inputs ...*onnxgraph.Value) *onnxgraph.Value {
	return g.AddNode(operator, inputs).Output(0)
}

func (g *network) constant(dims ...int64) *onnxgraph.Value {
	g.seed++
	return g.AddConstant("drawn", convcases.Draw(g.dtype, g.seed, dims...))
}

func (g *network) numbers(v ...float64) *onnxgraph.Value {
	t, err := onnxgraph.FromFloat64s(g.dtype, []int64{int64(len(v))}, v)
	if err != nil {
		panic(err)
	}
	return g.AddConstant("numbers", t)
}

func (g *network) ints(v ...int64) *onnxgraph.Value {
	return g.AddConstant("ints", onnxgraph.NewTensor([]int64{int64(len(v))}, v))
}

func (g *network) cast(v *onnxgraph.Value, to onnxgraph.DType) *onnxgraph.Value {
	return g.AddNode("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(to))).Output(0)
}

// networks are models x → y of every kind that has to do with element types. Each gets x in its own type.
var networks = []struct {
	name  string
	build func(g *network, x *onnxgraph.Value) *onnxgraph.Value
	casts int             // that are gone in float32
	left  int             // Casts that stay
	kept  int             // Identity nodes in the place of a Cast, for an output that is another's value
	lacks onnxgraph.DType // for which ONNX Runtime has no kernel
}{
	{name: "convolution", lacks: double, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		return g.op("Relu", g.op("Conv", x, g.constant(4, 2, 3, 3), g.constant(4)))
	}},
	{name: "float32 between", casts: 2, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		return g.op("Add", g.cast(g.op("Exp", g.cast(x, single)), g.dtype), g.numbers(0.5))
	}},
	{name: "a Cast at the end", casts: 1, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		return g.cast(g.op("Relu", x), single)
	}},
	{name: "a Cast of what is an output, too", casts: 1, kept: 1, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		v := g.op("Relu", x)
		g.AddOutput(v, g.dtype, nil)
		return g.cast(v, single)
	}},
	{name: "a Cast that others read", casts: 1, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		v := g.op("Relu", x)
		y := g.cast(v, single)
		g.AddOutput(g.op("Exp", y), single, nil)
		g.AddOutput(g.op("Neg", v), g.dtype, nil)
		return y
	}},
	{name: "integers and booleans", left: 4, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		count := g.cast(g.op("Shape", x), g.dtype)
		whole := g.cast(g.cast(g.op("Mul", x, g.numbers(3)), onnxgraph.Int32), g.dtype)
		isLarge := g.op("Greater", x, g.numbers(0.1))
		g.AddOutput(g.cast(isLarge, onnxgraph.Int64), onnxgraph.Int64, nil)
		return g.op("Where", isLarge, g.op("Add", whole, g.op("ReduceMean", count)), x)
	}},
	{name: "constants of nodes", build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		t, _ := onnxgraph.FromFloat64s(g.dtype, []int64{1}, []float64{-0.25})
		v := g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", t)).Output(0)
		filled := g.AddNode("ConstantOfShape", []*onnxgraph.Value{g.op("Shape", x)}, onnxgraph.TensorAttr("value", t)).Output(0)
		return g.op("Sum", x, v, filled)
	}},
	{name: "constants of nodes, in words of their own", casts: 2, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		one := g.AddNode("Constant", nil, onnxgraph.Float("value_float", 0.25)).Output(0)
		list := g.AddNode("Constant", nil, onnxgraph.Floats("value_floats", 1, 2, 3, 4, 5, 6)).Output(0)
		sizes := g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", onnxgraph.NewTensor([]int64{2}, []int64{1, -1}))).Output(0)
		row := g.op("Reshape", g.cast(list, g.dtype), sizes)
		g.AddNode("Constant", nil, onnxgraph.Str("value_string", "no number"))
		return g.op("Add", g.op("Mul", x, g.cast(one, g.dtype)), row)
	}},
	{name: "a type as attribute", lacks: half, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		six := g.AddConstant("six", onnxgraph.NewTensor([]int64{6, 6}, make([]int32, 36)))
		return g.op("Add", x, g.AddNode("EyeLike", []*onnxgraph.Value{six}, onnxgraph.Int("dtype", int64(g.dtype))).Output(0))
	}},
	{name: "CastLike", build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		return g.op("Mul", x, g.op("CastLike", g.ints(3), g.numbers(1)))
	}},
	{name: "resizing", lacks: double, build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		scales := g.AddConstant("scales", onnxgraph.NewTensor([]int64{4}, []float32{1, 1, 2, 1.5}))
		return g.AddNode("Resize", []*onnxgraph.Value{x, nil, scales}, onnxgraph.Str("mode", "linear")).Output(0)
	}},
	{name: "sequences", build: func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		list := g.AddNode("SplitToSequence", []*onnxgraph.Value{x}, onnxgraph.Int("axis", 1)).Output(0)
		return g.AddNode("ConcatFromSequence", []*onnxgraph.Value{list}, onnxgraph.Int("axis", 2)).Output(0)
	}},
}

// newModel builds a network with x of 1×2×6×6 numbers. A float16 network may get its images as float32.
func newModel(t *testing.T, dtype, input onnxgraph.DType, build func(g *network, x *onnxgraph.Value) *onnxgraph.Value) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	g := &network{Graph: m.Graph, dtype: dtype}
	x, err := m.Graph.AddInput(convcases.X, input, onnxgraph.Static(1, 2, 6, 6))
	if err != nil {
		t.Fatal(err)
	}
	inside := x
	if input != dtype {
		inside = g.cast(x, dtype)
	}
	y := build(g, inside)
	m.Graph.Rename(y, convcases.Y)
	out := dtype
	if y.Producer().Is("Cast") {
		out = onnxgraph.DType(y.Producer().Int("to", 0))
	}
	g.AddOutput(y, out, []onnxgraph.Dim{{Size: 1}, {Size: -1}, {Size: -1}, {Size: -1}})
	return m
}

// run runs a model, and returns its outputs as float64.
func run(t *testing.T, m *onnxgraph.Model, x *onnxgraph.Tensor) map[string]convcases.Array {
	t.Helper()
	return runOn(t, m, map[string]*onnxgraph.Tensor{convcases.X: x})
}

func runOn(t *testing.T, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) map[string]convcases.Array {
	t.Helper()
	m = m.Clone()
	outputs := m.Graph.Outputs()
	m.Graph.RemoveOutputs()
	for _, v := range outputs {
		wide := m.Graph.AddNode("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(double))).Output(0)
		m.Graph.Rename(wide, v.Name()+".wide")
		m.Graph.AddOutput(wide, onnxgraph.Undefined, nil)
	}
	arrays := map[string]convcases.Array{}
	for name, v := range orttest.Run(t, m, inputs) {
		arrays[strings.TrimSuffix(name, ".wide")] = convcases.ArrayOf(v)
	}
	return arrays
}

// in returns a tensor in another type.
func in(t *testing.T, dtype onnxgraph.DType, x *onnxgraph.Tensor) *onnxgraph.Tensor {
	t.Helper()
	data, err := x.Float64s()
	if err == nil {
		x, err = onnxgraph.FromFloat64s(dtype, x.Dims(), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// typesIn returns the floating-point types that a model has anywhere.
func typesIn(m *onnxgraph.Model) []onnxgraph.DType {
	var found []onnxgraph.DType
	add := func(d onnxgraph.DType) {
		if d.IsFloat() && !slices.Contains(found, d) {
			found = append(found, d)
		}
	}
	for _, g := range m.Graphs() {
		for _, list := range [][]*onnxgraph.Value{g.Inputs(), g.Outputs(), g.Initializers()} {
			for _, v := range list {
				add(v.DType())
			}
		}
		for _, n := range g.Nodes() {
			for _, a := range n.Attributes() {
				if tensor := n.Tensor(a.Name()); tensor != nil {
					add(tensor.DType())
				}
			}
			add(onnxgraph.DType(n.Int("to", 0)))
			add(onnxgraph.DType(n.Int("dtype", 0)))
			for _, v := range n.Outputs() {
				add(v.DType())
			}
		}
	}
	return found
}

// TestConvert converts every network from every type, and compares what it computes on ONNX Runtime with what it computed.
func TestConvert(t *testing.T) {
	orttest.Init(t)
	for _, c := range networks {
		for _, from := range []struct{ dtype, input onnxgraph.DType }{{half, half}, {half, single}, {double, double}, {single, single}} {
			for _, to := range []onnxgraph.DType{single, half} {
				if c.lacks == from.dtype || c.lacks == to {
					continue
				}
				t.Run(c.name+"/"+from.dtype.String()+" of "+from.input.String()+" to "+to.String(), func(t *testing.T) {
					m := newModel(t, from.dtype, from.input, c.build)
					x := in(t, half, convcases.Draw(single, 9, 1, 2, 6, 6)) // what every type holds
					want := run(t, m, in(t, from.input, x))
					r, err := precision.Convert(m, to)
					if err != nil {
						t.Fatal(err)
					}
					if m, err = parsed(m); err != nil {
						t.Fatal(err)
					}
					tolerance := 1e-6
					if from.dtype == half || to == half {
						tolerance = 4e-3
					}
					for name, got := range run(t, m, in(t, to, x)) {
						near(t, name, got, want[name], tolerance)
					}
					if found := typesIn(m); to == single && !slices.Equal(found, []onnxgraph.DType{single}) {
						t.Errorf("there still are %v", found)
					}
					for _, v := range append(m.Graph.Inputs(), m.Graph.Outputs()...) {
						if v.DType().IsFloat() && v.DType() != to {
							t.Errorf("%q is %v", v.Name(), v.DType())
						}
					}
					if changed := from.input != to; changed != slices.Equal(r.Inputs, []string{convcases.X}) {
						t.Errorf("inputs %v are reported as changed", r.Inputs)
					}
					if to != single || from.dtype == single {
						return
					}
					casts := c.casts
					if from.input != from.dtype {
						casts++
					}
					left, kept := 0, 0
					for _, n := range m.Graph.Nodes() {
						if n.Is("Cast") {
							left++
						}
						if n.Is("Identity") {
							kept++
						}
					}
					if r.Casts != casts || left != c.left || kept != c.kept {
						t.Errorf("%d Casts went, %d are left and %d are an Identity, want %d, %d and %d", r.Casts, left, kept, casts, c.left, c.kept)
					}
				})
			}
		}
	}
}

func parsed(m *onnxgraph.Model) (*onnxgraph.Model, error) {
	data, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	return onnxgraph.Parse(data, "")
}

func near(t *testing.T, what string, got, want convcases.Array, tolerance float64) {
	t.Helper()
	if !slices.Equal(got.Dims, want.Dims) {
		t.Errorf("%s: dims %v, want %v", what, got.Dims, want.Dims)
		return
	}
	for i, v := range want.Data {
		if v == got.Data[i] || math.IsNaN(v) && math.IsNaN(got.Data[i]) {
			continue
		}
		if !(math.Abs(got.Data[i]-v) <= tolerance*math.Max(1, math.Abs(v))) {
			t.Errorf("%s: number %d is %v, want %v", what, i, got.Data[i], v)
			return
		}
	}
}

// TestConvertPlaces converts in bodies and functions.
func TestConvertPlaces(t *testing.T) {
	orttest.Init(t)
	for _, dtype := range []onnxgraph.DType{half, double} {
		c := convcases.Case{Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true, DType: dtype}
		plain := c
		plain.DType = single
		for _, place := range convcases.Places {
			m := convcases.Nest(c.Model(), place)
			if _, err := precision.Convert(m, single); err != nil {
				t.Fatalf("%s: %v", place.Name, err)
			}
			if found := typesIn(m); !slices.Equal(found, []onnxgraph.DType{single}) {
				t.Errorf("%s: there still are %v", place.Name, found)
			}
			x := in(t, single, c.Data())
			source := plain.Model()
			for _, name := range []string{convcases.Weight, convcases.Bias} { // as the type rounds them
				source.Graph.Value(name).SetConstant(in(t, single, c.Model().Graph.Value(name).Constant()))
			}
			near(t, place.Name, run(t, m, x)[convcases.Y], run(t, source, x)[convcases.Y], 1e-5)
		}
	}
}

// TestConvertBFloat16 converts what ONNX Runtime cannot run before: every number is in float32 what it was.
func TestConvertBFloat16(t *testing.T) {
	c := convcases.Case{Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true, DType: onnxgraph.BFloat16, Opset: 22}
	m := c.Model()
	if _, err := precision.Convert(m, single); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{convcases.Weight, convcases.Bias} {
		got, want := m.Graph.Value(name).Constant(), c.Model().Graph.Value(name).Constant()
		near(t, name, convcases.ArrayOf(got), convcases.ArrayOf(want), 0)
		if got.DType() != single {
			t.Errorf("%s is %v", name, got.DType())
		}
	}
	orttest.Init(t)
	run(t, m, in(t, single, c.Data()))
}

// TestConvertBlocks keeps blocks, whose banks are other bytes now.
func TestConvertBlocks(t *testing.T) {
	c := convcases.Case{Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true, DType: half}
	m := c.Model()
	if _, err := transform.Convert(m, transform.Options{}); err != nil {
		t.Fatal(err)
	}
	damaged := m.Clone()
	damaged.SetMetadata("rcfreeze.block.conv", "{")
	if _, err := precision.Convert(damaged, single); err == nil || !strings.Contains(err.Error(), "is no record") {
		t.Errorf("with a damaged record: %v", err)
	}
	r, err := precision.Convert(m, single)
	if err != nil {
		t.Fatal(err)
	}
	if r.Constants != 3 || !r.Changed() {
		t.Errorf("changed %+v, want the bank, the 1×1 weight and the bias", r)
	}
	if m, err = parsed(m); err != nil {
		t.Fatal(err)
	}
	if blocks, err := transform.Blocks(m); err != nil || len(blocks) != 1 || blocks[0].Bank.DType() != single {
		t.Errorf("%v, %v", blocks, err)
	}
}

// TestConvertOldFormat converts files in which every constant is an input, too: each has the type that it is declared with.
func TestConvertOldFormat(t *testing.T) {
	orttest.Init(t)
	m := onnxgraph.New("old", 3, 9)
	x, err := m.Graph.AddInput(convcases.X, single, onnxgraph.Static(1, 2, 6, 6))
	if err != nil {
		t.Fatal(err)
	}
	g := &network{Graph: m.Graph, dtype: single}
	y := g.op("Conv", g.op("Upsample", x, g.numbers(1, 1, 2, 2)), g.constant(4, 2, 3, 3))
	m.Graph.Rename(y, convcases.Y)
	m.Graph.AddOutput(y, single, onnxgraph.Static(1, 4, 10, 10))
	data := in(t, half, convcases.Draw(single, 9, 1, 2, 6, 6))
	want, inputs := run(t, m, in(t, single, data)), len(m.Graph.Inputs())
	for _, to := range []onnxgraph.DType{half, single} { // there, and back
		r, err := precision.Convert(m, to)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Inputs, []string{convcases.X}) || !slices.Equal(r.Outputs, []string{convcases.Y}) {
			t.Errorf("to %v: changed inputs %v and outputs %v, want x and y", to, r.Inputs, r.Outputs)
		}
		if n := len(m.Graph.Inputs()); n != inputs {
			t.Errorf("to %v: %d inputs, there were %d", to, n, inputs)
		}
		if m, err = parsed(m); err != nil {
			t.Fatal(err)
		}
		near(t, to.String(), run(t, m, in(t, to, data))[convcases.Y], want[convcases.Y], 5e-3)
	}
	if found := typesIn(m); !slices.Equal(found, []onnxgraph.DType{single}) {
		t.Errorf("there still are %v", found)
	}
}

// TestConvertFunctionParameters names what callers of a function give of a type, which is then unknown, and takes no offence at
// what else they give.
func TestConvertFunctionParameters(t *testing.T) {
	const (
		toDouble, toGiven   = "\n\x02to\x18\x0b\xa0\x01\x02", "\n\x02to\xaa\x01\x02gg" // an attribute's message, and that of a parameter
		twoGroups, anyGroup = "\n\x05group\x18\x02\xa0\x01\x02", "\n\x05group\xaa\x01\x02gg"
	)
	for _, c := range []struct {
		name, domain, operator, plain, given string
		refused                              bool
	}{
		{"the type of a Cast", "", "Cast", toDouble, toGiven, true},
		{"what another operator calls so", "vendor", "Cast", toDouble, toGiven, false},
		{"groups", "", "Cast", twoGroups, anyGroup, false},
	} {
		flat := convcases.Case{Input: []int64{1, 4, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Groups: 2, DType: half}.Model()
		y := flat.Graph.Outputs()[0]
		flat.Graph.RemoveOutputs()
		flat.Graph.Rename(y, "inside")
		out := flat.Graph.AddNodeOf(c.domain, c.operator, []*onnxgraph.Value{y}, 1, onnxgraph.Int("to", int64(double))).Output(0)
		flat.Graph.Rename(out, convcases.Y)
		flat.Graph.AddOutput(out, double, nil)
		nested := convcases.Nest(flat, placeNamed(t, "function"))
		nested.SetOpset("vendor", 1)
		data, err := nested.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(data), c.plain); n != 1 {
			t.Fatalf("%s: the attribute is there %d times", c.name, n)
		}
		m, err := onnxgraph.Parse([]byte(strings.Replace(string(data), c.plain, c.given, 1)), "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = precision.Convert(m, single)
		if refused := err != nil && strings.Contains(err.Error(), `callers of function "Layer" give its attribute "to"`); refused != c.refused || !refused && err != nil {
			t.Errorf("%s: error %v, want it refused: %v", c.name, err, c.refused)
		}
	}
}

func placeNamed(t *testing.T, name string) convcases.Place {
	t.Helper()
	for _, p := range convcases.Places {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no place is called %q", name)
	return convcases.Place{}
}

// TestConvertCalls converts calls of the model's own functions to float16, but no operators that it does not know, though their
// name or their domain is that of a function.
func TestConvertCalls(t *testing.T) {
	data, err := convcases.Nest(convcases.Cases[0].Model(), placeNamed(t, "function")).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ domain, operator, want string }{
		{"", "Relu", ""}, {"local", "Layer", ""}, {"local", "Other", "Other"}, {"vendor", "Layer", "vendor"},
	} {
		m, err := onnxgraph.Parse(data, "")
		if err != nil {
			t.Fatal(err)
		}
		m.SetOpset("vendor", 1)
		y := m.Graph.AddNodeOf(c.domain, c.operator, []*onnxgraph.Value{m.Graph.Value(convcases.X)}, 1).Output(0)
		m.Graph.AddOutput(y, onnxgraph.Undefined, nil)
		_, err = precision.Convert(m, half)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of domain %q: error %v, want one with %q", c.operator, c.domain, err, c.want)
		}
	}
}

// TestConvertLeavesOtherDomains leaves alone what only looks like a type: attributes of operators that it does not know.
func TestConvertLeavesOtherDomains(t *testing.T) {
	m := newModel(t, half, half, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		return g.AddNodeOf("com.microsoft", "Gelu", []*onnxgraph.Value{x}, 1, onnxgraph.Int("to", int64(half))).Output(0)
	})
	if _, err := precision.Convert(m, single); err != nil {
		t.Fatal(err)
	}
	if to := m.Graph.Nodes()[0].Int("to", 0); to != int64(half) {
		t.Errorf("the attribute is %d, was %d", to, half)
	}
	if !precision.IsAll(m, single) {
		t.Error("not all is float32")
	}
}

// TestConvertOuterValue has a Cast in the bodies of an If, of a value from outside of them.
func TestConvertOuterValue(t *testing.T) {
	orttest.Init(t)
	flat := newModel(t, half, half, func(g *network, x *onnxgraph.Value) *onnxgraph.Value { return g.cast(x, single) })
	m := convcases.Nest(flat, placeNamed(t, "branches"))
	outer := m.Graph.AddNode("Relu", []*onnxgraph.Value{m.Graph.Value(convcases.X)}).Output(0)
	for _, g := range m.Graphs()[1:] {
		for _, n := range g.Nodes() {
			n.SetInput(0, outer)
		}
	}
	x := in(t, half, convcases.Draw(single, 9, 1, 2, 6, 6))
	want := run(t, m, x)
	if _, err := precision.Convert(m, single); err != nil {
		t.Fatal(err)
	}
	m, err := parsed(m)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "y", run(t, m, in(t, single, x))[convcases.Y], want[convcases.Y], 1e-6)
}

// TestConvertUnreadCast leaves a Cast that gives nothing, as no exporter writes it.
func TestConvertUnreadCast(t *testing.T) {
	m := newModel(t, half, half, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		g.cast(x, single).Producer().RemoveOutput(0)
		return g.op("Relu", x)
	})
	if _, err := precision.Convert(m, single); err != nil {
		t.Error(err)
	}
}

// TestConvertAddsNothing leaves operators that make float32 by themselves as they are in float32.
func TestConvertAddsNothing(t *testing.T) {
	m := newModel(t, half, half, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		filled := g.op("ConstantOfShape", g.ints(1))
		drawn := g.AddNode("RandomNormal", nil, onnxgraph.Ints("shape", 1)).Output(0)
		return g.op("Sum", g.cast(x, single), filled, drawn)
	})
	if _, err := precision.Convert(m, single); err != nil {
		t.Fatal(err)
	}
	for _, n := range m.Graph.Nodes() {
		if n.Has("value") || n.Has("dtype") {
			t.Errorf("%s has the attributes %v", n, n.Attributes())
		}
	}
}
