package parameter_test

import (
	"bytes"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestStartBanks draws blocks anew that were made with one seed: those that train then are what Convert makes with the other
// seed, of the same kind, and recorded so; those that do not train stay.
func TestStartBanks(t *testing.T) {
	const made, drawn = 1, 7
	options := map[string]transform.Options{
		"depthwise":          {Layout: transform.Depthwise, Expansion: 3},
		"dense, expansion 2": {Expansion: 2, Between: transform.BatchNorm},
		"source's filters":   {Pointwise: transform.Identity},
	}
	for _, kind := range filterbank.Names() {
		options[kind] = transform.Options{Bank: kind}
	}
	for name, o := range options {
		for _, v := range []parameter.Variant{parameter.Frozen, parameter.Learned} {
			t.Run(name+", "+string(v), func(t *testing.T) {
				o.Seed = made
				m := transformtest.Converted(t, convcases.Cases[0], o)
				before := constantBytes(t, m, "conv.bank")
				recorded := transformtest.OnlyBlock(t, m).Record.Bank
				if err := v.Start(m, drawn, true); err != nil {
					t.Fatal(err)
				}
				m = transformtest.Reloaded(t, m)
				r := transformtest.OnlyBlock(t, m).Record // which compares the bank with its hash
				if r.Pointwise != transform.Random || r.Trained {
					t.Errorf("the 1×1 convolution is recorded as %s, trained %v", r.Pointwise, r.Trained)
				}
				want, kind, seed := before, recorded, uint64(made)
				if v == parameter.Learned {
					seed = drawn
					o.Seed, o.Pointwise = drawn, transform.Random
					other := transformtest.Converted(t, convcases.Cases[0], o)
					want, kind = constantBytes(t, other, "conv.bank"), transformtest.OnlyBlock(t, other).Record.Bank
				}
				if r.Bank != kind || r.Seed != seed || !bytes.Equal(constantBytes(t, m, "conv.bank"), want) {
					t.Errorf("the bank is recorded as %s of seed %d, want %s of %d, or has other numbers", r.Bank, r.Seed, kind, seed)
				}
			})
		}
	}
}

// TestStartSharedBank draws the bank that two blocks share anew: it is what Convert draws for the first of them, and both blocks
// are recorded so.
func TestStartSharedBank(t *testing.T) {
	shared := func(seed uint64) *onnxgraph.Model {
		m := convcases.Named("bias").Model()
		conv := m.Graph.Nodes()[0]
		n := m.Graph.AddNode("Conv", conv.Inputs())
		n.Rename("other")
		m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, nil)
		if _, err := transform.Convert(m, transform.Options{Seed: seed, Pointwise: transform.Random}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m, want := shared(1), shared(7)
	if err := parameter.Learned.Start(m, 7, true); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(constantBytes(t, m, "conv.bank"), constantBytes(t, want, "conv.bank")) {
		t.Error("the bank is not what Convert draws")
	}
	blocks, err := transform.Blocks(transformtest.Reloaded(t, m))
	if err != nil || len(blocks) != 2 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	for _, b := range blocks {
		if b.Record.Seed != 7 {
			t.Errorf("block %q is recorded with the seed %d", b.Name, b.Record.Seed)
		}
	}
}

// TestStart says of each variant what of a model is drawn anew.
func TestStart(t *testing.T) {
	for _, c := range []struct {
		variant parameter.Variant
		scratch bool
		changes map[string]bool
	}{
		{parameter.Baseline, false, map[string]bool{"conv.weight": false, "conv.bias": false}},
		{parameter.Baseline, true, map[string]bool{"conv.weight": true, "conv.bias": true}},
		{parameter.FrozenBaseline, false, map[string]bool{"conv.weight": true, "conv.bias": false}},
		{parameter.FrozenBaseline, false, map[string]bool{"transposed.weight": false, "pointwise.weight": false}}, // frozen blocks leave them, too
		{parameter.FrozenBaseline, true, map[string]bool{"transposed.weight": true, "pointwise.weight": true}},
		{parameter.FrozenBaseline, true, map[string]bool{"conv.weight": true, "conv.bias": true}},
		{parameter.Frozen, false, map[string]bool{"conv.bank": false, "conv.pointwise": false, "conv.bias": false}},
		{parameter.Frozen, true, map[string]bool{"conv.bank": false, "conv.pointwise": true, "conv.bias": true}},
		{parameter.Learned, false, map[string]bool{"conv.bank": false, "conv.pointwise": false, "conv.bias": false}},
		{parameter.Learned, true, map[string]bool{"conv.bank": true, "conv.pointwise": true, "conv.bias": true}},
	} {
		m := convcases.Named("bias").Model()
		if c.variant.HasBlocks() {
			m = transformtest.Converted(t, convcases.Named("bias"), transform.Options{})
		}
		for _, row := range []struct {
			operator, weight string
			dims             []int64
		}{{"ConvTranspose", "transposed.weight", []int64{4, 2, 3, 3}}, {"Conv", "pointwise.weight", []int64{2, 4, 1, 1}}} {
			w := m.Graph.AddConstant(row.weight, convcases.Draw(onnxgraph.Float32, 1, row.dims...))
			m.Graph.AddOutput(m.Graph.AddNode(row.operator, []*onnxgraph.Value{m.Graph.Value(convcases.Y), w}).Output(0), onnxgraph.Float32, nil)
		}
		was := m.Clone()
		if err := c.variant.Start(m, 5, c.scratch); err != nil {
			t.Fatal(err)
		}
		for name, want := range c.changes {
			if got := !bytes.Equal(constantBytes(t, m, name), constantBytes(t, was, name)); got != want {
				t.Errorf("%s, from scratch %v: %s changed: %v, want %v", c.variant, c.scratch, name, got, want)
			}
		}
	}
}

func constantBytes(t *testing.T, m *onnxgraph.Model, name string) []byte {
	t.Helper()
	v := m.Graph.Value(name)
	if v == nil || v.Constant() == nil {
		t.Fatalf("no constant %q", name)
	}
	data, err := v.Constant().Raw()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
