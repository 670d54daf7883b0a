package transform_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// block is the name of the block that Convert makes of a case's model.
const block = convcases.Node

// blockModel returns a model with one frozen block, with a batch normalization in it.
func blockModel(t *testing.T) *onnxgraph.Model {
	t.Helper()
	m := convcases.Cases[1].Model()
	if _, err := transform.Convert(m, transform.Options{Between: transform.BatchNorm}); err != nil {
		t.Fatal(err)
	}
	return m
}

// withBody makes a node hold a graph, which is a copy of the model with the node.
func withBody(t *testing.T, n *onnxgraph.Node) {
	t.Helper()
	nested := convcases.Nest(convcases.Cases[0].Model(), convcases.Places[0])
	for _, other := range nested.Graph.Nodes() {
		if other.Is("If") {
			n.SetAttr(other.Attributes()...)
			return
		}
	}
	t.Fatal("there is no If")
}

// TestMalformedModels has models that no exporter writes but that fuzz tests found a way to break a pass with. A pass must
// say what is wrong with them, and leave alone what it names.
func TestMalformedModels(t *testing.T) {
	convert := func(m *onnxgraph.Model) (transform.Outcome, error) {
		rows, err := transform.Convert(m, transform.Options{})
		if len(rows) == 0 {
			return transform.Outcome{}, err
		}
		return rows[0].Outcome, err
	}
	fold := func(m *onnxgraph.Model) (transform.Outcome, error) {
		rows, err := normalization.Fold(m)
		if len(rows) == 0 {
			return transform.Outcome{}, err
		}
		return rows[0], err
	}
	merge := func(m *onnxgraph.Model) (transform.Outcome, error) {
		rows, err := transform.Merge(m)
		if len(rows) == 0 {
			return transform.Outcome{}, err
		}
		return rows[0], err
	}
	for _, c := range []struct {
		guards string
		model  func() *onnxgraph.Model
		pass   func(*onnxgraph.Model) (transform.Outcome, error)
		want   string // in the reason or the error, "" if there is none
	}{
		{"a constant that nobody can read", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			m.Graph.AddNode("Constant", nil, onnxgraph.Float("value_float", 1)).RemoveOutput(0)
			return m
		}, func(m *onnxgraph.Model) (transform.Outcome, error) {
			_, err := parameter.List(m)
			return transform.Outcome{}, err
		}, ""},
		{"the graphs in a convolution, which would be in two nodes", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			withBody(t, m.Graph.Nodes()[0])
			return m
		}, convert, "holds a graph"},
		{"the graphs in a node that moves a weight, which goes with the weight", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			conv := m.Graph.Nodes()[0]
			n := m.Graph.AddNode("Identity", []*onnxgraph.Value{conv.Input(1)})
			withBody(t, n)
			conv.SetInput(1, n.Output(0))
			return m
		}, convert, `is computed by Identity "Identity" from the model's inputs`}, // which any body can read
		{"the graphs in a normalization, which goes into the convolution before it", func() *onnxgraph.Model {
			m := blockModel(t)
			withBody(t, m.Graph.Nodes()[1])
			return m
		}, fold, "holds a graph"},
		{"the graphs in the nodes of a block, which goes", func() *onnxgraph.Model {
			m := blockModel(t)
			withBody(t, m.Graph.Nodes()[0])
			return m
		}, fold, "holds a graph"},
		{"a normalization in a block, of fewer channels than the bank has filters", func() *onnxgraph.Model {
			m := blockModel(t)
			norm := m.Graph.Nodes()[1]
			for i := range 4 {
				norm.SetInput(i+1, m.Graph.AddConstant("n", onnxgraph.NewTensor([]int64{3}, []float32{1, 2, 3})))
			}
			return m
		}, merge, "it has 3 channels"},
		{"a normalization without an output, in whose place the convolution would be", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			conv := m.Graph.Nodes()[0]
			m.Graph.RemoveOutputs()
			n := m.Graph.AddNode("BatchNormalization", []*onnxgraph.Value{conv.Output(0)})
			for i := range 4 {
				n.SetInput(i+1, m.Graph.AddConstant("n", convcases.Draw(onnxgraph.Float32, 1, 4)))
			}
			n.RemoveOutput(0)
			return m
		}, fold, "has no output"},
		{"what has neither a name nor an output to be called by", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			m.Graph.RemoveOutputs()
			n := m.Graph.AddNode("BatchNormalization", []*onnxgraph.Value{m.Graph.Nodes()[0].Output(0)})
			n.RemoveOutput(0)
			n.Rename("")
			return m
		}, fold, "has no output"},
		{"a bias of other channels, which nobody saw before the weight became a constant", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			conv := m.Graph.Nodes()[0]
			conv.SetInput(1, m.Graph.AddNode("Identity", []*onnxgraph.Value{conv.Input(1)}).Output(0))
			conv.SetInput(2, m.Graph.AddConstant("short", convcases.Draw(onnxgraph.Float32, 1, 3)))
			return m
		}, convert, `malformed: its bias "short" has 3 numbers`},
		{"an input of another rank, likewise", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			conv := m.Graph.Nodes()[0]
			conv.SetInput(1, m.Graph.AddNode("Identity", []*onnxgraph.Value{conv.Input(1)}).Output(0))
			conv.Input(0).SetType(onnxgraph.Float32, onnxgraph.Static(2, 3, 4))
			return m
		}, convert, "has 3 dims, its weight has 4"},
		{"a convolution that reads nothing", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			m.Graph.Nodes()[0].SetInput(0, nil)
			return m
		}, convert, "it has no input or no output"},
		{"a convolution that gives nothing", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			m.Graph.RemoveOutputs()
			m.Graph.Nodes()[0].RemoveOutput(0)
			return m
		}, convert, "it has no input or no output"},
		{"a weight that is another in each round of a loop", func() *onnxgraph.Model {
			m := convcases.Nest(convcases.Cases[0].Model(), convcases.Places[2])
			g := m.Graphs()[1]
			for _, n := range g.Nodes() {
				if n.Is("Conv") {
					n.SetInput(1, g.Inputs()[0])
				}
			}
			return m
		}, convert, "is an input of the body of Loop"},
		{"a block whose bias is computed, with a normalization that shifts", func() *onnxgraph.Model {
			m := blockModel(t)
			m.Graph.Value("conv.norm.shift").SetConstant(convcases.Draw(onnxgraph.Float32, 1, 4))
			m.Graph.MakeInput(m.Graph.Value(convcases.Bias))
			return m
		}, merge, `cannot be merged: the bias "conv.bias" is a graph input`},
		{"a block whose bias has fewer numbers than filters", func() *onnxgraph.Model {
			m := blockModel(t)
			m.Graph.Value("conv.norm.shift").SetConstant(convcases.Draw(onnxgraph.Float32, 1, 4))
			m.Graph.Value(convcases.Bias).SetConstant(convcases.Draw(onnxgraph.Float32, 1, 3))
			return m
		}, merge, "the bias has 3 numbers for 4 filters"},
		{"a normalization in a body, of what is computed outside", func() *onnxgraph.Model {
			flat := convcases.Cases[0].Model()
			transformtest.AddNorm(flat, 4)
			m := convcases.Nest(flat, convcases.Places[2])
			g := m.Graphs()[1]
			w := m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4, 3, 3, 3))
			outer := m.Graph.AddNode("Conv", []*onnxgraph.Value{m.Graph.Value(convcases.X), w}).Output(0)
			for _, n := range g.Nodes() {
				if n.Is("BatchNormalization") {
					n.SetInput(0, outer)
				}
			}
			return m
		}, fold, "of another graph"},
		{"a node that two records claim, which would be merged twice", func() *onnxgraph.Model {
			m := blockModel(t)
			m.SetMetadata("rcfreeze.block.other", m.Metadata("rcfreeze.block."+block))
			return m
		}, fold, `is part of block "conv" already`},
		{"a layout that no program knows, which was taken for depthwise", func() *onnxgraph.Model {
			m := blockModel(t)
			key := "rcfreeze.block." + block
			m.SetMetadata(key, strings.Replace(m.Metadata(key), `"layout":"dense"`, `"layoun":"dense"`, 1))
			return m
		}, fold, `no block of layout ""`},
		{"weights that are no numbers, which are found when the model is saved: the message must name the block", func() *onnxgraph.Model {
			m := blockModel(t)
			v := m.Graph.Value(block + ".pointwise")
			v.SetConstant(onnxgraph.NewTensor(v.Constant().Dims(), slices.Repeat([]float32{float32(math.NaN())}, int(v.Constant().Len()))))
			return m
		}, func(m *onnxgraph.Model) (transform.Outcome, error) {
			if _, err := transform.Merge(m); err != nil {
				return transform.Outcome{}, err
			}
			_, err := m.Bytes()
			return transform.Outcome{}, err
		}, `merging block "conv": combining filters: P holds NaN`},
		{"a record without the name of the source's weight, which a constant would have", func() *onnxgraph.Model {
			m := blockModel(t)
			key := "rcfreeze.block." + block
			m.SetMetadata(key, strings.Replace(m.Metadata(key), `"source_weight":"conv.weight"`, `"source_weight":""`, 1))
			return m
		}, func(m *onnxgraph.Model) (transform.Outcome, error) {
			if _, err := transform.Merge(m); err != nil {
				return transform.Outcome{}, err
			}
			data, err := m.Bytes()
			if err == nil {
				_, err = onnxgraph.Parse(data, "")
			}
			return transform.Outcome{}, err
		}, ""},
		{"a name that a record cannot hold", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			m.Graph.Nodes()[0].Rename("c\x80nv")
			return m
		}, convert, "is not UTF-8"},
		{"filters of a few bytes that a block would blow up", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			shape := m.Graph.AddConstant("shape", onnxgraph.NewTensor([]int64{4}, []int64{1 << 15, 1, 1, 3}))
			n := m.Graph.AddNode("ConstantOfShape", []*onnxgraph.Value{shape})
			m.Graph.Nodes()[0].SetInput(1, n.Output(0))
			return m
		}, convert, "choose layout depthwise"},
		{"more filters than there are, of a few bytes", func() *onnxgraph.Model {
			m := convcases.Cases[0].Model()
			shape := m.Graph.AddConstant("shape", onnxgraph.NewTensor([]int64{4}, []int64{1e9, 3, 3, 3}))
			n := m.Graph.AddNode("ConstantOfShape", []*onnxgraph.Value{shape})
			m.Graph.Nodes()[0].SetInput(1, n.Output(0))
			return m
		}, convert, "it fills dims [1000000000 3 3 3]"},
	} {
		m := c.model()
		before := m.Validate() // a program can build models that would be refused when loaded
		outcome, err := c.pass(m)
		got := outcome.Reason
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("guarding %s: got %q, want %q", c.guards, got, c.want)
		}
		if err := m.Validate(); err != nil && before == nil {
			t.Errorf("guarding %s: the model is not valid afterwards: %v", c.guards, err)
		}
	}
}
