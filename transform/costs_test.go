package transform_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestCosts counts what the report says of each convolution: numbers in the constants of the model, and of multiplications by
// the sizes of what was computed.
func TestCosts(t *testing.T) {
	for _, c := range convcases.Cases {
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			for _, between := range []transform.Between{transform.None, transform.ReLU, transform.BatchNorm, transform.BatchNormReLU} {
				m := c.Model()
				weight := product(m.Graph.Value(convcases.Weight).Constant().Dims())
				positions := product(transformtest.Evaluate(t, m, c.Data()).Dims[2:])
				bias := int64(0)
				if c.Bias {
					bias = c.Filters
				}
				rows, err := transform.Convert(m, transform.Options{Layout: layout, Between: between, Expansion: 2, Pointwise: transform.Random})
				if err != nil {
					t.Fatal(err)
				}
				row, b := rows[0], transformtest.OnlyBlock(t, m)
				bank, pointwise := b.Bank.Constant(), b.Pointwise.Constant().Len()
				norms := int64(0)
				if slices.Contains([]transform.Between{transform.BatchNorm, transform.BatchNormReLU}, between) {
					norms = 2 * bank.Dims()[0] // scale and shift
				}
				name := fmt.Sprintf("%s/%s/%s", c.Name, layout, between)
				if want := (transform.Cost{Trainable: weight + bias, MACs: weight * positions}); row.Before != want {
					t.Errorf("%s: before: %+v, want %+v", name, row.Before, want)
				}
				if want := (transform.Cost{Trainable: pointwise + bias + norms, Bank: bank.Len(), MACs: (bank.Len() + pointwise) * positions}); row.After != want {
					t.Errorf("%s: after: %+v, want %+v", name, row.After, want)
				}
				if row.Operator != "Conv" || row.Groups != max(1, int(c.Groups)) || row.In != int(c.Input[1]) || row.Out != int(c.Filters) || row.Expansion != 2 ||
					!slices.Equal(row.Kernel, ints(c.Kernel)) || row.NewKernel != nil || row.Error != nil || row.OutputError != nil || row.Condition != nil {
					t.Errorf("%s: %+v", name, row)
				}
				if want := c.Strides; want != nil && !slices.Equal(row.Strides, ints(want)) {
					t.Errorf("%s: strides %v, want %v", name, row.Strides, want)
				}
				again, err := transform.Plan(m, transform.Options{})
				if err != nil || len(again) != 2 {
					t.Fatalf("%s: %+v, %v", name, again, err)
				}
				held := transform.Cost{}
				for _, row := range again {
					if row.After != row.Before {
						t.Errorf("%s: a block is to change from %+v to %+v", name, row.Before, row.After)
					}
					held = transform.Cost{Trainable: held.Trainable + row.After.Trainable, Bank: held.Bank + row.After.Bank, MACs: held.MACs + row.After.MACs}
				}
				if held.Trainable += norms; held != row.After {
					t.Errorf("%s: the convolutions of the block cost %+v, the block %+v", name, held, row.After)
				}
			}
		}
	}
}

func ints(list []int64) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = int(v)
	}
	return out
}

// TestUnknownCosts says nothing of multiplications where the model does not say the output's size.
func TestUnknownCosts(t *testing.T) {
	for name, declare := range map[string][]onnxgraph.Dim{
		"no shape": nil, "an open side": {{Size: 2}, {Size: 4}, {Size: -1}, {Size: 5}}, "no sides": {{Size: 2}, {Size: 4}},
	} {
		m := convcases.Cases[0].Model()
		y := m.Graph.Outputs()[0]
		m.Graph.RemoveOutputs()
		m.Graph.AddOutput(y, onnxgraph.Float32, declare)
		y.SetType(onnxgraph.Float32, declare)
		rows, err := transform.Plan(m, transform.Options{})
		if err != nil || rows[0].Before.MACs != 0 || rows[0].After.MACs != 0 || rows[0].After.Bank == 0 {
			t.Errorf("%s: %+v, %v", name, rows, err)
		}
		choices, err := transform.PlanChoices(m, transform.Options{})
		if err != nil || choices[0].Choices[0].After.MACs != 0 || choices[0].Choices[0].After.Bank == 0 {
			t.Errorf("%s: %+v, %v", name, choices, err)
		}
	}
	told := convcases.Cases[0].Model() // says all sizes
	open := told.Clone()
	open.Graph.Outputs()[0].SetType(onnxgraph.Float32, []onnxgraph.Dim{{Size: 2}, {Size: 4}, {Size: -1}, {Size: 5}})
	known, err := transform.Plan(told, transform.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := transform.Convert(open, transform.Options{Shapes: told})
	if err != nil || rows[0].Before != known[0].Before || rows[0].After != known[0].After || known[0].After.MACs == 0 {
		t.Errorf("with the shapes of a copy: %+v, %v; want %+v", rows, err, known)
	}
	if _, said := open.Graph.Outputs()[0].StaticShape(); said {
		t.Error("the shapes of a copy were written into the model")
	}
	orttest.Init(t)
	m, _ := sharedModel(t, sharings()[0]) // only the first of two places has a size
	for _, sized := range []string{"first", "second", "both"} {
		switch first, second := m.Graph.Outputs()[0], m.Graph.Outputs()[1]; sized {
		case "second":
			shape, _ := first.Shape()
			second.SetType(onnxgraph.Float32, shape)
			first.SetType(onnxgraph.Float32, nil)
		case "both":
			shape, _ := second.Shape()
			first.SetType(onnxgraph.Float32, shape)
		}
		choices, err := transform.PlanChoices(m, transform.Options{})
		if err != nil || len(choices) != 1 || (choices[0].Choices[0].After.MACs != 0) != (sized == "both") {
			t.Errorf("two places, a size for the %s: %+v, %v", sized, choices, err)
		}
	}
}

// TestCostsOfUnknownBiases counts the biases of two convolutions of one weight, which a caller gives: they are two.
func TestCostsOfUnknownBiases(t *testing.T) {
	m := convcases.Named("bias").Model()
	g := m.Graph
	conv := g.Nodes()[0]
	other := g.AddNode("Conv", []*onnxgraph.Value{conv.Input(0), conv.Input(1), g.AddConstant("other", convcases.Draw(onnxgraph.Float32, 1, 4))})
	g.AddOutput(other.Output(0), onnxgraph.Float32, nil)
	for _, n := range []*onnxgraph.Node{conv, other} {
		g.MakeInput(n.Input(2))
	}
	rows, err := transform.Convert(m, transform.Options{})
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	blocks, err := transform.Blocks(m)
	if err != nil {
		t.Fatal(err)
	}
	weights, drawn := int64(4*27), blocks[0].Pointwise.Constant().Len()
	if first, second := rows[0], rows[1]; first.Before.Trainable != weights+4 || second.Before.Trainable != 4 ||
		first.After.Trainable != drawn+4 || second.After.Trainable != 4 {
		t.Errorf("%+v, then %+v", first, second)
	}
}
