package calibrate_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/transform"
)

// tied is a model whose convolutions share a weight, with the names of their outputs.
type tied struct {
	*onnxgraph.Model
	weight *onnxgraph.Value
	convs  []string
}

func newTied(t *testing.T) *tied {
	t.Helper()
	m := &tied{Model: onnxgraph.New("tied", 8, 18)}
	if _, err := m.Graph.AddInput("x", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(3, 12, 10)...)); err != nil {
		t.Fatal(err)
	}
	m.weight = m.Graph.AddConstant("weight", convcases.Draw(onnxgraph.Float32, 1, 3, 3, 3, 3))
	return m
}

func (m *tied) op(operator string, v *onnxgraph.Value, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	return m.Graph.AddNode(operator, []*onnxgraph.Value{v}, attrs...).Output(0)
}

func (m *tied) conv(x, bias *onnxgraph.Value, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	v := m.Graph.AddNode("Conv", []*onnxgraph.Value{x, m.weight, bias}, attrs...).Output(0)
	m.convs = append(m.convs, v.Name())
	return v
}

func (m *tied) bias(seed uint64) *onnxgraph.Value {
	return m.Graph.AddConstant("bias", convcases.Draw(onnxgraph.Float32, seed, 3))
}

func (m *tied) output(v *onnxgraph.Value) {
	m.Graph.AddOutput(v, onnxgraph.Float32, []onnxgraph.Dim{{Size: -1}, {Size: -1}, {Size: -1}, {Size: -1}})
}

// TestSharedWeight fits one 1×1 convolution for all places of a weight: the error of all outputs together is the least that is
// possible, about one mean where the places share a bias, about their own where they do not.
func TestSharedWeight(t *testing.T) {
	t.Parallel()
	orttest.Init(t)
	images := imagesFor(convcases.Case{Input: []int64{1, 3, 12, 10}}, 24)
	for name, row := range map[string]struct {
		biases func(m *tied) (a, b *onnxgraph.Value)
		joint  bool // one mean
		raw    bool // no mean is kept
	}{
		"no bias":    {biases: func(*tied) (a, b *onnxgraph.Value) { return nil, nil }, raw: true},
		"one bias":   {biases: func(m *tied) (a, b *onnxgraph.Value) { v := m.bias(2); return v, v }, joint: true},
		"own biases": {biases: func(m *tied) (a, b *onnxgraph.Value) { return m.bias(2), m.bias(3) }},
	} {
		m := newTied(t)
		a, b := row.biases(m)
		x := m.Graph.Value("x")
		m.output(m.conv(x, a, onnxgraph.Ints("pads", 1, 1, 1, 1)))
		m.output(m.conv(m.op("Exp", x), b, onnxgraph.Ints("strides", 2, 2)))
		want := observe(t, m.Model, images, m.convs)
		rows, err := calibrate.Convert(context.Background(), m.Model, calibrate.Options{Images: images})
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := transform.Blocks(m.Model)
		if err != nil || len(blocks) != 2 || blocks[0].Pointwise != blocks[1].Pointwise || blocks[0].Bank != blocks[1].Bank {
			t.Fatalf("%s: the places do not share a block: %v", name, err)
		}
		if shared := blocks[0].PointwiseConv.Input(2) == blocks[1].PointwiseConv.Input(2); shared != (row.joint || row.raw) {
			t.Errorf("%s: the places share a bias: %v", name, shared)
		}
		got := observe(t, m.Model, images, m.convs)
		maps := observe(t, m.Model, images, []string{blocks[0].Record.BankOutput, blocks[1].Record.BankOutput})

		// stack returns the numbers of one channel at both places, about the mean that the places can keep.
		stack := func(of func(place int) convcases.Array, c int) []float64 {
			var all []float64
			for place := range 2 {
				v := of(place)
				all = append(all, channel(v, c, int(v.Dims[2]*v.Dims[3]), !row.joint && !row.raw)...)
			}
			if row.joint {
				mean := total(all) / float64(len(all))
				for i := range all {
					all[i] -= mean
				}
			}
			return all
		}
		var rest, least, energy float64
		for c := range 3 {
			y := stack(func(place int) convcases.Array { return want[m.convs[place]] }, c)
			is := stack(func(place int) convcases.Array { return got[m.convs[place]] }, c)
			var columns [][]float64
			for j := range 3 {
				columns = append(columns, stack(func(place int) convcases.Array { return maps[blocks[place].Record.BankOutput] }, j))
			}
			energy += dot(y, y)
			least += residual(y, columns)
			subtract(y, is, 1)
			rest += dot(y, y)
		}
		lost, possible := math.Sqrt(rest/energy), math.Sqrt(least/energy)
		if math.Abs(lost-possible) > 1e-3 {
			t.Errorf("%s: the error of both is %.6f, could be %.6f", name, lost, possible)
		}
		for _, r := range rows {
			if math.Abs(*r.OutputError-lost) > 1e-3 {
				t.Errorf("%s: the error of %s is reported as %.6f, is %.6f", name, r.Node, *r.OutputError, lost)
			}
		}
	}
}

// TestWeightUsedAgain calibrates a weight that the network uses one time after the other, in a file whose nodes are in
// disorder: what comes between and after sees the finished blocks.
func TestWeightUsedAgain(t *testing.T) {
	t.Parallel()
	orttest.Init(t)
	images := imagesFor(convcases.Case{Input: []int64{1, 3, 12, 10}}, 24)
	m := newTied(t)
	between := m.Graph.AddConstant("between", convcases.Draw(onnxgraph.Float32, 4, 3, 3, 3, 3))
	last := m.Graph.AddConstant("last", convcases.Draw(onnxgraph.Float32, 5, 3, 3, 3, 3))
	pads := onnxgraph.Ints("pads", 1, 1, 1, 1)
	plain := func(x, w *onnxgraph.Value) *onnxgraph.Value {
		return m.Graph.AddNode("Conv", []*onnxgraph.Value{m.op("Relu", x), w}, pads).Output(0)
	}
	first := m.conv(m.Graph.Value("x"), nil, pads)
	y := plain(first, between)
	again := m.conv(m.op("Relu", y), nil, pads)
	m.Graph.Insert(first.Producer(), again.Producer())
	z := plain(again, last)
	m.output(z)
	before := observe(t, m.Model, images, []string{z.Name(), y.Name()})
	source := m.Clone()
	rows, err := calibrate.Convert(context.Background(), m.Model, calibrate.Options{Convert: transform.Options{Expansion: 4}, Images: images})
	if err != nil {
		t.Fatal(err)
	}
	after := observe(t, m.Model, images, []string{z.Name(), y.Name()})
	for _, name := range []string{z.Name(), y.Name()} {
		i := slices.IndexFunc(rows, func(r transform.Conversion) bool { return r.Node == m.Graph.Value(name).Producer().Name() })
		if want := outputError(before[name], after[name], false); math.Abs(*rows[i].OutputError-want) > 1e-3 || want < 1e-2 {
			t.Errorf("the error of %s is reported as %.5f, is %.5f", name, *rows[i].OutputError, want)
		}
	}
	if _, err := calibrate.Convert(context.Background(), source, calibrate.Options{Convert: transform.Options{Expansion: 12}, Images: images}); err != nil {
		t.Fatal(err)
	}
	if d := outputError(before[z.Name()], observe(t, source, images, []string{z.Name()})[z.Name()], false); d > 1e-3 {
		t.Errorf("with a bank that spans all filters the output is off by %.2g", d)
	}
}
