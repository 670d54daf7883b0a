package transform_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// sharing is a model of two convolutions, "conv" and "other", and what they are to have in common.
type sharing struct {
	name   string
	build  func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node // adds "other"
	banks  int
	biases int
	untied string // what the first row says of the tie that is lost
	skip   string
}

func sharings() []sharing {
	like := func(g *onnxgraph.Graph, inputs ...*onnxgraph.Value) *onnxgraph.Node {
		return g.AddNode("Conv", append([]*onnxgraph.Value{g.Value(convcases.X)}, inputs...))
	}
	through := func(g *onnxgraph.Graph, v *onnxgraph.Value, operator string, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
		return g.AddNode(operator, []*onnxgraph.Value{v}, attrs...).Output(0)
	}
	swapped := onnxgraph.Ints("perm", 0, 1, 3, 2)
	draw := func(g *onnxgraph.Graph, seed uint64, dims ...int64) *onnxgraph.Value {
		return g.AddConstant("drawn", convcases.Draw(onnxgraph.Float32, seed, dims...))
	}
	return []sharing{
		{name: "weight and bias", banks: 1, biases: 1, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			return like(g, conv.Input(1), conv.Input(2))
		}},
		{name: "biases of their own", banks: 1, biases: 2, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			return like(g, conv.Input(1), draw(g, 7, 4))
		}},
		{name: "one bias", banks: 1, biases: 1, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			return like(g, conv.Input(1))
		}},
		{name: "other strides, pads and dilations", banks: 1, biases: 1, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			n := like(g, conv.Input(1), conv.Input(2))
			n.SetAttr(onnxgraph.Ints("strides", 2, 1), onnxgraph.Ints("pads", 1, 0, 2, 1), onnxgraph.Ints("dilations", 1, 2))
			return n
		}},
		{name: "through Identity", banks: 1, biases: 1, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			return like(g, through(g, conv.Input(1), "Identity"), through(g, through(g, conv.Input(2), "Identity"), "Identity"))
		}},
		{name: "a Constant node", banks: 1, biases: 1, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			v := g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", convcases.Draw(onnxgraph.Float32, 8, 4, 3, 3, 3))).Output(0)
			old := conv.Input(1)
			conv.SetInput(1, v)
			onnxgraph.RemoveUnused(old)
			return like(g, v, conv.Input(2))
		}},
		{name: "through the same Transposes", banks: 1, biases: 1, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			v := conv.Input(1)
			conv.SetInput(1, through(g, v, "Transpose", swapped))
			return like(g, through(g, v, "Transpose", swapped), conv.Input(2))
		}},
		{name: "one through a Transpose", banks: 2, biases: 1, untied: `"other", which reads it in another form`,
			build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
				return like(g, through(g, conv.Input(1), "Transpose", swapped), conv.Input(2))
			}},
		{name: "equal numbers, but two constants", banks: 2, biases: 2, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			return like(g, draw(g, 1, 4, 3, 3, 3), draw(g, 2, 4))
		}},
		{name: "other groups", banks: 2, biases: 1, untied: `"other", which has 2 groups instead of 1`,
			build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
				twice := g.AddNode("Concat", []*onnxgraph.Value{g.Value(convcases.X), g.Value(convcases.X)}, onnxgraph.Int("axis", 1))
				n := like(g, conv.Input(1), conv.Input(2))
				n.SetInput(0, twice.Output(0))
				n.SetAttr(onnxgraph.Int("group", 2))
				return n
			}},
		{name: "the other is left out", banks: 1, biases: 1, untied: `"other"`, skip: "other", build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			return like(g, conv.Input(1), conv.Input(2))
		}},
		{name: "read by something else, too", banks: 1, biases: 1, untied: `Exp "Exp"`, build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
			g.AddOutput(through(g, conv.Input(1), "Exp"), onnxgraph.Float32, nil)
			return like(g, conv.Input(1), conv.Input(2))
		}},
	}
}

// sharedModel returns the model of a row, and what it computes.
func sharedModel(t *testing.T, row sharing) (*onnxgraph.Model, map[string]*onnxgraph.Tensor) {
	t.Helper()
	m := convcases.Named("bias").Model()
	n := row.build(m.Graph, m.Graph.Nodes()[0])
	n.Rename("other")
	m.Graph.Rename(n.Output(0), "other_output")
	m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, nil)
	return m, transformtest.Outputs(t, m, map[string]*onnxgraph.Tensor{convcases.X: convcases.Named("bias").Data()})
}

// TestSharing converts convolutions that share a weight to blocks that share a bank and a 1×1 weight, and merges them: all
// is counted once, and the numbers are the source's.
func TestSharing(t *testing.T) {
	orttest.Init(t)
	for _, row := range sharings() {
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			for _, between := range []transform.Between{transform.None, transform.BatchNorm} {
				t.Run(fmt.Sprintf("%s/%s/%s", row.name, layout, between), func(t *testing.T) {
					o := spanning(convcases.Named("bias"), layout, between)
					o.Expansion += 8 // in two groups, a bank needs more to span the filters
					if row.skip != "" {
						o.Skip = []string{row.skip}
					}
					share(t, row, o)
				})
			}
		}
	}
}

func share(t *testing.T, row sharing, o transform.Options) {
	m, want := sharedModel(t, row)
	same := func(what string) {
		t.Helper()
		m = transformtest.Reloaded(t, m)
		got := transformtest.Outputs(t, m, map[string]*onnxgraph.Tensor{convcases.X: convcases.Named("bias").Data()})
		for name, v := range want {
			transformtest.Compare(t, what+", output "+name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
		}
	}
	held := func() int64 {
		_, count, _ := transformtest.Census(m)
		return count
	}
	source := held()
	plan, err := transform.Plan(m, o)
	if err != nil {
		t.Fatal(err)
	}
	report, err := transform.Convert(m, o)
	if err != nil {
		t.Fatal(err)
	}
	same("blocks")
	blocks, err := transform.Blocks(m)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]map[*onnxgraph.Value]bool{"banks": {}, "1×1 weights": {}}
	for _, b := range blocks {
		constants["banks"][b.Bank] = true
		constants["1×1 weights"][b.Pointwise] = true
	}
	for name, set := range constants {
		if len(set) != row.banks {
			t.Errorf("%d %s, want %d", len(set), name, row.banks)
		}
	}
	if report[0].Untied == nil != (row.untied == "") || !strings.Contains(strings.Join(report[0].Untied, "; "), row.untied) {
		t.Errorf("the row says %q of the tie that is lost, want %q", report[0].Untied, row.untied)
	}
	isShared := len(blocks) == 2 && row.banks == 1
	for i, r := range report {
		said := r.Sharing()
		if strings.Contains(said, `same block as "conv", whose weight it has`) != (isShared && i == 1) ||
			strings.Contains(said, "no longer shares its weight with ") != (r.Untied != nil) || !strings.Contains(said, strings.Join(r.Untied, "; ")) {
			t.Errorf("of %+v it is said: %q", r, said)
		}
	}
	if isShared != (report[1].SharedWith == "conv") {
		t.Errorf("the second shares the block of %q", report[1].SharedWith)
	}
	for i := range report {
		if report[i].Before != plan[i].Before || report[i].After != plan[i].After || report[i].SharedWith != plan[i].SharedWith {
			t.Errorf("planned %+v, was %+v", plan[i], report[i])
		}
	}
	checkSums(t, m, report, source)

	outcomes, err := transform.Merge(m)
	if err != nil || len(outcomes) != len(blocks) {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	same("merged")
	merged := held()
	if weights := int64(4 * 3 * 3 * 3); row.untied == "" && merged != source || row.untied != "" && merged != source+weights {
		t.Errorf("%d parameters after merging, the source has %d", merged, source)
	}
}

// checkSums adds up the rows: they count every parameter of the convolutions once.
func checkSums(t *testing.T, m *onnxgraph.Model, report []transform.Conversion, source int64) {
	t.Helper()
	parameters, err := parameter.List(m)
	if err != nil {
		t.Fatal(err)
	}
	var before, trains, bank int64
	for _, row := range report {
		before += row.Before.Trainable
		trains += row.After.Trainable
		bank += row.After.Bank
	}
	var wantTrains, wantBank int64
	for _, p := range parameters {
		switch n := p.Value.Constant().Len(); {
		case p.Role == parameter.RoleBank:
			wantBank += n
		case p.Role.Trains() && p.Value.Name() != convcases.Weight || slices.ContainsFunc(p.Value.Uses(), func(u onnxgraph.Use) bool { return u.Node.Is("Conv") }):
			wantTrains += n
		}
	}
	if before != source || trains != wantTrains || bank != wantBank {
		t.Errorf("the rows count %d before, %d that train, %d in banks; want %d, %d, %d", before, trains, bank, source, wantTrains, wantBank)
	}
}

// TestSharedInAnotherForm has a second convolution that reads the weight as fewer filters of more channels: the numbers are the
// same in the same order, and the blocks are two.
func TestSharedInAnotherForm(t *testing.T) {
	orttest.Init(t)
	row := sharing{build: func(g *onnxgraph.Graph, conv *onnxgraph.Node) *onnxgraph.Node {
		x := g.Value(convcases.X)
		twice := g.AddNode("Concat", []*onnxgraph.Value{x, x}, onnxgraph.Int("axis", 1)).Output(0)
		form := g.AddConstant("form", onnxgraph.NewTensor([]int64{4}, []int64{2, 6, 3, 3}))
		return g.AddNode("Conv", []*onnxgraph.Value{twice, g.AddNode("Reshape", []*onnxgraph.Value{conv.Input(1), form}).Output(0)})
	}}
	m, want := sharedModel(t, row)
	report, err := transform.Convert(m, spanning(convcases.Named("bias"), transform.Depthwise, transform.None))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report {
		if r.Status != transform.Converted || r.SharedWith != "" || len(r.Untied) != 1 || !strings.Contains(r.Untied[0], "in another form") {
			t.Errorf("%+v", r)
		}
	}
	got := transformtest.Outputs(t, transformtest.Reloaded(t, m), map[string]*onnxgraph.Tensor{convcases.X: convcases.Named("bias").Data()})
	for name, v := range want {
		transformtest.Compare(t, name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
	}
}

// TestSharedRandom draws one block for both places, so that both go on to compute the same.
func TestSharedRandom(t *testing.T) {
	orttest.Init(t)
	for _, pointwise := range []transform.Pointwise{transform.Random, transform.Identity} {
		m, _ := sharedModel(t, sharings()[0])
		if _, err := transform.Convert(m, transform.Options{Pointwise: pointwise}); err != nil {
			t.Fatal(err)
		}
		out := transformtest.Outputs(t, m, map[string]*onnxgraph.Tensor{convcases.X: convcases.Named("bias").Data()})
		transformtest.Compare(t, string(pointwise), convcases.ArrayOf(out["other_output"]), convcases.ArrayOf(out[convcases.Y]))
	}
}

// TestSharedCalibrated corrects the means of outputs: biases that were one stay one, where the block does.
func TestSharedCalibrated(t *testing.T) {
	orttest.Init(t)
	for _, row := range sharings() {
		m, _ := sharedModel(t, row)
		o := transform.Options{Pointwise: transform.Calibrate, Calibration: oneAll{}}
		if row.skip != "" {
			o.Skip = []string{row.skip}
		}
		if _, err := transform.Convert(m, o); err != nil {
			t.Fatal(err)
		}
		m = transformtest.Reloaded(t, m)
		if _, err := transform.Blocks(m); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		biases := map[*onnxgraph.Value]bool{}
		for _, n := range m.Graph.Nodes() {
			if n.Is("Conv") && n.Input(2) != nil {
				biases[n.Input(2)] = true
			}
		}
		want := row.biases
		if strings.Contains(row.untied, "other") {
			want = 2 // each block corrects its own means
		}
		if len(biases) != want {
			t.Errorf("%s: %d biases, want %d", row.name, len(biases), want)
		}
	}
}

// TestSharedAcrossGraphs shares a block between both branches of an If, and between calls of a weight from outside.
func TestSharedAcrossGraphs(t *testing.T) {
	orttest.Init(t)
	c := convcases.Named("bias")
	for _, place := range convcases.Places {
		if !place.Rewritten {
			continue
		}
		m := convcases.Nest(c.Model(), place)
		convolutions := 0
		for _, g := range m.Graphs() {
			for _, n := range g.Nodes() {
				if n.Is("Conv") {
					convolutions++
				}
			}
		}
		want := transformtest.Execute(t, m, c.Data())
		_, source, _ := transformtest.Census(m)
		if _, err := transform.Convert(m, spanning(c, transform.Dense, transform.BatchNorm)); err != nil {
			t.Fatal(err)
		}
		blocks, err := transform.Blocks(transformtest.Reloaded(t, m))
		if err != nil || len(blocks) != convolutions {
			t.Fatalf("%s: %d blocks of %d convolutions, %v", place.Name, len(blocks), convolutions, err)
		}
		if isOne := blocks[0].Record.BankTensor == blocks[len(blocks)-1].Record.BankTensor; isOne != (!place.Inside || convolutions == 1) {
			t.Errorf("%s: one bank: %v", place.Name, isOne)
		}
		transformtest.Compare(t, place.Name, transformtest.Execute(t, m, c.Data()), want)
		if _, err := transform.Merge(m); err != nil {
			t.Fatal(err)
		}
		transformtest.Compare(t, place.Name+", merged", transformtest.Execute(t, m, c.Data()), want)
		if _, merged, _ := transformtest.Census(m); merged != source {
			t.Errorf("%s: %d parameters after merging, %d before", place.Name, merged, source)
		}
	}
}

// TestSharedNorms folds normalizations behind convolutions of one weight: equal ones leave it one.
func TestSharedNorms(t *testing.T) {
	orttest.Init(t)
	for _, row := range []struct {
		name    string
		other   []uint64 // which parameters the second normalization has of its own
		biases  bool     // of their own
		weights int
	}{
		{"one normalization", nil, false, 1}, {"one normalization, other biases", nil, true, 2}, {"two normalizations", []uint64{0, 1, 2, 3}, false, 2},
		{"another scale", []uint64{0}, false, 2}, {"another shift", []uint64{1}, false, 2}, {"another mean", []uint64{2}, false, 2}, {"another variance", []uint64{3}, false, 2},
	} {
		m := convcases.Named("bias").Model()
		g := m.Graph
		conv := g.Nodes()[0]
		norm := func(conv *onnxgraph.Node, other []uint64) {
			inputs := []*onnxgraph.Value{conv.Output(0)}
			for i := range uint64(4) {
				seed := 1 + i
				if slices.Contains(other, i) {
					seed += 4
				}
				t, _ := convcases.Draw(onnxgraph.Float32, seed, 4).Float32s()
				for k := range t {
					t[k] += 2
				}
				inputs = append(inputs, g.AddConstant("norm", onnxgraph.NewTensor([]int64{4}, t)))
			}
			g.AddOutput(g.AddNode("BatchNormalization", inputs).Output(0), onnxgraph.Float32, nil)
		}
		bias := conv.Input(2)
		if row.biases {
			bias = g.AddConstant("bias", convcases.Draw(onnxgraph.Float32, 9, 4))
		}
		first := g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), conv.Input(1), conv.Input(2)})
		second := g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), conv.Input(1), bias})
		g.RemoveOutputs()
		norm(first, nil)
		norm(second, row.other)
		g.Prune()
		in := map[string]*onnxgraph.Tensor{convcases.X: convcases.Named("bias").Data()}
		want := transformtest.Outputs(t, m, in)
		folded, err := normalization.Fold(m)
		if err != nil {
			t.Fatal(err)
		}
		got := transformtest.Outputs(t, transformtest.Reloaded(t, m), in)
		for name, v := range want {
			transformtest.Compare(t, row.name+", output "+name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
		}
		weights := map[*onnxgraph.Value]bool{first.Input(1): true, second.Input(1): true}
		if len(weights) != row.weights {
			t.Errorf("%s: %d weights, want %d", row.name, len(weights), row.weights)
		}
		for _, o := range folded {
			if o.Status != transform.Folded || (o.Reason != "") != (row.weights == 2) {
				t.Errorf("%s: %+v", row.name, o)
			}
		}
	}
}

// TestFoldEqualNumbers folds one normalization into two convolutions whose weights are equal, but two: they stay two.
func TestFoldEqualNumbers(t *testing.T) {
	m := convcases.Named("bias").Model()
	g := m.Graph
	first := g.Nodes()[0]
	own := func(i int) *onnxgraph.Value { // drawn as the case draws its own
		return g.AddConstant("own", convcases.Draw(onnxgraph.Float32, uint64(i), first.Input(i).Constant().Dims()...))
	}
	second := g.AddNode("Conv", []*onnxgraph.Value{g.Value(convcases.X), own(1), own(2)})
	g.RemoveOutputs()
	numbers := g.AddConstant("numbers", onnxgraph.NewTensor([]int64{4}, []float32{1, 2, 3, 4}))
	for _, n := range []*onnxgraph.Node{first, second} {
		g.AddOutput(g.AddNode("BatchNormalization", []*onnxgraph.Value{n.Output(0), numbers, numbers, numbers, numbers}).Output(0), onnxgraph.Float32, nil)
	}
	if _, err := normalization.Fold(m); err != nil {
		t.Fatal(err)
	}
	if first.Input(1) == second.Input(1) || first.Input(2) == second.Input(2) {
		t.Error("two layers have become one")
	}
}

// TestMergeSharedShift merges blocks of one weight whose normalizations shift: the bias that is one takes the shift for both,
// and two take it each.
func TestMergeSharedShift(t *testing.T) {
	orttest.Init(t)
	for _, row := range sharings() {
		if row.untied == "" {
			t.Run(row.name, func(t *testing.T) { mergeShift(t, row) })
		}
	}
}

func mergeShift(t *testing.T, row sharing) {
	m, _ := sharedModel(t, row)
	_, source, _ := transformtest.Census(m)
	if _, err := transform.Convert(m, spanning(convcases.Named("bias"), transform.Dense, transform.BatchNorm)); err != nil {
		t.Fatal(err)
	}
	for _, n := range m.Graph.Nodes() {
		if n.Is("BatchNormalization") {
			shift := n.Input(2)
			shift.SetConstant(convcases.Draw(onnxgraph.Float32, 3, shift.Constant().Dims()...))
		}
	}
	in := map[string]*onnxgraph.Tensor{convcases.X: convcases.Named("bias").Data()}
	want := transformtest.Outputs(t, m, in)
	if _, err := transform.Merge(m); err != nil {
		t.Fatal(err)
	}
	got := transformtest.Outputs(t, transformtest.Reloaded(t, m), in)
	for name, v := range want {
		transformtest.Compare(t, name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
	}
	if row.name == "one bias" {
		source += 4 // the other now has one, too
	}
	if _, merged, _ := transformtest.Census(m); merged != source {
		t.Errorf("%d parameters, the source has %d", merged, source)
	}
}

// TestMergeSharedScale merges blocks of one weight whose normalizations scale in ways of their own: they part.
func TestMergeSharedScale(t *testing.T) {
	orttest.Init(t)
	m, _ := sharedModel(t, sharings()[0])
	if _, err := transform.Convert(m, spanning(convcases.Named("bias"), transform.Dense, transform.BatchNorm)); err != nil {
		t.Fatal(err)
	}
	for i, n := range m.Graph.Nodes() {
		if n.Is("BatchNormalization") {
			n.SetInput(1, m.Graph.AddConstant("scale", convcases.Draw(onnxgraph.Float32, uint64(i), n.Input(1).Constant().Dims()...)))
		}
	}
	in := map[string]*onnxgraph.Tensor{convcases.X: convcases.Named("bias").Data()}
	want := transformtest.Outputs(t, m, in)
	if _, err := transform.Merge(m); err != nil {
		t.Fatal(err)
	}
	got := transformtest.Outputs(t, m, in)
	for name, v := range want {
		transformtest.Compare(t, name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
	}
}

// TestSharedAddedNorms adds one normalization for all places of a block: folded, they still have one weight.
func TestSharedAddedNorms(t *testing.T) {
	orttest.Init(t)
	m, want := sharedModel(t, sharings()[0])
	_, source, _ := transformtest.Census(m)
	if _, err := transform.Convert(m, spanning(convcases.Named("bias"), transform.Dense, transform.None)); err != nil {
		t.Fatal(err)
	}
	if rows, err := normalization.Add(m); err != nil || rows[0].Status != transform.Added || rows[0].Mean != rows[1].Mean {
		t.Fatalf("%+v, %v", rows, err)
	}
	if _, err := transform.Merge(m); err != nil {
		t.Fatal(err)
	}
	if _, err := normalization.Fold(m); err != nil {
		t.Fatal(err)
	}
	got := transformtest.Outputs(t, transformtest.Reloaded(t, m), map[string]*onnxgraph.Tensor{convcases.X: convcases.Named("bias").Data()})
	for name, v := range want {
		transformtest.Compare(t, name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
	}
	if _, merged, _ := transformtest.Census(m); merged != source {
		t.Errorf("%d parameters, the source has %d", merged, source)
	}
}

// TestSharedOnes separates constants of a model whose frozen blocks share a 1×1 weight of ones, which looks like one that layers begin
// with, and do not share their biases: the blocks keep sharing it, as their records say.
func TestSharedOnes(t *testing.T) {
	m := convcases.Named("depthwise").Model()
	g := m.Graph
	conv := g.Nodes()[0]
	bias := g.AddConstant("bias", onnxgraph.NewTensor([]int64{5}, []float32{1, 2, 3, 4, 5}))
	other := g.AddNode("Conv", []*onnxgraph.Value{conv.Input(0), conv.Input(1), bias}, conv.Attributes()...)
	other.Rename("other")
	g.AddOutput(other.Output(0), onnxgraph.Float32, nil)
	if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Identity}); err != nil {
		t.Fatal(err)
	}
	before, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	separated := parameter.Separate(m)
	if after, err := m.Bytes(); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the model changed: separated %+v, %v", separated, err)
	}
	if blocks, err := transform.Blocks(m); err != nil || len(blocks) != 2 || blocks[0].Pointwise != blocks[1].Pointwise {
		t.Errorf("found blocks %+v, %v", blocks, err)
	}
}
