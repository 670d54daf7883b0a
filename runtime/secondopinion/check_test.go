package secondopinion

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// TestCheckModel refuses models for what is not a matter of one operator, and says where it is.
func TestCheckModel(t *testing.T) {
	const (
		input  = "an input that is not declared float32 with two dims or more (x)"
		output = "an output that nodes read or that none computes, which the engine does not give back "
		one    = "only models with one of each are compared"
	)
	batch := func(dims ...int64) []onnxgraph.Dim {
		return append([]onnxgraph.Dim{{Size: -1, Param: "N"}}, onnxgraph.Static(dims...)...)
	}
	for _, c := range []struct {
		name  string
		opset int64 // 13 if 0
		dtype onnxgraph.DType
		shape []onnxgraph.Dim
		more  func(g *onnxgraph.Graph, x, y *onnxgraph.Value) // changes the model
		want  []string
	}{
		{name: "right", dtype: onnxgraph.Float32, shape: batch(3, 4, 4)},
		{name: "two dims", dtype: onnxgraph.Float32, shape: batch(3)},
		{name: "the oldest operators", opset: 7, dtype: onnxgraph.Float32, shape: batch(3)},
		{name: "the newest operators", opset: 24, dtype: onnxgraph.Float32, shape: batch(3)},
		{name: "older operators", opset: 6, dtype: onnxgraph.Float32, shape: batch(3), want: []string{"operator set 6; the engine's results are known for 7 to 24"}},
		{name: "newer operators", opset: 25, dtype: onnxgraph.Float32, shape: batch(3), want: []string{"operator set 25; the engine's results are known for 7 to 24"}},
		{name: "another type", dtype: onnxgraph.Float64, shape: batch(3), want: []string{input}},
		{name: "one dim", dtype: onnxgraph.Float32, shape: batch(), want: []string{input}},
		{name: "no shape", dtype: onnxgraph.Float32, want: []string{input}},
		{name: "an input with a default", dtype: onnxgraph.Float32, shape: batch(3), more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			add(t, g, "scale").SetConstant(onnxgraph.NewTensor([]int64{1, 3}, make([]float32, 3)))
		}},
		{name: "two inputs", dtype: onnxgraph.Float32, shape: batch(3), want: []string{"2 inputs and 1 outputs; " + one}, more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			add(t, g, "other")
		}},
		{name: "no input", dtype: onnxgraph.Float32, shape: batch(3), want: []string{"0 inputs and 1 outputs; " + one}, more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			x.SetConstant(onnxgraph.NewTensor([]int64{1, 3}, make([]float32, 3)))
		}},
		{name: "two outputs", dtype: onnxgraph.Float32, shape: batch(3), want: []string{"1 inputs and 2 outputs; " + one}, more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			g.AddOutput(g.AddNode("Sigmoid", values{x}).Output(0), onnxgraph.Float32, nil)
		}},
		{name: "an output that is read", dtype: onnxgraph.Float32, shape: batch(3), want: []string{output + "(y)"}, more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			g.AddNode("Sigmoid", values{y})
		}},
		{name: "outputs that are an input and a constant", dtype: onnxgraph.Float32, shape: batch(3), more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			g.AddOutput(add(t, g, "other"), onnxgraph.Float32, nil)
			g.AddOutput(g.AddConstant("c", onnxgraph.NewTensor([]int64{1, 3}, make([]float32, 3))), onnxgraph.Float32, nil)
		}, want: []string{"2 inputs and 3 outputs; " + one, output + "(other, c)"}},
		{name: "another domain, by name and without", dtype: onnxgraph.Float32, shape: batch(3), more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			g.AddNodeOf("com.microsoft", "Relu", values{x}, 1).Rename("fast")
			nameless := g.AddNodeOf("com.microsoft", "Relu", values{x}, 1)
			nameless.Rename("")
			g.Rename(nameless.Output(0), "nameless")
		}, want: []string{"Relu: not an operator that the engine is known to compute rightly (fast, nameless)"}},
		{name: "two results", dtype: onnxgraph.Float32, shape: batch(3, 4, 4), more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			g.AddNodeOf("", "MaxPool", values{x}, 2, kernel(2, 2)).Rename("pool")
		}, want: []string{"MaxPool: not exactly one output (pool)"}},
		{name: "a constant of another type", dtype: onnxgraph.Float32, shape: batch(3), more: func(g *onnxgraph.Graph, x, y *onnxgraph.Value) {
			g.AddNode("Add", values{x, g.AddConstant("c", onnxgraph.NewTensor([]int64{1, 3}, make([]float64, 3)))}).Rename("sum")
		}, want: []string{"Add: a constant of type float64 (sum)"}},
	} {
		m := onnxgraph.New("test", 7, cmp.Or(c.opset, 13))
		x, err := m.Graph.AddInput("x", c.dtype, c.shape)
		if err != nil {
			t.Fatal(err)
		}
		y := m.Graph.AddNode("Relu", values{x}).Output(0)
		m.Graph.Rename(y, "y")
		m.Graph.AddOutput(y, c.dtype, c.shape)
		if c.more != nil {
			c.more(m.Graph, x, y)
		}
		if got := Check(m); !slices.Equal(got, c.want) {
			t.Errorf("%s: reasons %q, want %q", c.name, got, c.want)
		}
	}
}

// add adds an input of three columns.
func add(t *testing.T, g *onnxgraph.Graph, name string) *onnxgraph.Value {
	t.Helper()
	v, err := g.AddInput(name, onnxgraph.Float32, []onnxgraph.Dim{{Size: -1, Param: "N"}, {Size: 3}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCheckExternalData refuses a model whose tensors are in another file, once it is saved so.
func TestCheckExternalData(t *testing.T) {
	path, m, _ := testCase{dims: []int64{3, 16, 16}, rank: 4, output: with("Add", 1, 3, 16, 16)}.build(t, 1)
	if got := Check(m); got != nil {
		t.Errorf("in one file: reasons %q", got)
	}
	if err := m.Save(path, onnxgraph.ExternalAll); err != nil {
		t.Fatal(err)
	}
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := Check(m); len(got) != 1 || !strings.HasPrefix(got[0], "data in another file, which the engine does not read (w") {
		t.Errorf("in %s and another file: reasons %q", filepath.Base(path), got)
	}
}

// TestCheckCountsInputs gives operators one input less than ONNX has for them, and one more than the engine takes.
func TestCheckCountsInputs(t *testing.T) {
	const reason = ": optional inputs that the engine does not have, or that it needs"
	seen := 0
	for _, c := range []struct {
		operators string
		least     int
		most      int // not of Concat, which takes any number
	}{
		{"MaxPool GlobalAveragePool Relu LeakyRelu Sigmoid Tanh Softplus Softmax Flatten Transpose Dropout Identity", 1, 1},
		{"Add Sub Mul Div MatMul Reshape", 2, 2},
		{"Conv", 2, 3},
		{"Concat", 2, 0},
		{"Gemm", 3, 3},
		{"BatchNormalization", 5, 5},
		{"Constant", 0, 0},
	} {
		for _, op := range strings.Fields(c.operators) {
			seen++
			for count := range 8 {
				m := onnxgraph.New("test", 7, 13)
				inputs := make(values, count)
				for i := range inputs {
					inputs[i] = add(t, m.Graph, string(rune('a'+i)))
				}
				m.Graph.AddNode(op, inputs)
				refused := strings.Contains(strings.Join(Check(m), "\n"), op+reason)
				if want := count < c.least || count > c.most && op != "Concat"; refused != want {
					t.Errorf("%s of %d inputs: refused for their number: %v, want %v", op, count, refused, want)
				}
			}
		}
	}
	if seen != len(whiteList) {
		t.Errorf("%d operators were tried, of %d", seen, len(whiteList))
	}
}

// TestCheckRules has forms of operators on both sides of a rule. The tables right and wrong have more, and try the engine on them.
func TestCheckRules(t *testing.T) {
	norm := func(attrs ...onnxgraph.Attribute) func(*net) *onnxgraph.Value {
		return func(n *net) *onnxgraph.Value {
			w := n.weights(3)
			return n.Op("BatchNormalization", values{n.x, w, n.weights(3), n.weights(3), n.weights(3)}, attrs...)
		}
	}
	gemm := func(bias func(*net) *onnxgraph.Value) func(*net) *onnxgraph.Value {
		return func(n *net) *onnxgraph.Value { return n.Op("Gemm", values{n.x, n.weights(5, 4), bias(n)}) }
	}
	const (
		vector  = "Add: a vector with what is not known to be a matrix of as many columns"
		softmax = "Softmax: not along the second of two dims"
		bias    = "Gemm: a bias that is not a row"
		shape   = "Reshape: a dim of -1 that is not the last one after dims of 0 and 1"
	)
	for _, c := range []testCase{
		{name: "batch norm", dims: image, rank: 4, output: norm()},
		{name: "batch norm in training", dims: image, rank: 4, output: norm(onnxgraph.Int("training_mode", 1)), reason: "BatchNormalization: training mode"},
		{name: "batch norm of positions", opset: 7, dims: image, rank: 4, output: norm(onnxgraph.Int("spatial", 0)), reason: "BatchNormalization: statistics for each position"},
		{name: "softmax", dims: row, rank: 2, output: op("Softmax", onnxgraph.Int("axis", 1))},
		{name: "softmax at the last axis", dims: row, rank: 2, output: op("Softmax")},
		{name: "softmax at axis 0", dims: row, rank: 2, output: op("Softmax", onnxgraph.Int("axis", 0)), reason: softmax},
		{name: "softmax at axis -2", dims: row, rank: 2, output: op("Softmax", onnxgraph.Int("axis", -2)), reason: softmax},
		{name: "softmax of three dims", dims: []int64{3, 4}, rank: 3, output: op("Softmax"), reason: softmax},
		{name: "older softmax of three dims", opset: 12, dims: []int64{3, 4}, rank: 3, output: op("Softmax")},
		{name: "older softmax at the last axis", opset: 12, dims: []int64{3, 4}, rank: 3, output: op("Softmax", onnxgraph.Int("axis", 2)), reason: softmax},
		{name: "softmax of an unknown shape", dims: row, rank: 2, reason: "Softmax: the shape of the output is not declared", output: func(n *net) *onnxgraph.Value {
			return n.Op("Relu", values{n.Op("Softmax", values{n.x})})
		}},
		{name: "a vector beside any value", dims: row, rank: 2, output: with("Add", 5), reason: vector},
		{name: "a vector of one", dims: row, rank: 2, output: with("Add", 1)},
		{name: "a matrix", dims: row, rank: 2, output: with("Add", 1, 5)},
		{name: "a vector beside a product", dims: row, rank: 2, output: func(n *net) *onnxgraph.Value {
			return n.Op("Add", values{n.weights(4), n.Op("MatMul", values{n.x, n.weights(5, 4)})})
		}},
		{name: "a vector beside a product of other columns", dims: row, rank: 2, reason: vector, output: func(n *net) *onnxgraph.Value {
			return n.Op("Add", values{n.Op("MatMul", values{n.x, n.weights(5, 1)}), n.weights(4)})
		}},
		{name: "a vector beside a product of nothing", dims: row, rank: 2, reason: "MatMul: optional inputs", output: func(n *net) *onnxgraph.Value {
			return n.Op("Add", values{n.Op("MatMul", values{n.x, nil}), n.weights(4)})
		}},
		{name: "a row as bias", dims: row, rank: 2, output: gemm(func(n *net) *onnxgraph.Value { return n.weights(1, 4) })},
		{name: "a vector as bias", dims: row, rank: 2, output: gemm(func(n *net) *onnxgraph.Value { return n.weights(4) })},
		{name: "a number as bias", dims: row, rank: 2, output: gemm(func(n *net) *onnxgraph.Value { return n.weights() }), reason: bias},
		{name: "a matrix as bias", dims: row, rank: 2, output: gemm(func(n *net) *onnxgraph.Value { return n.weights(2, 4) }), reason: bias},
		{name: "a computed bias", dims: row, rank: 2, reason: "Gemm: a bias that is computed", output: gemm(func(n *net) *onnxgraph.Value {
			return n.Op("Identity", values{n.weights(4)})
		})},
		{name: "reshape", dims: row, rank: 2, output: reshaped(0, -1)},
		{name: "reshape behind dims of 1", dims: row, rank: 3, output: reshaped(1, 1, -1)},
		{name: "reshape behind a dim of 2", dims: row, rank: 2, output: reshaped(2, -1), reason: shape},
		{name: "reshape without -1", dims: row, rank: 2, output: reshaped(1, 5)},
		{name: "reshape with -1 first", dims: row, rank: 2, output: reshaped(-1, 5), reason: shape},
		{name: "reshape to one dim", dims: row, rank: 1, output: reshaped(-1), reason: "Reshape: to fewer than two dims"},
		{name: "reshape to dims of 0", dims: row, rank: 2, reason: "Reshape: allowzero", output: func(n *net) *onnxgraph.Value {
			return n.Op("Reshape", values{n.x, n.Ints(0, 5)}, onnxgraph.Int("allowzero", 1))
		}},
		{name: "reshape to a computed shape", dims: row, rank: 2, reason: "Reshape: a computed shape", output: func(n *net) *onnxgraph.Value {
			return n.Op("Reshape", values{n.x, n.Op("Shape", values{n.x})})
		}},
		{name: "flatten at axis 0", dims: image, rank: 2, output: op("Flatten", onnxgraph.Int("axis", 0))},
		{name: "concat at axis 0", dims: image, rank: 4, output: func(n *net) *onnxgraph.Value {
			return n.Op("Concat", values{n.x, n.Op("Relu", values{n.x})}, onnxgraph.Int("axis", 0))
		}},
		{name: "a constant of numbers", dims: row, rank: 2, reason: "Constant: no tensor as its value", output: func(n *net) *onnxgraph.Value {
			return n.Op("Reshape", values{n.x, n.Op("Constant", nil, onnxgraph.Ints("value_ints", 0, 5))})
		}},
		{name: "a constant that gives an operand", dims: row, rank: 2, reason: "Constant: read by another", output: func(n *net) *onnxgraph.Value {
			return n.Op("Add", values{n.x, n.Op("Constant", nil, onnxgraph.TensorAttr("value", n.normal(1, 5)))})
		}},
		{name: "a product by a vector", dims: row, rank: 1, output: with("MatMul", 5), reason: "MatMul: a constant that is not a matrix"},
		{name: "a window of three dims", dims: []int64{3, 4, 4, 4}, rank: 5, output: pool(onnxgraph.Ints("kernel_shape", 2, 2, 2)), reason: "MaxPool: not exactly two dims in kernel_shape"},
		{name: "pads of 0", dims: image, rank: 4, output: pool(kernel(2, 2), onnxgraph.Ints("pads", 0, 0, 0, 0))},
		{name: "pads that differ", dims: image, rank: 4, output: pool(kernel(2, 2), onnxgraph.Ints("pads", 0, 0, 0, 1)), reason: "MaxPool: pads that are not all equal"},
	} {
		_, m, _ := c.build(t, 1)
		got := strings.Join(Check(m), "\n")
		if (got == "") != (c.reason == "") || !strings.Contains(got, c.reason) {
			t.Errorf("%s: reasons %q, want %q", c.name, got, c.reason)
		}
	}
}
