package transform

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// TestElements counts the elements of tensors up to 2^23.
func TestElements(t *testing.T) {
	for _, c := range []struct {
		dims  []int64
		count int
		fits  bool
	}{
		{nil, 1, true}, {[]int64{0, 5}, 0, true}, {[]int64{2, 3, 4}, 24, true}, {[]int64{-1}, 0, false},
		{[]int64{1 << 23}, 1 << 23, true}, {[]int64{1<<23 + 1}, 0, false}, {[]int64{1 << 22, 2}, 1 << 23, true}, {[]int64{1 << 22, 3}, 0, false},
		{[]int64{1 << 62, 1 << 62}, 0, false}, {[]int64{1 << 23, 1 << 23}, 0, false},
	} {
		if count, fits := elements(c.dims); count != c.count || fits != c.fits {
			t.Errorf("%v: %d, %v, want %d, %v", c.dims, count, fits, c.count, c.fits)
		}
	}
}

// TestMemoryBound converts two convolutions with just enough memory for both 1×1 weights and for solving for the larger one, and
// with a byte less.
func TestMemoryBound(t *testing.T) {
	for _, c := range []struct {
		dtype onnxgraph.DType
		bytes int64 // of a number
	}{{onnxgraph.Float16, 2}, {onnxgraph.Float32, 4}, {onnxgraph.Float64, 8}} {
		row := convcases.Case{Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, DType: c.dtype}
		m := row.Model()
		small := m.Graph.AddNode("Conv", []*onnxgraph.Value{m.Graph.Value(convcases.X), m.Graph.AddConstant("small", convcases.Draw(c.dtype, 1, 2, 3, 3, 3))})
		m.Graph.AddOutput(small.Output(0), c.dtype, nil)
		o := Options{Expansion: 5}
		candidates, err := prepare(m, o.WithDefaults())
		if err != nil || len(candidates) != 2 {
			t.Fatal(candidates, err)
		}
		weights := int64(4*4*5 + 2*2*5) // out × out·expansion
		o.Memory = weights*c.bytes + max(candidates[0].workspace(), candidates[1].workspace())
		if _, err := Convert(m.Clone(), o); err != nil {
			t.Errorf("%v: with all that it needs: %v", c.dtype, err)
		}
		o.Memory--
		if _, err := Convert(m, o); err == nil {
			t.Errorf("%v: with a byte less: no error", c.dtype)
		}
	}
}

// TestWorkspaceOfChosen plans for the largest expansion that may be chosen, and not for the smallest.
func TestWorkspaceOfChosen(t *testing.T) {
	for _, layout := range []Layout{Dense, Depthwise} {
		c := convcases.Case{Input: []int64{1, 16, 8, 8}, Filters: 16, Kernel: []int64{3, 3}}
		workspace := func(o Options) int64 {
			candidates, err := prepare(c.Model(), o.WithDefaults())
			if err != nil {
				t.Fatal(err)
			}
			return candidates[0].workspace()
		}
		if chosen, nine := workspace(Options{Layout: layout, MaxError: 0.1}), workspace(Options{Layout: layout, Expansion: 9}); chosen != nine {
			t.Errorf("%s: it is to take %d bytes, and those of the largest expansion %d", layout, chosen, nine)
		}
	}
}

// TestMalformedLayers has nodes with inputs absent that they need, and permutations of axes that are not there, where the start of a
// bias or a weight depends on them. What is not known starts with zeros; nothing panics.
func TestMalformedLayers(t *testing.T) {
	draw := func(g *onnxgraph.Graph, name string, dims ...int64) *onnxgraph.Value {
		return g.AddConstant(name, convcases.Draw(onnxgraph.Float32, 3, dims...))
	}
	computed := func(g *onnxgraph.Graph, dims ...int64) *onnxgraph.Value { // without declared dims
		w := g.AddNode("Tanh", []*onnxgraph.Value{draw(g, "weight", dims...)}).Output(0)
		w.SetType(onnxgraph.Float32, nil)
		return w
	}
	for name, build := range map[string]func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Value{
		"a bias beside nothing": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Value {
			y := g.AddNode("MatMul", []*onnxgraph.Value{x, draw(g, "weight", 4, 4)}).Output(0)
			return g.AddNode("Add", []*onnxgraph.Value{draw(g, "bias", 4), nil, y}).Output(0)
		},
		"a bias beside the images": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Value {
			y := g.AddNode("MatMul", []*onnxgraph.Value{x, draw(g, "weight", 4, 4)}).Output(0)
			return g.AddNode("Add", []*onnxgraph.Value{draw(g, "bias", 4), x, y}).Output(0)
		},
		"a bias of several axes behind a weight of unknown dims": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Value {
			y := g.AddNode("MatMul", []*onnxgraph.Value{x, computed(g, 4, 4)}).Output(0)
			return g.AddNode("Add", []*onnxgraph.Value{y, draw(g, "bias", 2, 4)}).Output(0)
		},
		"a weight of one axis": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Value {
			return g.AddNode("MatMul", []*onnxgraph.Value{x, draw(g, "weight", 4)}).Output(0)
		},
		"axes that are not there": func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Value {
			w := computed(g, 4, 4)
			w.SetType(onnxgraph.Float32, onnxgraph.Static(4, 4))
			for _, perm := range [][]int64{{-1, 0}, {1, 2}, {0, 1, 1}, {1, 9}} {
				w = g.AddNode("Transpose", []*onnxgraph.Value{w}, onnxgraph.Ints("perm", perm...)).Output(0)
			}
			return g.AddNode("MatMul", []*onnxgraph.Value{x, w}).Output(0)
		},
	} {
		m := onnxgraph.New("net", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 4))
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.AddOutput(build(m.Graph, x), onnxgraph.Float32, nil)
		if _, err := Reinit(m, ReinitOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		bias := m.Graph.Value("bias")
		if bias == nil {
			continue
		}
		if data, err := bias.Constant().Float64s(); err != nil || slices.ContainsFunc(data, func(x float64) bool { return x != 0 }) {
			t.Errorf("%s: the bias starts with %v, %v", name, data, err)
		}
	}
}
