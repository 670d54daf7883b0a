package verify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
)

func unknown(rank int) []onnxgraph.Dim {
	return slices.Repeat([]onnxgraph.Dim{{Size: -1}}, rank)
}

// TestOpenDims compares models with themselves that run on few of the sizes that they leave open.
func TestOpenDims(t *testing.T) {
	orttest.Init(t)
	open := func(symbols ...string) (shape []onnxgraph.Dim) {
		for _, s := range symbols {
			shape = append(shape, onnxgraph.Dim{Size: -1, Param: s})
		}
		return shape
	}
	for _, c := range []struct {
		name   string
		inputs map[string][]onnxgraph.Dim
		dtype  onnxgraph.DType
		build  func(g *onnxgraph.Graph) *onnxgraph.Node
		rank   int // of the output
		fails  bool
	}{
		{"one symbol at several places", map[string][]onnxgraph.Dim{"x": open("batch", "n"), "state": open("layers", "batch", "n")}, onnxgraph.Float32,
			func(g *onnxgraph.Graph) *onnxgraph.Node {
				return g.AddNode("Add", []*onnxgraph.Value{g.Value("x"), g.Value("state")})
			}, 3, false},
		{"at least 100 samples", map[string][]onnxgraph.Dim{"x": {{Size: -1}, {Size: 1}, {Size: -1}}}, onnxgraph.Float32,
			func(g *onnxgraph.Graph) *onnxgraph.Node {
				return g.AddNode("Conv", []*onnxgraph.Value{g.Value("x"), g.AddConstant("w", onnxgraph.NewTensor([]int64{1, 1, 100}, make([]float32, 100)))})
			}, 3, false},
		{"single examples", map[string][]onnxgraph.Dim{"x": {{Size: -1, Param: "batch"}, {Size: 4}}}, onnxgraph.Float32,
			func(g *onnxgraph.Graph) *onnxgraph.Node {
				return g.AddNode("Reshape", []*onnxgraph.Value{g.Value("x"), g.AddConstant("shape", onnxgraph.NewTensor([]int64{2}, []int64{1, 4}))})
			}, 2, false},
		{"16 bits", map[string][]onnxgraph.Dim{"x": open("batch", "n")}, onnxgraph.Float16,
			func(g *onnxgraph.Graph) *onnxgraph.Node {
				return g.AddNode("Relu", []*onnxgraph.Value{g.Value("x")})
			}, 2, false},
		{"none", map[string][]onnxgraph.Dim{"x": open("batch", "n")}, onnxgraph.Float32,
			func(g *onnxgraph.Graph) *onnxgraph.Node {
				return g.AddNode("Reshape", []*onnxgraph.Value{g.Value("x"), g.AddConstant("shape", onnxgraph.NewTensor([]int64{1}, []int64{7}))})
			}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := onnxgraph.New("open", 8, 18)
			for name, shape := range c.inputs {
				if _, err := m.Graph.AddInput(name, c.dtype, shape); err != nil {
					t.Fatal(err)
				}
			}
			y := c.build(m.Graph).Output(0)
			m.Graph.Rename(y, "y")
			m.Graph.AddOutput(y, c.dtype, unknown(c.rank))
			report, err := verify.Outputs(t.Context(), m, m, verify.Options{})
			d := report.Differences
			if c.fails {
				if err == nil || strings.Count(err.Error(), "with x") < 3 || !strings.Contains(err.Error(), "--inputs") {
					t.Errorf("got %v, %v", d, err)
				}
				return
			}
			if err != nil || len(d) != 1 || d[0].Output != "y" || d[0].MaxAbs != 0 || d[0].Compared == 0 {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
}

// TestTooLargeInputs has models whose input is declared larger than memory: the error names it.
func TestTooLargeInputs(t *testing.T) {
	orttest.Init(t)
	for _, shape := range [][]int64{{1 << 40, 3}, {3, 1 << 40}, {1 << 30, 2, 2}} {
		m := onnxgraph.New("large", 8, 18)
		x, err := m.Graph.AddInput("picture", onnxgraph.Float32, onnxgraph.Static(shape...))
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.AddOutput(m.Graph.AddNode("Relu", []*onnxgraph.Value{x}).Output(0), onnxgraph.Float32, nil)
		if _, err := verify.Outputs(t.Context(), m, m.Clone(), verify.Options{Batch: 1}); err == nil || !strings.Contains(err.Error(), `"picture"`) {
			t.Errorf("shape %v: got error %v, want one that names the input", shape, err)
		}
	}
}

// TestCrashesAreForeseen has nodes that reach beyond their input, which shows only when the size of the model's input is known:
// ONNX Runtime would read memory of others. An error names the node, and nothing is run.
func TestCrashesAreForeseen(t *testing.T) {
	orttest.Init(t)
	m := onnxgraph.New("open", 8, 18)
	g := m.Graph
	x, err := g.AddInput("x", onnxgraph.Float32, unknown(2))
	if err != nil {
		t.Fatal(err)
	}
	pads := g.AddConstant("pads", onnxgraph.NewTensor([]int64{4}, []int64{0, 40, 0, 0}))
	y := g.AddNode("Pad", []*onnxgraph.Value{g.AddNode("Relu", []*onnxgraph.Value{x}).Output(0), pads}, onnxgraph.Str("mode", "reflect")).Output(0)
	y.Producer().Rename("node")
	g.Rename(y, "y")
	g.AddOutput(y, onnxgraph.Float32, unknown(2))
	narrow, wide := onnxgraph.NewTensor([]int64{1, 40}, make([]float32, 40)), onnxgraph.NewTensor([]int64{1, 41}, slices.Repeat([]float32{1}, 41))
	given := func(x *onnxgraph.Tensor) verify.Options {
		return verify.Options{Inputs: map[string]*onnxgraph.Tensor{"x": x}}
	}
	if _, err := verify.Outputs(t.Context(), m, m, given(narrow)); err == nil || !strings.Contains(err.Error(), `Pad "node"`) {
		t.Errorf("given inputs that are too narrow: got error %v", err)
	}
	if _, err := verify.Outputs(t.Context(), m, m, given(wide)); err != nil {
		t.Errorf("given inputs that are wide enough: %v", err)
	}
	x.SetType(onnxgraph.Float32, onnxgraph.Static(1, 40))
	if _, err := verify.Outputs(t.Context(), m, m, verify.Options{Batch: 1}); err == nil || !strings.Contains(err.Error(), `Pad "node"`) {
		t.Errorf("drawn inputs: got error %v", err)
	}
}
