package transform_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
)

// TestSharedWeight converts two convolutions that share a weight: each gets a block, and merging leaves the graph as it was.
func TestSharedWeight(t *testing.T) {
	c := convcases.Cases[0]
	m := c.Model()
	g := m.Graph
	first := g.Nodes()[0]
	second := g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), first.Input(1)}, onnxgraph.Ints("pads", 1, 1, 1, 1))
	g.AddOutput(second.Output(0), onnxgraph.Float32, nil)
	want := transformtest.Evaluate(t, m, c.Data())
	report, err := transform.Convert(m, spanning(c, transform.Dense, transform.None))
	if err != nil || len(report) != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	if g.Value(convcases.Weight) != nil {
		t.Error("the source's weight is still there, although nothing reads it")
	}
	if outcomes, err := transform.Merge(transformtest.Reloaded(t, m)); err != nil || len(outcomes) != 2 {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if d := transformtest.Difference(t, transformtest.Evaluate(t, m, c.Data()), want); d > 1e-5 {
		t.Errorf("differs by %.2g", d)
	}
	m = c.Model()
	m.Graph.AddOutput(m.Graph.Value(convcases.Weight), onnxgraph.Float32, nil)
	if _, err := transform.Convert(m, transform.Options{}); err != nil {
		t.Fatal(err)
	}
	if m.Graph.Value(convcases.Weight) == nil {
		t.Error("the weight is gone, although it is a graph output")
	}
}

// TestSurroundings converts convolutions in graphs of every kind: all outputs stay what they are, and their names.
func TestSurroundings(t *testing.T) {
	orttest.Init(t)
	c := convcases.Named("bias")
	output := func(g *onnxgraph.Graph, n *onnxgraph.Node) { g.AddOutput(n.Output(0), onnxgraph.Float32, nil) }
	for _, row := range []struct {
		name  string
		build func(g *onnxgraph.Graph, conv *onnxgraph.Node)
	}{
		{"read by several nodes, and an output", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			output(g, g.AddNode("Relu", []*onnxgraph.Value{conv.Output(0)}))
			output(g, g.AddNode("Add", []*onnxgraph.Value{conv.Output(0), conv.Output(0)}))
		}},
		{"an output twice", func(g *onnxgraph.Graph, conv *onnxgraph.Node) { output(g, conv) }},
		{"nodes in disorder", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			n := g.AddNode("Relu", []*onnxgraph.Value{conv.Output(0)})
			g.Insert(conv, n)
			output(g, n)
		}},
		{"the weight is an output", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			g.AddOutput(conv.Input(1), onnxgraph.Float32, nil)
		}},
		{"the weight is read by others", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			output(g, g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), conv.Input(1)}, onnxgraph.Ints("dilations", 2, 2)))
			output(g, g.AddNode("Exp", []*onnxgraph.Value{conv.Input(1)}))
		}},
		{"weight and bias shared through Identity", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			through := func(v *onnxgraph.Value) *onnxgraph.Value {
				return g.AddNode("Identity", []*onnxgraph.Value{v}).Output(0)
			}
			w, b := conv.Input(1), conv.Input(2)
			output(g, g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), through(w), through(b)}))
			w = through(w)
			output(g, g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), w, b}, onnxgraph.Ints("strides", 2, 2)))
			output(g, g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), w}))
		}},
		{"without names", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			conv.Rename("")
			n := g.AddNode("Relu", []*onnxgraph.Value{conv.Output(0)})
			n.Rename("")
			output(g, n)
		}},
		{"two normalizations behind one convolution", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			ones := g.AddConstant("ones", onnxgraph.NewTensor([]int64{4}, []float32{1, 2, 3, 4}))
			for range 2 {
				output(g, g.AddNode("BatchNormalization", []*onnxgraph.Value{conv.Output(0), ones, ones, ones, ones}))
			}
		}},
		{"a normalization behind a convolution whose constants come through nodes", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			through := func(v *onnxgraph.Value) *onnxgraph.Value {
				return g.AddNode("Identity", []*onnxgraph.Value{v}).Output(0)
			}
			w, b := g.AddConstant("w", convcases.Draw(onnxgraph.Float32, 8, 4, 3, 3, 3)), g.AddConstant("b", convcases.Draw(onnxgraph.Float32, 9, 4))
			n := g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), through(w), through(b)})
			ones := g.AddConstant("ones", onnxgraph.NewTensor([]int64{4}, []float32{1, 2, 3, 4}))
			output(g, g.AddNode("BatchNormalization", []*onnxgraph.Value{n.Output(0), ones, ones, through(ones), ones}))
		}},
		{"a bias that is an output, too", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			w, b := g.AddConstant("w", convcases.Draw(onnxgraph.Float32, 8, 4, 3, 3, 3)), g.AddConstant("b", convcases.Draw(onnxgraph.Float32, 9, 4))
			n := g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), w, b})
			g.AddOutput(b, onnxgraph.Float32, nil)
			ones := g.AddConstant("ones", onnxgraph.NewTensor([]int64{4}, []float32{1, 2, 3, 4}))
			output(g, g.AddNode("BatchNormalization", []*onnxgraph.Value{n.Output(0), ones, ones, ones, ones}))
		}},
		{"normalizations that share a weight", func(g *onnxgraph.Graph, conv *onnxgraph.Node) {
			ones := g.AddConstant("ones", onnxgraph.NewTensor([]int64{4}, []float32{1, 2, 3, 4}))
			for range 2 {
				n := g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), conv.Input(1), conv.Input(2)})
				output(g, g.AddNode("BatchNormalization", []*onnxgraph.Value{n.Output(0), ones, ones, ones, ones}))
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := c.Model()
			row.build(m.Graph, m.Graph.Nodes()[0])
			want := transformtest.Outputs(t, m, map[string]*onnxgraph.Tensor{convcases.X: c.Data()})
			check := func(what string, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				m = transformtest.Reloaded(t, m)
				got := transformtest.Outputs(t, m, map[string]*onnxgraph.Tensor{convcases.X: c.Data()})
				for name, v := range want {
					if got[name] == nil {
						t.Fatalf("%s: output %q is gone", what, name)
					}
					transformtest.Compare(t, what+", output "+name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
				}
			}
			check("the source", nil)
			_, err := transform.Convert(m, spanning(c, transform.Depthwise, transform.None))
			check("blocks", err)
			_, err = transform.Merge(m)
			check("merged", err)
			_, err = normalization.Fold(m)
			check("folded", err)
		})
	}
}

// TestOldFormat keeps a file of IR version 3 as those must be: every initializer is an input.
func TestOldFormat(t *testing.T) {
	c := convcases.Cases[1]
	m := c.Model()
	m.SetIRVersion(3)
	m.SetOpset("", 8)
	for _, v := range slices.Clone(m.Graph.Initializers()) {
		tensor := v.Constant()
		onnxgraph.ReplaceUses(v, m.Graph.AddConstant(v.Name()+".as_input", tensor))
		onnxgraph.RemoveUnused(v)
	}
	want := transformtest.Evaluate(t, m, c.Data())
	if _, err := transform.Convert(m, spanning(c, transform.Depthwise, transform.BatchNorm)); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		m = transformtest.Reloaded(t, m)
		for _, v := range m.Graph.Initializers() {
			if !v.IsInput() {
				t.Errorf("initializer %q is no input", v.Name())
			}
		}
		if n := len(m.Graph.Inputs()); n != len(m.Graph.Initializers())+1 {
			t.Errorf("%d inputs for %d initializers and one true input", n, len(m.Graph.Initializers()))
		}
		if d := transformtest.Difference(t, transformtest.Evaluate(t, m, c.Data()), want); d > 1e-5 {
			t.Errorf("differs by %.2g", d)
		}
	}
	check()
	if _, err := transform.Merge(m); err != nil {
		t.Fatal(err)
	}
	check()
}

// TestNames keeps convolutions of the same name, or of none, apart.
func TestNames(t *testing.T) {
	m := convcases.Cases[0].Model()
	g := m.Graph
	w := g.Value(convcases.Weight)
	for range 2 {
		n := g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), w})
		n.Rename("")
		g.AddOutput(n.Output(0), onnxgraph.Float32, nil)
	}
	taken := g.AddConstant("conv.bank", convcases.Draw(onnxgraph.Float32, 1, 1)) // a name that the block would have
	g.AddOutput(taken, onnxgraph.Float32, nil)
	if _, err := transform.Convert(m, transform.Options{Skip: []string{"none*"}}); err == nil {
		t.Fatal("a pattern that matches nothing was accepted")
	}
	report, err := transform.Convert(m, transform.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{"": true}
	for _, row := range report {
		if seen[row.Node] {
			t.Errorf("two blocks are called %q", row.Node)
		}
		seen[row.Node] = true
	}
	if blocks, err := transform.Blocks(transformtest.Reloaded(t, m)); err != nil || len(blocks) != 3 {
		t.Errorf("%d blocks, %v", len(blocks), err)
	}
}

// TestSelection takes convolutions by name and size.
func TestSelection(t *testing.T) {
	for _, c := range []struct {
		o     transform.Options
		taken bool
	}{
		{transform.Options{Include: []string{"c*"}}, true},
		{transform.Options{Skip: []string{"*nv"}}, false},
		{transform.Options{MinKernel: 3, MaxKernel: 3}, true},
		{transform.Options{MinKernel: 4}, false},
		{transform.Options{MaxKernel: 2}, false},
	} {
		report, err := transform.Plan(convcases.Cases[0].Model(), c.o)
		if err != nil || (report[0].Status == transform.Converted) != c.taken {
			t.Errorf("%+v: %+v, %v", c.o, report, err)
		}
	}
	// Of several, those that none of the patterns or bounds excludes: by name, kernel and channels.
	m := onnxgraph.New("net", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 4, 9, 9))
	if err != nil {
		t.Fatal(err)
	}
	for name, dims := range map[string][]int64{"a/one": {4, 4, 3, 3}, "a/two": {4, 4, 5, 1}, "b": {4, 4, 2, 2}, "c": {4, 2, 3, 3}} {
		n := m.Graph.AddNode("Conv", []*onnxgraph.Value{x, m.Graph.AddConstant(name+".weight", convcases.Draw(onnxgraph.Float32, 1, dims...))})
		if dims[1] == 2 {
			n.SetInput(0, m.Graph.AddNode("Slice", []*onnxgraph.Value{x, m.Graph.AddConstant("from", onnxgraph.NewTensor([]int64{1}, []int64{0})),
				m.Graph.AddConstant("to", onnxgraph.NewTensor([]int64{1}, []int64{2})), m.Graph.AddConstant("axis", onnxgraph.NewTensor([]int64{1}, []int64{1}))}).Output(0))
		}
		n.Rename(name)
		m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, nil)
	}
	for _, c := range []struct {
		o    transform.Options
		want string
	}{
		{transform.Options{}, "a/one a/two b c"}, {transform.Options{Include: []string{"a*"}}, "a/one a/two"}, {transform.Options{Include: []string{"b", "*two"}}, "a/two b"},
		{transform.Options{Include: []string{"a*"}, Skip: []string{"*/t*"}}, "a/one"}, {transform.Options{Skip: []string{"[ab]*"}}, "c"},
		{transform.Options{MinKernel: 3}, "a/one a/two c"}, {transform.Options{MaxKernel: 3}, "a/one b c"}, {transform.Options{MinKernel: 4, MaxKernel: 5}, "a/two"},
		{transform.Options{MinInChannels: 4}, "a/one a/two b"}, {transform.Options{MinInChannels: 2}, "a/one a/two b c"}, {transform.Options{MinInChannels: 5}, ""},
	} {
		report, err := transform.Plan(m, c.o)
		var taken []string
		for _, row := range report {
			if row.Status == transform.Converted {
				taken = append(taken, row.Node)
			} else if !strings.HasPrefix(row.Reason, "not selected: ") {
				t.Errorf("%+v: %+v", c.o, row)
			}
		}
		slices.Sort(taken)
		if got := strings.Join(taken, " "); err != nil || got != c.want {
			t.Errorf("%+v: took %q, want %q, %v", c.o, got, c.want, err)
		}
	}
}

// TestTrainedResNet projects a trained ResNet-20: nine filters per kernel of nine span it, eight do not.
func TestTrainedResNet(t *testing.T) {
	path := filepath.Join(peer.Models(t), "cifar10-resnet20-trained.onnx")
	if _, err := os.Stat(path); err != nil {
		t.Skip("the folder of models has no cifar10-resnet20-trained.onnx")
	}
	for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
		for _, expansion := range []int{9, 8} {
			m, err := onnxgraph.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			report, err := transform.Convert(m, transform.Options{Layout: layout, Expansion: expansion})
			if err != nil {
				t.Fatal(err)
			}
			largest := 0.0
			for _, row := range report {
				if row.Error != nil {
					largest = max(largest, *row.Error)
				}
			}
			t.Logf("%s, expansion %d: relative error up to %.2g", layout, expansion, largest)
			if (largest < 1e-4) != (expansion == 9) { // what is left are float32 weights, which can be large for a square bank
				t.Errorf("%s, expansion %d: relative error %.2g", layout, expansion, largest)
			}
		}
	}
}

// TestInnerShapes declares the shapes within a block: those of the source's output, but for the channels.
func TestInnerShapes(t *testing.T) {
	m := convcases.Cases[0].Model()
	want, ok := m.Graph.Value(convcases.Y).StaticShape()
	if _, err := transform.Convert(m, transform.Options{Expansion: 3, Between: transform.BatchNorm}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	want[1] *= 3
	for _, name := range []string{"conv/bank_output", "conv/norm_output"} {
		if got, _ := m.Graph.Value(name).StaticShape(); !slices.Equal(got, want) {
			t.Errorf("%s has shape %v, want %v", name, got, want)
		}
	}
	for _, shape := range [][]onnxgraph.Dim{nil, onnxgraph.Static(2, 4)} { // no shape, and one that no convolution of images has
		m := convcases.Cases[0].Model()
		y := m.Graph.Outputs()[0]
		m.Graph.RemoveOutputs()
		m.Graph.AddOutput(y, onnxgraph.Float32, shape)
		y.SetType(onnxgraph.Float32, shape)
		if _, err := transform.Convert(m, transform.Options{}); err != nil {
			t.Fatal(err)
		}
		if got, ok := m.Graph.Value("conv/bank_output").Shape(); ok {
			t.Errorf("beside an output declared %v, the bank's is declared %v", shape, got)
		}
	}
}
