package transform

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// TestMeanKeeper finds the constant that can take an offset of a convolution's outputs: its bias or, without one that is known, the
// mean of the batch normalization that alone reads its output.
func TestMeanKeeper(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(g *onnxgraph.Graph, conv *onnxgraph.Node, norm func(index int) *onnxgraph.Node)
		want  string // "bias", "mean", or "" for none
	}{
		{"a bias", func(g *onnxgraph.Graph, conv *onnxgraph.Node, norm func(int) *onnxgraph.Node) {
			conv.SetInput(2, g.AddConstant("b", convcases.Draw(onnxgraph.Float32, 1, 4)))
			norm(0)
		}, "bias"},
		{"a bias that is given, and a normalization", func(g *onnxgraph.Graph, conv *onnxgraph.Node, norm func(int) *onnxgraph.Node) {
			conv.SetInput(2, g.AddConstant("b", convcases.Draw(onnxgraph.Float32, 1, 4)))
			g.MakeInput(conv.Input(2))
			norm(0)
		}, "mean"},
		{"a normalization", func(_ *onnxgraph.Graph, _ *onnxgraph.Node, norm func(int) *onnxgraph.Node) { norm(0) }, "mean"},
		{"two normalizations", func(_ *onnxgraph.Graph, _ *onnxgraph.Node, norm func(int) *onnxgraph.Node) { norm(0); norm(0) }, ""},
		{"a normalization of an output", func(g *onnxgraph.Graph, conv *onnxgraph.Node, norm func(int) *onnxgraph.Node) {
			norm(0)
			g.AddOutput(conv.Output(0), onnxgraph.Float32, nil)
		}, ""},
		{"a normalization by what it computes", func(_ *onnxgraph.Graph, _ *onnxgraph.Node, norm func(int) *onnxgraph.Node) { norm(1) }, ""},
		{"a normalization with a mean that is given", func(g *onnxgraph.Graph, _ *onnxgraph.Node, norm func(int) *onnxgraph.Node) {
			g.MakeInput(norm(0).Input(3))
		}, ""},
		{"another operator of so many inputs", func(g *onnxgraph.Graph, conv *onnxgraph.Node, norm func(int) *onnxgraph.Node) {
			norm(0).SetOpType("LSTM")
		}, ""},
		{"nothing", func(*onnxgraph.Graph, *onnxgraph.Node, func(int) *onnxgraph.Node) {}, ""},
	} {
		m := convcases.Case{Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}}.Model()
		g := m.Graph
		conv := g.Nodes()[0]
		g.RemoveOutputs()
		norm := func(index int) *onnxgraph.Node {
			var inputs []*onnxgraph.Value
			for i := range 5 {
				inputs = append(inputs, g.AddConstant("norm", convcases.Draw(onnxgraph.Float32, uint64(i), 4)))
			}
			inputs[index] = conv.Output(0)
			n := g.AddNode("BatchNormalization", inputs)
			g.AddOutput(n.Output(0), onnxgraph.Float32, nil)
			return n
		}
		c.build(g, conv, norm)
		got := ""
		switch n, input := meanKeeper(conv); {
		case n == conv && input == 2:
			got = "bias"
		case n != nil && n.Is("BatchNormalization") && input == 3:
			got = "mean"
		case n != nil:
			got = n.String()
		}
		if got != c.want {
			t.Errorf("%s: found %q, want %q", c.name, got, c.want)
		}
	}
}

// TestExpansions lists powers of two, and the expansion whose bank spans all filters.
func TestExpansions(t *testing.T) {
	for _, c := range []struct {
		s    shape
		want []int
	}{
		{shape{layout: Depthwise, in: 3, out: 5, kernel: []int{3, 3}}, []int{1, 2, 4, 8, 9}},
		{shape{layout: Depthwise, in: 3, out: 5, kernel: []int{2, 2}}, []int{1, 2, 4}},
		{shape{layout: Dense, in: 4, out: 4, kernel: []int{3, 3}}, []int{1, 2, 4, 8, 9}},
		{shape{layout: Dense, in: 3, out: 4, kernel: []int{3, 3}}, []int{1, 2, 4, 7}}, // 27 weights, 4 filters at a time
		{shape{layout: Dense, in: 1, out: 16, kernel: []int{3, 3}}, []int{1}},
	} {
		if got := c.s.expansions(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.s, got, c.want)
		}
	}
}

// TestBlockNames gives nodes of one name different block names, and one without a name that of its output.
func TestBlockNames(t *testing.T) {
	m := convcases.Cases[0].Model()
	n := m.Graph.Nodes()[0]
	taken := map[string]bool{"conv_3": true}
	for _, want := range []string{"conv", "conv_2", "conv_4"} {
		if got := blockName(n, taken); got != want || !taken[got] {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	n.Rename("")
	if got := blockName(n, taken); got != convcases.Y {
		t.Errorf("without a name: %q", got)
	}
}

// TestRelativeError compares with a vector of length 5, and with nothing.
func TestRelativeError(t *testing.T) {
	for _, c := range []struct {
		want, got []float64
		error     float64
	}{
		{[]float64{3, 4}, []float64{3, 4}, 0}, {[]float64{3, 4}, []float64{3, 0}, 0.8}, {[]float64{3, 4}, []float64{-3, -4}, 2},
		{[]float64{0, 0}, []float64{0, 0}, 0}, {[]float64{0, 0}, []float64{0, 1e-9}, 1}, {[]float64{0, 0}, []float64{5, 5}, 1},
	} {
		if got := relativeError(c.want, c.got); got != c.error {
			t.Errorf("%v beside %v: %v, want %v", c.got, c.want, got, c.error)
		}
	}
}
