package normalization_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
)

// TestFold folds into each convolution, and compares with the naive reference.
func TestFold(t *testing.T) {
	single := convcases.Case{Name: "one filter of one number", Input: []int64{1, 1, 3, 3}, Filters: 1, Kernel: []int64{1, 1}}
	for _, c := range append(slices.Clone(convcases.Cases), single) {
		m := c.Model()
		transformtest.AddNorm(m, c.Filters)
		transformtest.DisturbNorm(t, m)
		bound := transformtest.Tolerance[m.Graph.Outputs()[0].DType()]
		want := transformtest.Evaluate(t, m, c.Data())
		outcomes, err := normalization.Fold(m)
		if err != nil || len(outcomes) != 1 || outcomes[0].Status != transform.Folded {
			t.Fatalf("%s: %+v, %v", c.Name, outcomes, err)
		}
		m = transformtest.Reloaded(t, m)
		operators, _, names := transformtest.Census(m)
		if operators["Conv"] != 1 || len(operators) != 1 || len(names) != 2 || !names[convcases.Weight] || !names[convcases.Bias] {
			t.Errorf("%s: %v and %v are left", c.Name, operators, names)
		}
		if d := transformtest.Difference(t, transformtest.Evaluate(t, m, c.Data()), want); d > bound {
			t.Errorf("%s: differs by %.2g", c.Name, d)
		}
	}
}

// TestFoldIntoOtherOperators folds into a ConvTranspose and a Gemm, and compares on ONNX Runtime.
func TestFoldIntoOtherOperators(t *testing.T) {
	orttest.Init(t)
	for _, c := range []struct {
		operator string
		x, w, b  []int64
		channels int64
		attrs    []onnxgraph.Attribute
	}{
		{"ConvTranspose", []int64{1, 4, 5, 5}, []int64{4, 3, 3, 3}, nil, 3, nil},
		{"ConvTranspose", []int64{1, 4, 5, 5}, []int64{4, 3, 3, 3}, []int64{6}, 6, []onnxgraph.Attribute{onnxgraph.Int("group", 2)}},
		{"Gemm", []int64{2, 4}, []int64{4, 5}, []int64{5}, 5, []onnxgraph.Attribute{onnxgraph.Float("beta", 0.5), onnxgraph.Float("alpha", 2)}},
		{"Gemm", []int64{2, 4}, []int64{5, 4}, []int64{1, 5}, 5, []onnxgraph.Attribute{onnxgraph.Int("transB", 1)}},
		{"Gemm", []int64{2, 4}, []int64{5, 4}, []int64{1}, 5, []onnxgraph.Attribute{onnxgraph.Int("transB", 1)}},
	} {
		t.Run(fmt.Sprintf("%s %v", c.operator, c.b), func(t *testing.T) {
			m := onnxgraph.New("m", 8, 18)
			x, err := m.Graph.AddInput(convcases.X, onnxgraph.Float32, onnxgraph.Static(c.x...))
			if err != nil {
				t.Fatal(err)
			}
			inputs := []*onnxgraph.Value{x, m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, c.w...))}
			if c.b != nil {
				inputs = append(inputs, m.Graph.AddConstant("b", convcases.Draw(onnxgraph.Float32, 2, c.b...)))
			}
			n := m.Graph.AddNode(c.operator, inputs, c.attrs...)
			m.Graph.Rename(n.Output(0), convcases.Y)
			shape := []onnxgraph.Dim{{Size: c.x[0]}, {Size: c.channels}}
			for range c.x[2:] {
				shape = append(shape, onnxgraph.Dim{Size: -1})
			}
			m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, shape)
			transformtest.AddNorm(m, c.channels)
			transformtest.DisturbNorm(t, m)
			data := convcases.Draw(onnxgraph.Float32, 3, c.x...)
			want := transformtest.Execute(t, m, data)
			if outcomes, err := normalization.Fold(m); err != nil || outcomes[0].Status != transform.Folded {
				t.Fatalf("%+v, %v", outcomes, err)
			}
			if d := transformtest.Difference(t, transformtest.Execute(t, m, data), want); d > 1e-5 {
				t.Errorf("differs by %.2g", d)
			}
		})
	}
}

// TestFoldRefuses leaves alone what must not be folded, and says why.
func TestFoldRefuses(t *testing.T) {
	conv := func(m *onnxgraph.Model) *onnxgraph.Node { return m.Graph.Nodes()[0] }
	for reason, change := range map[string]func(m *onnxgraph.Model, norm *onnxgraph.Node){
		"used elsewhere": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			m.Graph.AddOutput(conv(m).Output(0), onnxgraph.Float32, nil)
		},
		"which it reads, is used elsewhere too": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			m.Graph.AddOutput(m.Graph.AddNode("Relu", []*onnxgraph.Value{norm.Input(0)}).Output(0), onnxgraph.Float32, nil)
		},
		"training mode":     func(m *onnxgraph.Model, norm *onnxgraph.Node) { norm.SetAttr(onnxgraph.Int("training_mode", 1)) },
		"puts out":          func(m *onnxgraph.Model, norm *onnxgraph.Node) { norm.NeedOutput(1) },
		"spatial":           func(m *onnxgraph.Model, norm *onnxgraph.Node) { norm.SetAttr(onnxgraph.Int("spatial", 0)) },
		"graph input":       func(m *onnxgraph.Model, norm *onnxgraph.Node) { m.Graph.MakeInput(norm.Input(4)) },
		"no weight to fold": func(m *onnxgraph.Model, norm *onnxgraph.Node) { conv(m).SetOpType("MaxPool") },
		`its weight "conv.weight" is a graph input`: func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			m.Graph.MakeInput(conv(m).Input(1))
		},
		"5 output channels": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			conv(m).SetInput(1, m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 5, 3, 3, 3)))
		},
		"malformed: its weight has dims [4]": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			conv(m).SetInput(1, m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4)))
		},
		"malformed: its weight has dims [4 3 0 3]": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			conv(m).SetInput(1, m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4, 3, 0, 3)))
		},
		"its weight is of type int32": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			conv(m).SetInput(1, m.Graph.AddConstant("w", onnxgraph.NewTensor([]int64{4, 3, 3, 3}, make([]int32, 108))))
		},
		"its input 3 has 5 numbers, input 1 has 4": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			norm.SetInput(3, m.Graph.AddConstant("mean", convcases.Draw(onnxgraph.Float32, 1, 5)))
		},
		"its variance -0.5 of channel 2, with epsilon": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			norm.Input(4).SetConstant(onnxgraph.NewTensor([]int64{4}, []float32{1, 1, -0.5, 1}))
		},
		"its variance 0 of channel 1, with epsilon 0": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			norm.Input(4).SetConstant(onnxgraph.NewTensor([]int64{4}, []float32{1, 0, 1, 1}))
			norm.SetAttr(onnxgraph.Float("epsilon", 0))
		},
		"its variance NaN of channel 0": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			norm.Input(4).SetConstant(onnxgraph.NewTensor([]int64{4}, []float32{float32(math.NaN()), 1, 1, 1}))
		},
		"nothing computes": func(m *onnxgraph.Model, norm *onnxgraph.Node) { norm.SetInput(0, m.Graph.Value(convcases.X)) },
		"its bias \"b\" is a graph input": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			b := m.Graph.AddConstant("b", convcases.Draw(onnxgraph.Float32, 1, 4))
			m.Graph.MakeInput(b)
			conv(m).SetInput(2, b)
		},
		"one number for each": func(m *onnxgraph.Model, norm *onnxgraph.Node) {
			conv(m).SetInput(2, m.Graph.AddConstant("b", convcases.Draw(onnxgraph.Float32, 1, 3)))
		},
	} {
		m := convcases.Named("plain").Model()
		change(m, transformtest.AddNorm(m, 4))
		outcomes, err := normalization.Fold(m)
		if err != nil || len(outcomes) != 1 || outcomes[0].Status != transform.Skipped || !strings.Contains(outcomes[0].Reason, reason) {
			t.Errorf("want it skipped for %q, got %+v, %v", reason, outcomes, err)
		}
	}
}

// TestFoldOldVersions folds normalizations of versions before 7 only if they say that they are for inference.
func TestFoldOldVersions(t *testing.T) {
	for _, c := range []struct {
		opset int64
		attrs []onnxgraph.Attribute
		folds bool
	}{
		{6, nil, false}, {6, []onnxgraph.Attribute{onnxgraph.Int("is_test", 0)}, false}, {6, []onnxgraph.Attribute{onnxgraph.Int("is_test", 1)}, true},
		{7, nil, true}, {8, []onnxgraph.Attribute{onnxgraph.Int("spatial", 1)}, true}, {14, []onnxgraph.Attribute{onnxgraph.Int("training_mode", 0)}, true},
	} {
		row := convcases.Named("bias")
		row.Opset = c.opset
		m := row.Model()
		transformtest.AddNorm(m, 4).SetAttr(c.attrs...)
		outcomes, err := normalization.Fold(m)
		if err != nil || len(outcomes) != 1 || (outcomes[0].Status == transform.Folded) != c.folds {
			t.Errorf("version %d: %+v, %v, want it folded: %v", c.opset, outcomes, err, c.folds)
		}
	}
}

// TestFoldRefusesGemm leaves alone a Gemm whose bias has other numbers for each image, and one whose bias fits by its count alone.
func TestFoldRefusesGemm(t *testing.T) {
	for _, c := range []struct {
		dims  []int64 // of the bias
		folds bool
	}{{[]int64{4}, true}, {[]int64{1, 4}, true}, {[]int64{1}, true}, {[]int64{2, 4}, false}, {[]int64{4, 1}, false}, {[]int64{2}, false}} {
		m := onnxgraph.New("net", 8, 18)
		x, err := m.Graph.AddInput(convcases.X, onnxgraph.Float32, onnxgraph.Static(2, 3))
		if err != nil {
			t.Fatal(err)
		}
		w, b := m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 3, 4)), m.Graph.AddConstant("b", convcases.Draw(onnxgraph.Float32, 2, c.dims...))
		y := m.Graph.AddNode("Gemm", []*onnxgraph.Value{x, w, b}).Output(0)
		m.Graph.Rename(y, convcases.Y)
		m.Graph.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(2, 4))
		transformtest.AddNorm(m, 4)
		outcomes, err := normalization.Fold(m)
		if err != nil || len(outcomes) != 1 || (outcomes[0].Status == transform.Folded) != c.folds {
			t.Errorf("a bias of dims %v: %+v, %v", c.dims, outcomes, err)
		}
	}
}

// TestFoldGemmOfSquareWeight folds equal normalizations behind two Gemms that read one square weight, one of them transposed:
// they cannot share what comes of it. Two that read it alike do, whether they say so or leave it to the default.
func TestFoldGemmOfSquareWeight(t *testing.T) {
	orttest.Init(t)
	transB := func(v int64) []onnxgraph.Attribute { return []onnxgraph.Attribute{onnxgraph.Int("transB", v)} }
	for _, c := range []struct {
		name          string
		first, second []onnxgraph.Attribute
		weights       int
	}{
		{"the second transposed", nil, transB(1), 2}, {"the first transposed", transB(1), nil, 2},
		{"both transposed", transB(1), transB(1), 1}, {"neither, one says so", transB(0), nil, 1},
		{"another share of the bias", []onnxgraph.Attribute{onnxgraph.Float("beta", 0.5)}, nil, 2},
		{"the same share of the bias", []onnxgraph.Attribute{onnxgraph.Float("beta", 1)}, nil, 1},
	} {
		m := onnxgraph.New("net", 8, 18)
		x, err := m.Graph.AddInput(convcases.X, onnxgraph.Float32, onnxgraph.Static(2, 4))
		if err != nil {
			t.Fatal(err)
		}
		w, bias := m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4, 4)), m.Graph.AddConstant("bias", convcases.Draw(onnxgraph.Float32, 3, 4))
		var gemms []*onnxgraph.Node
		for _, attrs := range [][]onnxgraph.Attribute{c.first, c.second} {
			n := m.Graph.AddNode("Gemm", []*onnxgraph.Value{x, w, bias}, attrs...)
			inputs := []*onnxgraph.Value{n.Output(0)}
			for _, data := range [][]float32{{1, 2, 3, 4}, {5, 6, 7, 8}, {4, 3, 2, 1}, {1, 2, 4, 8}} {
				inputs = append(inputs, m.Graph.AddConstant("norm", onnxgraph.NewTensor([]int64{4}, data)))
			}
			m.Graph.AddOutput(m.Graph.AddNode("BatchNormalization", inputs).Output(0), onnxgraph.Float32, onnxgraph.Static(2, 4))
			gemms = append(gemms, n)
		}
		in := map[string]*onnxgraph.Tensor{convcases.X: convcases.Draw(onnxgraph.Float32, 2, 2, 4)}
		want := transformtest.Outputs(t, m, in)
		folded, err := normalization.Fold(m)
		if err != nil {
			t.Fatal(err)
		}
		got := transformtest.Outputs(t, transformtest.Reloaded(t, m), in)
		for name, v := range want {
			transformtest.Compare(t, c.name+", output "+name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
		}
		if weights := map[*onnxgraph.Value]bool{gemms[0].Input(1): true, gemms[1].Input(1): true}; len(weights) != c.weights {
			t.Errorf("%s: %d weights, want %d", c.name, len(weights), c.weights)
		}
		for i, row := range folded { // each names the other, once
			other := gemms[1-i].String()
			if row.Status != transform.Folded || strings.Count(row.Reason, other) != c.weights-1 || strings.Contains(row.Reason, ", "+other) {
				t.Errorf("%s: %+v", c.name, row)
			}
		}
	}
}

// TestFoldDefaults folds into a transposed convolution with and without a number of groups, and a normalization that leaves all to
// the defaults: its epsilon, 1e-5, is as large as a variance.
func TestFoldDefaults(t *testing.T) {
	orttest.Init(t)
	m := onnxgraph.New("net", 8, 18)
	g := m.Graph
	x, err := g.AddInput(convcases.X, onnxgraph.Float32, onnxgraph.Static(1, 4, 5, 5))
	if err != nil {
		t.Fatal(err)
	}
	w := g.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4, 4, 3, 3))
	numbers := func(name string, data ...float32) *onnxgraph.Value {
		return g.AddConstant(name, onnxgraph.NewTensor([]int64{4}, data))
	}
	norm := []*onnxgraph.Value{nil, numbers("scale", 1, 2, 3, 4), numbers("shift", 4, 3, 2, 1), numbers("mean", 0.1, 0.2, 0.3, 0.4), numbers("var", 1e-5, 2e-5, 1e-4, 1)}
	var layers []*onnxgraph.Node
	for _, attrs := range [][]onnxgraph.Attribute{nil, {onnxgraph.Int("group", 1)}} {
		n := g.AddNode("ConvTranspose", []*onnxgraph.Value{x, w}, attrs...)
		norm[0] = n.Output(0)
		g.AddOutput(g.AddNode("BatchNormalization", norm).Output(0), onnxgraph.Float32, nil)
		layers = append(layers, n)
	}
	in := map[string]*onnxgraph.Tensor{convcases.X: convcases.Draw(onnxgraph.Float32, 2, 1, 4, 5, 5)}
	want := transformtest.Outputs(t, m, in)
	if rows, err := normalization.Fold(m); err != nil || rows[0].Status != transform.Folded || rows[0].Reason != "" || rows[1].Reason != "" {
		t.Fatal(rows, err)
	}
	got := transformtest.Outputs(t, transformtest.Reloaded(t, m), in)
	for name, v := range want {
		transformtest.Compare(t, name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v))
	}
	if layers[0].Input(1) != layers[1].Input(1) || layers[0].Input(2) != layers[1].Input(2) || len(g.Initializers()) != 2 {
		t.Errorf("the layers no longer share their weight: %d constants are left", len(g.Initializers()))
	}
}

// TestFoldSharedWeight folds two normalizations behind convolutions that share a weight: each takes a copy.
func TestFoldSharedWeight(t *testing.T) {
	c := convcases.Named("bias")
	m := c.Model()
	first := m.Graph.Nodes()[0]
	transformtest.AddNorm(m, c.Filters)
	transformtest.DisturbNorm(t, m)
	second := m.Graph.AddNode("Conv", first.Inputs())
	m.Graph.AddOutput(second.Output(0), onnxgraph.Float32, nil)
	want := transformtest.Evaluate(t, m, c.Data())
	plain := transformtest.EvaluateOutput(t, m, c.Data(), 1)
	if _, err := normalization.Fold(m); err != nil {
		t.Fatal(err)
	}
	if d := transformtest.Difference(t, transformtest.Evaluate(t, m, c.Data()), want); d > 1e-5 {
		t.Errorf("the folded convolution differs by %.2g", d)
	}
	if d := transformtest.Difference(t, transformtest.EvaluateOutput(t, m, c.Data(), 1), plain); d != 0 {
		t.Errorf("the other convolution changed by %.2g", d)
	}
}
