package parameter_test

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

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
		if _, err := parameter.Reinit(m, parameter.ReinitOptions{}); err != nil {
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
