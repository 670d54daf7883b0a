package trainstep_test

import (
	"fmt"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// blockOf returns the block that a case is converted to, with numbers of its own in all norms.
func blockOf(t *testing.T, m *onnxgraph.Model, o transform.Options) *onnxgraph.Model {
	t.Helper()
	o.Pointwise = transform.Random
	if _, err := transform.Convert(m, o); err != nil {
		t.Fatal(err)
	}
	blocks, err := transform.Blocks(m)
	if err != nil || len(blocks) == 0 {
		t.Fatalf("%d blocks, error %v", len(blocks), err)
	}
	for _, b := range blocks {
		for _, n := range b.Between {
			if !n.Is("BatchNormalization") {
				continue
			}
			for i := range 4 {
				p := n.Input(i + 1).Constant()
				numbers, err := convcases.Draw(onnxgraph.Float64, uint64(i), p.Dims()...).Float64s()
				if err != nil {
					t.Fatal(err)
				}
				for k := range numbers {
					if i == 3 { // the variance
						numbers[k] = 0.5 + numbers[k]*numbers[k]
					}
				}
				drawn, err := onnxgraph.FromFloat64s(p.DType(), p.Dims(), numbers)
				if err != nil {
					t.Fatal(err)
				}
				n.Input(i + 1).SetConstant(drawn)
			}
		}
	}
	return m
}

func convolutions(m *onnxgraph.Model) int {
	count := 0
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if n.Is("Conv") {
				count++
			}
		}
	}
	return count
}

// TestMergeBlocks merges blocks of every kind of convolution, with everything that may be between, in every place: outputs must be
// the same but for rounding, and a linear block must be one convolution.
func TestMergeBlocks(t *testing.T) {
	tolerances := map[onnxgraph.DType]float64{onnxgraph.Float16: 5e-3, onnxgraph.Float64: 1e-12, onnxgraph.Undefined: 1e-5}
	for _, c := range convcases.Cases {
		if !c.Runs() {
			continue
		}
		for _, o := range []transform.Options{{Expansion: 1}, {Expansion: 3}, {Expansion: 4, Layout: transform.Depthwise}} {
			for _, between := range []transform.Between{transform.None, transform.BatchNorm, transform.ReLU, transform.BatchNormReLU} {
				o := o
				o.Between = between
				t.Run(fmt.Sprintf("%s/%s-%d/%s", c.Name, o.Layout, o.Expansion, between), func(t *testing.T) {
					t.Parallel()
					mergeBlocks(t, blockOf(t, c.Model(), o), c.Data(), between == transform.None || between == transform.BatchNorm, tolerances[c.DType])
				})
			}
		}
	}
	for _, place := range convcases.Places {
		if !place.Rewritten {
			continue
		}
		for _, between := range []transform.Between{transform.None, transform.BatchNorm} {
			c := convcases.Cases[1]
			t.Run(fmt.Sprintf("%s/%s", place.Name, between), func(t *testing.T) {
				m := blockOf(t, convcases.Nest(c.Model(), place), transform.Options{Expansion: 2, Between: between})
				mergeBlocks(t, m, c.Data(), true, 1e-5)
			})
		}
	}
}

func mergeBlocks(t *testing.T, m *onnxgraph.Model, x *onnxgraph.Tensor, merges bool, tolerance float64) {
	orttest.Init(t)
	output := func() []float64 {
		y, err := orttest.Run(t, m, map[string]*onnxgraph.Tensor{convcases.X: x})[convcases.Y].Float64s()
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	want, before := output(), convolutions(m)
	twoConv, merged, err := trainstep.MergeBlocks(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	after := before
	if merges {
		after = before / 2
	}
	if got := convolutions(m); got != after || merged != before-after || merged+twoConv != before/2 {
		t.Errorf("%d convolutions are left of %d; %d blocks are said to be merged, %d not", got, before, merged, twoConv)
	}
	near(t, "output", output(), want, tolerance)
}

// TestMergeBlocksLeaves checks what stays as it is.
func TestMergeBlocksLeaves(t *testing.T) {
	orttest.Init(t)
	c := convcases.Cases[0]
	t.Run("a norm that is kept", func(t *testing.T) {
		m := blockOf(t, c.Model(), transform.Options{Expansion: 2, Between: transform.BatchNorm})
		twoConv, merged, err := trainstep.MergeBlocks(m, func(n *onnxgraph.Node) bool { return n.Is("BatchNormalization") })
		if twoConv != 1 || merged != 0 || err != nil || convolutions(m) != 2 {
			t.Errorf("%d blocks are merged, error %v", merged, err)
		}
	})
	t.Run("what others read", func(t *testing.T) {
		m := blockOf(t, c.Model(), transform.Options{Expansion: 2})
		blocks, err := transform.Blocks(m)
		if err != nil {
			t.Fatal(err)
		}
		inside := blocks[0].BankConv.Output(0)
		m.Graph.AddOutput(inside, onnxgraph.Float32, nil)
		inputs := map[string]*onnxgraph.Tensor{convcases.X: c.Data()}
		before := orttest.Run(t, m, inputs)
		if _, merged, err := trainstep.MergeBlocks(m, nil); merged != 1 || err != nil {
			t.Fatalf("%d blocks are merged, error %v", merged, err)
		}
		after := orttest.Run(t, m, inputs)
		for name := range before {
			want, _ := before[name].Float32s()
			got, _ := after[name].Float32s()
			near(t, name, got, want, 1e-5)
		}
	})
	t.Run("the type of float64", func(t *testing.T) { // which ONNX Runtime has no convolution for
		c := convcases.Case{Input: []int64{1, 3, 6, 5}, Filters: 4, Kernel: []int64{3, 3}, Bias: true, DType: onnxgraph.Float64}
		m := blockOf(t, c.Model(), transform.Options{Expansion: 2, Between: transform.BatchNorm})
		if _, merged, err := trainstep.MergeBlocks(m, nil); merged != 1 || err != nil {
			t.Fatalf("%d blocks are merged, error %v", merged, err)
		}
		for _, n := range m.Graph.Nodes() {
			if n.Is("Cast") {
				t.Errorf("%s rounds numbers of float64", n)
			}
		}
	})
	t.Run("a model that another tool changed", func(t *testing.T) {
		m := blockOf(t, c.Model(), transform.Options{Expansion: 2})
		blocks, err := transform.Blocks(m)
		if err != nil {
			t.Fatal(err)
		}
		bank := blocks[0].Bank
		bank.SetConstant(convcases.Draw(onnxgraph.Float32, 9, bank.Constant().Dims()...))
		if twoConv, merged, err := trainstep.MergeBlocks(m, nil); err == nil || twoConv+merged != 0 || convolutions(m) != 2 {
			t.Errorf("%d and %d blocks, error %v", twoConv, merged, err)
		}
	})
}

// TestMergedInfersFaster checks which depthwise blocks are merged for inference, where one form takes at least half as long
// again as the other.
func TestMergedInfersFaster(t *testing.T) {
	for _, c := range []struct {
		channels  int64
		expansion int
		merges    bool
	}{{16, 1, false}, {16, 2, true}, {64, 1, false}, {64, 2, false}, {64, 8, true}, {256, 1, false}, {256, 3, false}} {
		t.Run(fmt.Sprintf("%d channels, E = %d", c.channels, c.expansion), func(t *testing.T) {
			block := convcases.Case{Input: []int64{1, c.channels, 8, 8}, Filters: c.channels, Kernel: []int64{3, 3}}
			m := blockOf(t, block.Model(), transform.Options{Expansion: c.expansion, Layout: transform.Depthwise})
			if _, merged, err := trainstep.MergeBlocks(m, nil); (merged == 1) != c.merges || err != nil {
				t.Errorf("%d blocks are merged, error %v", merged, err)
			}
		})
	}
}
