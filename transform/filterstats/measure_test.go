package filterstats_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterstats"
)

// newModel returns a model to which convolutions are added, each of an input of its own.
func newModel() *onnxgraph.Model { return onnxgraph.New("filters", 8, 18) }

// dims returns those of the weight that holds filters.
func dims(f filterstats.Filters) []int64 {
	list := []int64{int64(f.Count()), int64(f.Channels)}
	for _, k := range f.Kernel {
		list = append(list, int64(k))
	}
	return list
}

// tensor returns filters in float64.
func tensor(f filterstats.Filters) *onnxgraph.Tensor { return onnxgraph.NewTensor(dims(f), f.Weights) }

// add adds an operator of the name that convolves an input of its own with a weight.
func add(t *testing.T, m *onnxgraph.Model, operator, name string, groups int64, weight *onnxgraph.Value, channels int64, axes int) *onnxgraph.Node {
	t.Helper()
	g := m.Graph
	shape := append([]int64{1, channels * groups}, slices.Repeat([]int64{9}, axes)...)
	x, err := g.AddInput(name+".x", onnxgraph.Float64, onnxgraph.Static(shape...))
	if err != nil {
		t.Fatal(err)
	}
	n := g.AddNode(operator, []*onnxgraph.Value{x, weight}, onnxgraph.Int("group", groups))
	n.Rename(name)
	g.AddOutput(n.Output(0), onnxgraph.Float64, nil)
	return n
}

// conv adds a Conv of one group with these filters.
func conv(t *testing.T, m *onnxgraph.Model, name string, f filterstats.Filters) *onnxgraph.Node {
	t.Helper()
	return add(t, m, "Conv", name, 1, m.Graph.AddConstant(name+".weight", tensor(f)), int64(f.Channels), len(f.Kernel))
}

func measure(t *testing.T, m *onnxgraph.Model) *filterstats.Stats {
	t.Helper()
	s, err := filterstats.Measure(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkLayer compares a row with the measures of filters.
func checkLayer(t *testing.T, l filterstats.Layer, f filterstats.Filters, tolerance float64) {
	t.Helper()
	e, sparsity := f.Entropy(), f.Sparsity()
	for _, c := range []struct {
		name      string
		got, want *float64
	}{{"entropy", l.FVE, e.FVE}, {"ratio", l.FVERatio, e.Ratio}, {"sparsity", &l.Sparsity, &sparsity}, {"orthogonality", l.Orthogonality, f.Orthogonality()}} {
		if !isNear(c.got, c.want, tolerance) {
			t.Errorf("%s: %s %s, want %s", l.Name, c.name, text(c.got), text(c.want))
		}
	}
	if !slices.Equal(l.Kernel, f.Kernel) || l.Count != f.Count() || l.Channels != f.Channels || l.Kernels != f.Count()*f.Channels {
		t.Errorf("%s: %d filters of %d channels, kernel %v, want %d of %d, %v", l.Name, l.Count, l.Channels, l.Kernel, f.Count(), f.Channels, f.Kernel)
	}
}

// TestMeasure measures convolutions of every kind, and the combined filters of blocks that are made of them.
func TestMeasure(t *testing.T) {
	for _, c := range convcases.Cases {
		m := c.Model()
		s := measure(t, m)
		if len(s.Layers) != 1 || len(s.LeftOut) != 0 || len(s.HeatMaps) != 1 {
			t.Fatalf("%s: %+v", c.Name, s)
		}
		weights, err := m.Graph.Value(convcases.Weight).Constant().Float64s()
		if err != nil {
			t.Fatal(err)
		}
		f := filterstats.Filters{Channels: int(c.Input[1] / max(c.Groups, 1)), Weights: weights}
		for _, k := range c.Kernel {
			f.Kernel = append(f.Kernel, int(k))
		}
		checkLayer(t, s.Layers[0], f, 0)
		if l := s.Layers[0]; l.Name != convcases.Node || l.Expansion != 0 {
			t.Errorf("%s: named %q, expansion %d", c.Name, l.Name, l.Expansion)
		}

		for _, o := range []transform.Options{
			{Pointwise: transform.Random, Expansion: 2},
			{Pointwise: transform.Random, Expansion: 3, Layout: transform.Depthwise},
			{Pointwise: transform.Random, Between: transform.BatchNorm},
			{Pointwise: transform.Identity},
		} {
			blocks := m.Clone()
			if _, err := transform.Convert(blocks, o); err != nil {
				t.Fatal(err)
			}
			before := contents(t, blocks)
			s := measure(t, blocks)
			if !bytes.Equal(before, contents(t, blocks)) {
				t.Errorf("%s: measuring changed the model", c.Name)
			}
			if _, err := transform.Merge(blocks); err != nil {
				t.Fatal(err)
			}
			f.Weights, err = blocks.Graph.Value(convcases.Weight).Constant().Float64s()
			if err != nil || len(s.Layers) != 1 || s.Layers[0].Name != convcases.Node || s.Layers[0].Expansion != max(1, o.Expansion) {
				t.Fatalf("%s, %+v: %+v, %v", c.Name, o, s, err)
			}
			checkLayer(t, s.Layers[0], f, 0)
			if got, err := s.Layers[0].Filters(); err != nil || !slices.Equal(got.Weights, f.Weights) {
				t.Errorf("%s, %+v: the combined filters are not those of the merged model: %v", c.Name, o, err)
			}
		}
	}
}

func contents(t *testing.T, m *onnxgraph.Model) []byte {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestErrorOfBlocks compares with what the conversion itself says it lost.
func TestErrorOfBlocks(t *testing.T) {
	for _, o := range []transform.Options{{}, {Expansion: 2, Layout: transform.Depthwise}} {
		m := newModel()
		conv(t, m, "a", draw(1, 4, 3, 3, 3))
		conv(t, m, "b", draw(2, 2, 5, 5))
		source := measure(t, m)
		report, err := transform.Convert(m, o)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range measure(t, m).Layers {
			combined, err1 := l.Filters()
			from, err2 := source.Layers[i].Filters()
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if got := filterstats.RelativeError(combined, from); !isNear(got, report[i].Error, 1e-9) || *got < 0.1 {
				t.Errorf("%+v, %s: error %s, the conversion says %s", o, l.Name, text(got), text(report[i].Error))
			}
		}
	}
}

// TestLeftOut has all that convolves and is not measured. Beside it, in the same model, stands a convolution that is.
func TestLeftOut(t *testing.T) {
	f := draw(1, 4, 3, 3, 3)
	for _, c := range []struct {
		name   string
		add    func(m *onnxgraph.Model)
		reason string
	}{
		{"1×1", func(m *onnxgraph.Model) { conv(t, m, "other", draw(1, 4, 3, 1, 1)) }, "kernel of 1"},
		{"1, 1-D", func(m *onnxgraph.Model) { conv(t, m, "other", draw(1, 4, 3, 1)) }, "kernel of 1"},
		{"transposed", func(m *onnxgraph.Model) {
			add(t, m, "ConvTranspose", "other", 1, m.Graph.AddConstant("w", tensor(draw(1, 3, 4, 3, 3))), 3, 2)
		}, "ConvTranspose is not measured, only Conv is"},
		{"NaN", func(m *onnxgraph.Model) {
			conv(t, m, "other", each(f, func(float64, int, int) float64 { return math.NaN() }))
		}, "NaN or infinity"},
		{"infinity", func(m *onnxgraph.Model) {
			conv(t, m, "other", each(f, func(_ float64, tap, _ int) float64 { return math.Inf(tap) }))
		}, "NaN or infinity"},
		{"quantized weight", func(m *onnxgraph.Model) {
			q := m.Graph.AddConstant("q", onnxgraph.NewTensor([]int64{4, 3, 3, 3}, make([]int8, 108)))
			scale := m.Graph.AddConstant("scale", onnxgraph.NewScalar(0.1))
			add(t, m, "Conv", "other", 1, m.Graph.AddNode("DequantizeLinear", []*onnxgraph.Value{q, scale}).Output(0), 3, 2)
		}, "its weight is quantized: analyze the floating-point model"},
		{"integers", func(m *onnxgraph.Model) {
			add(t, m, "ConvInteger", "other", 1, m.Graph.AddConstant("w", onnxgraph.NewTensor([]int64{4, 3, 3, 3}, make([]int8, 108))), 3, 2)
		}, "ConvInteger is not measured, only Conv is"},
		{"computed weight", func(m *onnxgraph.Model) {
			w := m.Graph.AddConstant("w", tensor(f))
			add(t, m, "Conv", "other", 1, m.Graph.AddNode("Mul", []*onnxgraph.Value{w, w}).Output(0), 3, 2)
		}, "computed by Mul"},
		{"minus infinity", func(m *onnxgraph.Model) {
			conv(t, m, "other", each(f, func(float64, int, int) float64 { return math.Inf(-1) }))
		}, "NaN or infinity"},
		{"a block with NaN", func(m *onnxgraph.Model) { blockWithNaN(t, m, f, "other.pointwise") }, "NaN or infinity"},
		{"a block with NaN in its batch normalization", func(m *onnxgraph.Model) { blockWithNaN(t, m, f, "other.norm.scale") }, "NaN or infinity"},
		{"a block whose batch normalization lacks an input", func(m *onnxgraph.Model) {
			conv(t, m, "other", f)
			if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random, Between: transform.BatchNorm, Include: []string{"other"}}); err != nil {
				t.Fatal(err)
			}
			for _, n := range m.Graph.Nodes() {
				if n.Is("BatchNormalization") {
					n.SetInput(2, nil)
				}
			}
		}, "the block has no combined filters"},
		{"a weight that is an input", func(m *onnxgraph.Model) {
			w, err := m.Graph.AddInput("w", onnxgraph.Float64, onnxgraph.Static(4, 3, 3, 3))
			if err != nil {
				t.Fatal(err)
			}
			add(t, m, "Conv", "other", 1, w, 3, 2)
		}, "its weight \"w\" is a graph input without data"},
		{"no weight", func(m *onnxgraph.Model) { add(t, m, "Conv", "other", 1, nil, 3, 2) }, "its weight is absent"},
		{"not as many dims as a filter has", func(m *onnxgraph.Model) {
			add(t, m, "Conv", "other", 1, m.Graph.AddConstant("w", onnxgraph.NewTensor([]int64{2, 2}, constant(1, 4))), 2, 1)
		}, "malformed"},
		{"no filters", func(m *onnxgraph.Model) {
			add(t, m, "Conv", "other", 1, m.Graph.AddConstant("w", onnxgraph.NewTensor([]int64{0, 3, 3, 3}, []float64{})), 3, 2)
		}, "malformed"},
		{"a ReLU between", func(m *onnxgraph.Model) {
			conv(t, m, "other", f)
			if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random, Between: transform.ReLU, Include: []string{"other"}}); err != nil {
				t.Fatal(err)
			}
		}, "no combined filters: a ReLU stands between"},
	} {
		m := newModel()
		conv(t, m, "first", f)
		c.add(m)
		s := measure(t, m)
		if len(s.Layers) != 1 || s.Layers[0].Name != "first" || len(s.LeftOut) != 1 || s.LeftOut[0].Name != "other" || !strings.Contains(s.LeftOut[0].Reason, c.reason) {
			t.Errorf("%s: measured %+v, left out %+v, want %q", c.name, s.Layers, s.LeftOut, c.reason)
		}
		if s.HeatMaps[0].Kernels != f.Kernels() {
			t.Errorf("%s: %d kernels in the heat map", c.name, s.HeatMaps[0].Kernels)
		}
	}
}

// blockWithNaN adds the convolution "other" as a block with batch normalization, of which a constant holds NaN.
func blockWithNaN(t *testing.T, m *onnxgraph.Model, f filterstats.Filters, name string) {
	t.Helper()
	conv(t, m, "other", f)
	if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random, Between: transform.BatchNorm, Include: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	v := m.Graph.Value(name)
	if v == nil {
		t.Fatalf("there is no %q in %+v", name, m.Graph.Initializers())
	}
	v.SetConstant(onnxgraph.NewTensor(v.Constant().Dims(), constant(math.NaN(), int(v.Constant().Len()))))
}

// TestWeights measures filters that come from constants of every kind.
func TestWeights(t *testing.T) {
	f := draw(1, 4, 3, 3, 2)
	for name, weight := range map[string]func(g *onnxgraph.Graph) *onnxgraph.Value{
		"Constant": func(g *onnxgraph.Graph) *onnxgraph.Value {
			return g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", tensor(f))).Output(0)
		},
		"Identity": func(g *onnxgraph.Graph) *onnxgraph.Value {
			return g.AddNode("Identity", []*onnxgraph.Value{g.AddConstant("w", tensor(f))}).Output(0)
		},
		"Transpose": func(g *onnxgraph.Graph) *onnxgraph.Value {
			turned := filterstats.Filters{Kernel: []int{3, 2}, Channels: 4, Weights: make([]float64, len(f.Weights))} // filters and channels change places
			for i, w := range f.Weights {
				tap, channel, filter := i%6, i/6%3, i/18
				turned.Weights[(channel*4+filter)*6+tap] = w
			}
			return g.AddNode("Transpose", []*onnxgraph.Value{g.AddConstant("w", tensor(turned))}, onnxgraph.Ints("perm", 1, 0, 2, 3)).Output(0)
		},
		"Cast": func(g *onnxgraph.Graph) *onnxgraph.Value {
			return g.AddNode("Cast", []*onnxgraph.Value{g.AddConstant("w", tensor(f))}, onnxgraph.Int("to", int64(onnxgraph.Float64))).Output(0)
		},
	} {
		m := newModel()
		add(t, m, "Conv", "conv", 1, weight(m.Graph), 3, 2)
		s := measure(t, m)
		if len(s.Layers) != 1 {
			t.Errorf("%s: left out %+v", name, s.LeftOut)
			continue
		}
		checkLayer(t, s.Layers[0], f, 0)
	}
}

// TestNested measures convolutions in bodies and functions, as far as convert takes them.
func TestNested(t *testing.T) {
	c := convcases.Named("2 groups")
	want := measure(t, c.Model()).Layers[0]
	for _, place := range convcases.Places {
		m := convcases.Nest(c.Model(), place)
		plan, err := transform.Plan(m, transform.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := measure(t, m)
		if len(s.Layers)+len(s.LeftOut) != len(plan) || (len(s.Layers) > 0) != place.Rewritten {
			t.Errorf("%s: measured %d of %d convolutions, left out %+v", place.Name, len(s.Layers), len(plan), s.LeftOut)
		}
		for i, l := range s.Layers {
			if !isNear(l.FVE, want.FVE, 1e-12) || !isNear(l.Orthogonality, want.Orthogonality, 1e-12) || l.Graph != plan[i].Graph {
				t.Errorf("%s: %+v, want the measures of %+v", place.Name, l, want)
			}
		}
	}
}

// TestLostData measures a model whose weights are in a file that is gone: that is an error, for blocks too.
func TestLostData(t *testing.T) {
	for _, blocks := range []bool{false, true} {
		m := newModel()
		conv(t, m, "conv", draw(1, 64, 4, 3, 3))
		if blocks {
			if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random}); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := m.Save(path, onnxgraph.ExternalAll); err != nil {
			t.Fatal(err)
		}
		m, err := onnxgraph.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		lost, err := filepath.Glob(path + ".*")
		if err != nil || len(lost) != 1 {
			t.Fatalf("data is in %q, %v", lost, err)
		}
		if err := os.Truncate(lost[0], 0); err != nil {
			t.Fatal(err)
		}
		if s, err := filterstats.Measure(m, nil); err == nil {
			t.Errorf("blocks %v: measured %+v, left out %+v", blocks, s.Layers, s.LeftOut)
		}
	}
}

// TestClean measures a layer in which most kernels are sparse.
func TestClean(t *testing.T) {
	random := draw(1, 40, 2, 3, 3)
	for _, kept := range []int{40, 9, 8, 1} {
		f := each(random, func(w float64, _, kernel int) float64 {
			if kernel < kept {
				return w
			}
			return w / 1000
		})
		m := newModel()
		conv(t, m, "conv", f)
		l := measure(t, m).Layers[0]
		want := filterstats.Filters{Kernel: f.Kernel, Channels: 1, Weights: f.Weights[:9*kept]}.Entropy()
		if !isNear(l.CleanFVE, want.FVE, 1e-12) || !isNear(l.CleanFVERatio, want.Ratio, 1e-12) {
			t.Errorf("%d kernels: clean entropy %s, ratio %s, want %s, %s", kept, text(l.CleanFVE), text(l.CleanFVERatio), text(want.FVE), text(want.Ratio))
		}
		if (l.CleanFVERatio != nil) != (kept >= 9) || (l.CleanFVE != nil) != (kept > 1) {
			t.Errorf("%d kernels: clean entropy %s, ratio %s", kept, text(l.CleanFVE), text(l.CleanFVERatio))
		}
	}
}

// heatMap is the variance at each position, over layers that are each divided by their standard deviation.
func heatMap(layers ...filterstats.Filters) []float64 {
	var all [][]float64
	for _, f := range layers {
		mean, squares := 0.0, 0.0
		for _, w := range f.Weights {
			mean += w
		}
		mean /= float64(len(f.Weights))
		for _, w := range f.Weights {
			squares += (w - mean) * (w - mean)
		}
		deviation := math.Sqrt(squares / float64(len(f.Weights)))
		all = append(all, rows(each(f, func(w float64, _, _ int) float64 { return w / deviation }))...)
	}
	_, sums := covariance(all)
	var variance []float64
	for i := range sums {
		variance = append(variance, sums[i][i]/float64(len(all)))
	}
	return variance
}

// TestHeatMaps has several layers of one kernel size, which have different scales and means, and others.
func TestHeatMaps(t *testing.T) {
	a := draw(1, 4, 3, 3, 3)
	b := each(draw(2, 7, 2, 3, 3), func(w float64, tap, _ int) float64 { return 100*w*float64(1+tap) + 1000 })
	c, line := draw(3, 5, 1, 3, 3), draw(4, 6, 2, 3)
	same := each(a, func(float64, int, int) float64 { return 0.1 })
	m := newModel()
	conv(t, m, "a", a)
	conv(t, m, "line", line)
	conv(t, m, "b", b)
	first := conv(t, m, "c", c)
	add(t, m, "Conv", "c again", 1, first.Input(1), 1, 2)
	conv(t, m, "same", same)
	s := measure(t, m)
	if got := fmt.Sprint(s.AllEqual); got != "[same]" {
		t.Errorf("all weights are equal in %s, want [same]", got)
	}
	for i, want := range []filterstats.HeatMap{
		{Kernel: []int{3, 3}, Kernels: 12 + 14 + 5, Variance: heatMap(a, b, c)},
		{Kernel: []int{3}, Kernels: 12, Variance: heatMap(line)},
	} {
		got := s.HeatMaps[i]
		equal := slices.EqualFunc(got.Variance, want.Variance, func(x, y float64) bool { return math.Abs(x-y) < 1e-9 })
		if len(s.HeatMaps) != 2 || !slices.Equal(got.Kernel, want.Kernel) || got.Kernels != want.Kernels || !equal {
			t.Errorf("heat map %+v, want %+v", got, want)
		}
	}
}

// TestShared names the first of the layers that have the same filters.
func TestShared(t *testing.T) {
	f := draw(1, 4, 2, 3, 3)
	m := newModel()
	first := conv(t, m, "first", f)
	conv(t, m, "other", f) // the same numbers in a constant of its own
	add(t, m, "Conv", "second", 1, first.Input(1), 2, 2)
	add(t, m, "Conv", "third", 2, first.Input(1), 2, 2)
	for _, blocks := range []bool{false, true} {
		if blocks {
			if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random}); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, l := range measure(t, m).Layers {
			got = append(got, l.Name+": "+l.SharedWith)
		}
		want := []string{"first: ", "other: ", "second: first", "third: first"}
		if blocks {
			want[3] = "third: " // the combined filters of another number of groups are others
		}
		if !slices.Equal(got, want) {
			t.Errorf("blocks %v: %q, want %q", blocks, got, want)
		}
	}
}

// TestProgress counts convolutions, and ends the work with an error.
func TestProgress(t *testing.T) {
	m := newModel()
	conv(t, m, "a", draw(1, 4, 3, 3, 3))
	conv(t, m, "b", draw(1, 4, 3, 1, 1))
	conv(t, m, "c", draw(1, 4, 3, 3, 3))
	var told []int
	stopped := errors.New("stopped")
	_, err := filterstats.Measure(m, func(done, total int) error {
		told = append(told, done, total)
		if done == 2 {
			return stopped
		}
		return nil
	})
	if !errors.Is(err, stopped) || !slices.Equal(told, []int{1, 3, 2, 3}) {
		t.Errorf("told %v, %v", told, err)
	}
}

// TestChangedBlock refuses a model that differs from its records.
func TestChangedBlock(t *testing.T) {
	m := newModel()
	conv(t, m, "conv", draw(1, 4, 3, 3, 3))
	if _, err := transform.Convert(m, transform.Options{}); err != nil {
		t.Fatal(err)
	}
	bank := m.Graph.Value("conv.bank")
	bank.SetConstant(tensor(draw(2, 4, 3, 3, 3)))
	if _, err := filterstats.Measure(m, nil); err == nil || !strings.Contains(err.Error(), "its bank") {
		t.Errorf("a changed bank: %v", err)
	}
}

func TestCenter(t *testing.T) {
	for _, c := range []struct {
		kernel    []int
		variance  []float64
		center    float64
		elsewhere float64 // 0 for none
	}{
		{[]int{3, 3}, []float64{1, 2, 3, 4, 50, 6, 7, 8, 9}, 50, 5},
		{[]int{2, 3}, []float64{1, 10, 1, 2, 20, 2}, 15, 1.5},
		{[]int{1, 5}, []float64{1, 2, 30, 4, 5}, 30, 3},
		{[]int{4}, []float64{1, 10, 20, 3}, 15, 2},
		{[]int{2, 2}, []float64{1, 2, 3, 4}, 2.5, 0},
		{[]int{1, 3, 1}, []float64{1, 7, 3}, 7, 2},
	} {
		center, elsewhere := filterstats.HeatMap{Kernel: c.kernel, Variance: c.variance}.Center()
		var want *float64
		if c.elsewhere > 0 {
			want = &c.elsewhere
		}
		if center != c.center || !isNear(elsewhere, want, 1e-12) {
			t.Errorf("%v: %v in the center, %s elsewhere, want %v, %s", c.kernel, center, text(elsewhere), c.center, text(want))
		}
	}
}
