package batch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

type input struct {
	name  string
	shape []onnxgraph.Dim
}

func newModel(t *testing.T, inputs ...input) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	for _, in := range inputs {
		if _, err := m.Graph.AddInput(in.name, onnxgraph.Float32, in.shape); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func open(param string, sizes ...int64) []onnxgraph.Dim {
	return append([]onnxgraph.Dim{{Size: -1, Param: param}}, onnxgraph.Static(sizes...)...)
}

func TestInputShape(t *testing.T) {
	cases := []struct {
		name     string
		declared []onnxgraph.Dim
		shape    []int64
		want     []string // parts of the error, none if there is none
	}{
		{"open batch", open("batch", 3, 8, 8), []int64{5, 3, 8, 8}, nil},
		{"nameless batch", open("", 3, 8, 8), []int64{5, 3, 8, 8}, nil},
		{"fixed batch", onnxgraph.Static(1, 3, 8, 8), []int64{5, 3, 8, 8}, nil},
		{"all open", []onnxgraph.Dim{{Size: -1}, {Size: -1}, {Size: -1}, {Size: -1}}, []int64{5, 3, 8, 8}, nil},
		{"other height", open("batch", 3, 8, 9), []int64{5, 3, 7, 9}, []string{`"images"`, "[batch 3 8 9]", "[5 3 7 9]"}},
		{"other channels", open("", 1, 8, 8), []int64{5, 3, 8, 8}, []string{"[? 1 8 8]", "[5 3 8 8]"}},
		{"other rank", open("batch", 192), []int64{5, 3, 8, 8}, []string{"[batch 192]", "[5 3 8 8]"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t, input{"images", c.declared})
			err := batch.SetInputShape(m, c.shape)
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got error %v, want one with %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want one with %q", err, want)
				}
			}
			if shape, ok := m.Graph.Inputs()[0].StaticShape(); err == nil && !(ok && slices.Equal(shape, c.shape)) {
				t.Errorf("the input's shape is %v, want %v", shape, c.shape)
			}
		})
	}
}

func TestInput(t *testing.T) {
	image := input{"images", open("batch", 3, 8, 8)}
	cases := []struct {
		name   string
		inputs []input
		want   string
	}{
		{"none", nil, "has 0 inputs"},
		{"two", []input{image, {"scale", onnxgraph.Static(1)}}, `has 2 inputs ["images" "scale"], needs exactly 1`},
		{"vector", []input{{"images", onnxgraph.Static(3)}}, `input "images" has rank 1`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := batch.Input(newModel(t, c.inputs...)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
	t.Run("defaults", func(t *testing.T) {
		m := onnxgraph.New("net", 3, 9) // before IR version 4 initializers are inputs too
		m.Graph.AddConstant("w", onnxgraph.NewScalar[float32](1))
		want, err := m.Graph.AddInput("images", onnxgraph.Float32, image.shape)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := batch.Input(m); got != want || err != nil {
			t.Errorf("got %v, %v: want the input without a default", got, err)
		}
	})
}

// TestTargets checks which constants follow the batch size from 2 to 5, and to any.
func TestTargets(t *testing.T) {
	cases := []struct {
		name     string
		op       string
		constant bool // the target is a Constant node's
		data     bool // what is reshaped depends on the images
		target   []int64
		five     []int64
		open     []int64 // nil if the sizes are computed
	}{
		{"batch", "Reshape", false, true, []int64{2, 192}, []int64{5, 192}, []int64{-1, 192}},
		{"batch and rest", "Reshape", false, true, []int64{2, -1}, []int64{5, -1}, []int64{0, -1}},
		{"Constant node", "Reshape", true, true, []int64{2, 192}, []int64{5, 192}, []int64{-1, 192}},
		{"open batch", "Reshape", false, true, []int64{-1, 192}, []int64{-1, 192}, []int64{-1, 192}},
		{"other first size", "Reshape", false, true, []int64{3, -1}, []int64{3, -1}, []int64{3, -1}},
		{"weight", "Reshape", false, false, []int64{2, 96}, []int64{2, 96}, []int64{2, 96}},
		{"not of this batch", "Reshape", false, false, []int64{2, -1}, []int64{2, -1}, []int64{2, -1}},
		{"nothing", "Reshape", false, true, []int64{}, []int64{}, []int64{}},
		{"stretched", "Expand", false, true, []int64{2, 3, 8, 8}, []int64{5, 3, 8, 8}, []int64{1, 3, 8, 8}},
		{"enlarged", "Resize", false, true, []int64{2, 3, 16, 16}, []int64{5, 3, 16, 16}, nil},
	}
	for _, c := range cases {
		for size, want := range map[int64][]int64{5: c.five, -1: c.open} {
			t.Run(fmt.Sprint(c.name, " to ", size), func(t *testing.T) {
				m := newModel(t, input{"images", onnxgraph.Static(2, 3, 8, 8)})
				g := m.Graph
				tensor := onnxgraph.NewTensor([]int64{int64(len(c.target))}, c.target)
				var target *onnxgraph.Value
				if c.constant {
					target = g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", tensor)).Output(0)
				} else {
					target = g.AddConstant("target", tensor)
				}
				data := g.Value("images")
				if !c.data {
					data = g.AddConstant("weight", onnxgraph.NewTensor([]int64{192}, make([]float32, 192)))
				}
				data = g.AddNode("Relu", []*onnxgraph.Value{data}).Output(0)
				inputs := []*onnxgraph.Value{data, target}
				if c.op == "Resize" {
					inputs = []*onnxgraph.Value{data, nil, nil, target}
				}
				node := g.AddNode(c.op, inputs)
				other := g.AddNode("ConstantOfShape", []*onnxgraph.Value{target})
				g.AddOutput(node.Output(0), onnxgraph.Float32, onnxgraph.Static(2, 192))
				g.AddOutput(other.Output(0), onnxgraph.Float32, onnxgraph.Static(7))
				dim := onnxgraph.Dim{Size: size}
				if size < 0 {
					dim.Param = "any"
				}
				if err := batch.SetSize(m, dim); err != nil {
					t.Fatal(err)
				}
				last := node.Input(len(inputs) - 1)
				if want == nil {
					if last.Constant() != nil || !last.Producer().Is("Concat") {
						t.Errorf("the sizes are not computed from the data's")
					}
				} else if got, err := last.Constant().Int64s(); err != nil || !slices.Equal(got, want) {
					t.Errorf("the target is %v (%v), want %v", got, err, want)
				}
				if got, _ := other.Input(0).Constant().Int64s(); !slices.Equal(got, c.target) {
					t.Errorf("another reader of the target sees %v, want %v", got, c.target)
				}
				for v, want := range map[*onnxgraph.Value]onnxgraph.Dim{
					g.Inputs()[0]: dim, g.Outputs()[0]: dim, g.Outputs()[1]: {Size: 7}} {
					if shape, ok := v.Shape(); !ok || shape[0] != want {
						t.Errorf("%q is declared %v, want %v first", v.Name(), shape, want)
					}
				}
			})
		}
	}
}

// TestTargetsBehindBodies changes the sizes of what a body makes of the images, and not those of a weight that a node reads without
// its optional input, even behind a node without an optional output.
func TestTargetsBehindBodies(t *testing.T) {
	m := newModel(t, input{"images", onnxgraph.Static(2, 3, 8, 8)})
	g := m.Graph
	type values = []*onnxgraph.Value
	relu := g.AddNode("Relu", values{g.Value("images")}).Output(0)
	g.AddNodeOf("", "Unique", values{g.Value("images")}, 3).RemoveOutput(1)
	clipped := g.AddNode("Clip", values{g.AddConstant("weight", onnxgraph.NewTensor([]int64{192}, make([]float32, 192))), nil, g.AddConstant("most", onnxgraph.NewScalar(float32(1)))}).Output(0)
	for _, v := range []*onnxgraph.Value{relu, clipped} {
		target := g.AddConstant("target", onnxgraph.NewTensor([]int64{2}, []int64{2, -1}))
		g.AddOutput(g.AddNode("Reshape", values{v, target}).Output(0), onnxgraph.Float32, nil)
	}
	m = convcases.Capture(m, relu.Name())
	if err := batch.SetSize(m, onnxgraph.Dim{Size: 5}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{5, 2} {
		sizes, err := m.Graph.Outputs()[i].Producer().Input(1).Constant().Int64s()
		if err != nil || !slices.Equal(sizes, []int64{want, -1}) {
			t.Errorf("Reshape %d has the sizes %v (%v), want %v", i, sizes, err, want)
		}
	}
}

// TestInputShapeForgets checks that outputs lose the old shape, and Reshapes follow, as with SetSize.
func TestInputShapeForgets(t *testing.T) {
	m := newModel(t, input{"images", onnxgraph.Static(2, 3, 8, 8)})
	g := m.Graph
	reshape := g.AddNode("Reshape", []*onnxgraph.Value{g.Inputs()[0], g.AddConstant("target", onnxgraph.NewTensor([]int64{2}, []int64{2, 192}))})
	g.AddOutput(reshape.Output(0), onnxgraph.Float32, onnxgraph.Static(2, 192))
	if err := batch.SetInputShape(m, []int64{5, 3, 8, 8}); err != nil {
		t.Fatal(err)
	}
	if _, ok := reshape.Output(0).Shape(); ok {
		t.Error("the output's old shape is still declared")
	}
	if got, _ := reshape.Input(1).Constant().Int64s(); !slices.Equal(got, []int64{5, 192}) {
		t.Errorf("the target is %v", got)
	}
}

// TestTargetsOfOthers checks what does not follow the batch size, though a constant names it as the first of its numbers.
func TestTargetsOfOthers(t *testing.T) {
	type values = []*onnxgraph.Value
	for name, add := range map[string]func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node{
		"another operator": func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Tile", values{x, sizes})
		},
		"another domain": func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNodeOf("custom", "Reshape", values{x, sizes}, 1)
		},
		"sizes of some axes": func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Resize", values{x, nil, nil, sizes}, onnxgraph.Ints("axes", 2, 3))
		},
		"sizes of some axes, the first of all": func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Resize", values{x, nil, nil, sizes}, onnxgraph.Ints("axes", 1))
		},
		"no sizes": func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Reshape", values{x})
		},
		"scales": func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Resize", values{x, nil, sizes})
		},
		"computed sizes": func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Reshape", values{x, g.AddNode("Neg", values{sizes}).Output(0)})
		},
		"sizes that are no integers": func(g *onnxgraph.Graph, x, sizes *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Reshape", values{x, g.AddConstant("f", onnxgraph.NewTensor([]int64{2}, []float32{2, -1}))})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, from := range []onnxgraph.Dim{{Size: 2}, {Size: -1}} {
				m := newModel(t, input{"images", append([]onnxgraph.Dim{from}, onnxgraph.Static(3, 8, 8)...)})
				sizes := m.Graph.AddConstant("sizes", onnxgraph.NewTensor([]int64{2}, []int64{from.Size, 4}))
				n := add(m.Graph, m.Graph.Value("images"), sizes)
				m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, nil)
				next := m.Graph.AddNode("Reshape", values{n.Output(0), sizes}) // follows all the same
				before := slices.Clone(n.Inputs())
				if err := batch.SetSize(m, onnxgraph.Dim{Size: 5}); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(n.Inputs(), before) {
					t.Errorf("from %v: the node reads %v, want %v", from, n.Inputs(), before)
				}
				if follows := next.Input(1) != sizes; follows != (from.Size >= 0) {
					t.Errorf("from %v: the Reshape behind it reads %v", from, next.Input(1))
				}
			}
		})
	}
	t.Run("an open size", func(t *testing.T) { // is not that of an open batch
		m := newModel(t, input{"images", open("N", 3, 8, 8)})
		n := m.Graph.AddNode("Reshape", values{m.Graph.Value("images"), m.Graph.AddConstant("sizes", onnxgraph.NewTensor([]int64{2}, []int64{-1, 96}))})
		m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, nil)
		before := n.Input(1)
		if err := batch.SetInputShape(m, []int64{4, 3, 8, 8}); err != nil || n.Input(1) != before {
			t.Errorf("the node reads %v (%v)", n.Input(1), err)
		}
	})
}

// TestSizeOnRuntime runs models of two images on three, after a change to three and to any: what comes out for an image must
// be what came out for it before. The types of values in between must not stand in the way.
func TestSizeOnRuntime(t *testing.T) {
	orttest.Init(t)
	type values = []*onnxgraph.Value
	shape := func(g *onnxgraph.Graph, v ...int64) *onnxgraph.Value {
		return g.AddConstant("shape", onnxgraph.NewTensor([]int64{int64(len(v))}, v))
	}
	for name, add := range map[string]func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node{
		"flat": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Reshape", values{x, shape(g, 2, 12)})
		},
		"flat, the rest open": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Reshape", values{x, shape(g, 2, -1)})
		},
		"flat, the rest open, zeros allowed": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Reshape", values{x, shape(g, 2, -1)}, onnxgraph.Int("allowzero", 1))
		},
		"sizes kept, zeros allowed": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Reshape", values{x, shape(g, 2, 3, 4)}, onnxgraph.Int("allowzero", 1))
		},
		"stretched": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Expand", values{x, shape(g, 2, 3, 2, 2)})
		},
		"enlarged": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node {
			return g.AddNode("Resize", values{x, nil, nil, shape(g, 2, 3, 6, 4)})
		},
	} {
		for _, size := range []onnxgraph.Dim{{Size: 3}, {Size: -1, Param: "N"}} {
			m := newModel(t, input{"images", onnxgraph.Static(2, 3, 2, 2)})
			g := m.Graph
			inside := g.AddNode("Neg", values{g.Value("images")}).Output(0)
			inside.SetType(onnxgraph.Float32, onnxgraph.Static(2, 3, 2, 2))
			y := add(g, inside).Output(0)
			g.Rename(y, "y")
			g.AddOutput(y, onnxgraph.Float32, nil)
			g.ForgetShapes()
			inside.SetType(onnxgraph.Float32, onnxgraph.Static(2, 3, 2, 2))
			feed := func(from, to int) map[string]*onnxgraph.Tensor {
				var data []float32
				for i := from * 12; i < to*12; i++ {
					data = append(data, float32(i))
				}
				return map[string]*onnxgraph.Tensor{"images": onnxgraph.NewTensor([]int64{int64(to - from), 3, 2, 2}, data)}
			}
			numbers := func(m *onnxgraph.Model, from, to int) []float32 {
				y, err := orttest.Run(t, m, feed(from, to))["y"].Float32s()
				if err != nil {
					t.Fatal(err)
				}
				return y
			}
			want := append(numbers(m, 0, 2), numbers(m, 2, 4)...)
			if err := batch.SetSize(m, size); err != nil {
				t.Fatal(err)
			}
			if _, ok := inside.Shape(); ok {
				t.Errorf("%s: a value in between is still declared of the old size", name)
			}
			if got := numbers(m, 0, 3); !slices.Equal(got, want[:len(want)/4*3]) {
				t.Errorf("%s, size %v: got %v, want %v", name, size, got, want)
			}
		}
	}
}
