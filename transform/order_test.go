package transform_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestOrderOfBodies converts convolutions in the main graph and, of one name, in bodies and in a function: their order, the main
// graph's first, then each node's bodies as the file has them, then functions, gives each block its name, and with it and the
// seed its filters. Both must stay so for ever: else a seed stands for another network.
func TestOrderOfBodies(t *testing.T) {
	flat := convcases.Cases[0].Model()
	m := nested(t, flat, "function") // with a call in the main graph
	g := m.Graph
	bodies := func(place, operator string, names ...string) {
		for _, n := range nested(t, flat, place, names...).Graph.Nodes() {
			if n.Is(operator) {
				g.AddNode(operator, nil).SetAttr(n.Attributes()...)
			}
		}
	}
	conv := func(name string) {
		w := g.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4, 3, 3, 3))
		g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), w}).Rename(name)
	}
	bodies("branches", "If", "then", "else")
	conv("first")
	bodies("loop", "Loop", "loop")
	bodies("scan", "Scan", "scan")
	conv("last")

	const seed = 3
	o := transform.Options{Seed: seed, Pointwise: transform.Random}
	rows, err := transform.Convert(m, o)
	if err != nil {
		t.Fatal(err)
	}
	var got [][2]string
	for _, row := range rows {
		got = append(got, [2]string{row.Graph, row.Node})
	}
	want := [][2]string{{"nested", "first"}, {"nested", "last"}, {"then", "conv"}, {"else", "conv_2"}, {"loop", "conv_3"}, {"scan", "conv_4"}, {"Layer", "conv_5"}}
	if !slices.Equal(got, want) {
		t.Fatalf("converted, by graph: %q, want %q", got, want)
	}
	blocks, err := transform.Blocks(m)
	if err != nil || len(blocks) != len(rows) {
		t.Fatalf("%d blocks, want %d: %v", len(blocks), len(rows), err)
	}
	for _, b := range blocks {
		alone := flat.Clone()
		alone.Graph.Nodes()[0].Rename(b.Name)
		if _, err := transform.Convert(alone, o); err != nil {
			t.Fatal(err)
		}
		if want := transformtest.OnlyBlock(t, alone); b.Record.BankHash != want.Record.BankHash || !sameNumbers(t, b.Pointwise, want.Pointwise) {
			t.Errorf("%s has other filters than by itself", b.Name)
		}
	}
}

// nested puts a model's nodes into a place; names are those of the bodies there, in the order of the file.
func nested(t *testing.T, m *onnxgraph.Model, place string, names ...string) *onnxgraph.Model {
	t.Helper()
	i := slices.IndexFunc(convcases.Places, func(p convcases.Place) bool { return p.Name == place })
	data := transformtest.ModelBytes(t, convcases.Nest(m, convcases.Places[i]))
	const tag = "\x12\x04" // of a graph's name, of four bytes
	for _, name := range names {
		data = bytes.Replace(data, []byte(tag+"body"), []byte(tag+name), 1)
	}
	loaded, err := onnxgraph.Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func sameNumbers(t *testing.T, a, b *onnxgraph.Value) bool {
	t.Helper()
	return slices.Equal(convcases.ArrayOf(a.Constant()).Data, convcases.ArrayOf(b.Constant()).Data)
}
