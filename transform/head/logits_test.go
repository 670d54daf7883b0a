package head_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/head"
)

// open is a dim that a model does not fix.
var open = onnxgraph.Dim{Size: -1, Param: "N"}

// withOutputs is a model of images [N, 3] whose outputs are declared so.
func withOutputs(t *testing.T, outputs map[string][]onnxgraph.Dim) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, []onnxgraph.Dim{open, {Size: 3}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"features", "logits", "probabilities", "other"} {
		dims, ok := outputs[name]
		if !ok {
			continue
		}
		from := x
		if name == "probabilities" {
			from = m.Graph.Value("logits")
		}
		opType := "Relu"
		if name == "probabilities" {
			opType = "Softmax"
		}
		y := m.Graph.AddNode(opType, []*onnxgraph.Value{from}).Output(0)
		m.Graph.Rename(y, name)
		m.Graph.AddOutput(y, onnxgraph.Float32, dims)
	}
	return m
}

// TestLogits chooses among outputs.
func TestLogits(t *testing.T) {
	type outputs = map[string][]onnxgraph.Dim
	row := func(sizes ...int64) []onnxgraph.Dim {
		return append([]onnxgraph.Dim{open}, onnxgraph.Static(sizes...)...)
	}
	for _, c := range []struct {
		name    string
		outputs outputs
		classes int
		fit     []string
		only    string // what Logits returns without a choice, "" for an error
	}{
		{"one", outputs{"logits": row(4)}, 4, []string{"logits"}, "logits"},
		{"one of another size", outputs{"logits": row(4)}, 5, nil, "logits"},
		{"features before", outputs{"features": row(8), "logits": row(4)}, 4, []string{"logits"}, ""},
		{"neither", outputs{"features": row(8), "logits": row(4)}, 5, nil, ""},
		{"both", outputs{"features": row(4), "logits": row(4)}, 4, []string{"features", "logits"}, ""},
		{"and their Softmax", outputs{"features": row(8), "logits": row(4), "probabilities": row(4)}, 4, []string{"logits"}, ""},
		{"single numbers", outputs{"features": row(8), "logits": row(1)}, 2, []string{"logits"}, ""},
		{"single numbers without a dim", outputs{"features": row(8), "logits": row()}, 2, []string{"logits"}, ""},
		{"one per place", outputs{"features": row(4, 7, 7), "logits": row(4, 1, 1)}, 4, []string{"logits"}, ""},
		{"of unknown size", outputs{"features": row(8), "other": {open, {Size: -1}}}, 4, nil, ""},
		{"boxes", outputs{"features": row(4, 4), "logits": row(4)}, 4, []string{"logits"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := withOutputs(t, c.outputs)
			var fit []string
			for _, v := range head.LogitsFor(m, c.classes) {
				fit = append(fit, v.Name())
			}
			if !slices.Equal(fit, c.fit) {
				t.Errorf("for %d classes there are %q, want %q", c.classes, fit, c.fit)
			}
			v, err := head.Logits(m)
			var several *head.SeveralOutputsError
			switch {
			case c.only != "" && (err != nil || v.Name() != c.only):
				t.Errorf("without a choice: %v, %v, want %s", v, err, c.only)
			case c.only == "" && !errors.As(err, &several):
				t.Errorf("without a choice: error %v, want one of several outputs", err)
			}
			for name := range c.outputs {
				if err := head.Choose(m, name); err != nil {
					t.Fatal(err)
				}
				if v, err := head.Logits(m.Clone()); err != nil || v.Name() != name {
					t.Errorf("after choosing %s: %v, %v", name, v, err)
				}
			}
		})
	}
	for _, c := range []struct {
		dims    []onnxgraph.Dim
		dtype   onnxgraph.DType
		classes int
		binary  bool
	}{
		{row(4), onnxgraph.Float32, 4, false}, {row(2), onnxgraph.Float16, 2, false}, {row(1), onnxgraph.Float32, 2, true}, {row(), onnxgraph.Float32, 2, true},
		{row(1, 1, 1), onnxgraph.Float32, 2, true}, {row(3, 1, 1), onnxgraph.Float32, 3, false}, {row(3, 2, 1), onnxgraph.Float32, 0, false},
		{row(3, 1, 2), onnxgraph.Float32, 0, false}, {row(3, 1), onnxgraph.Float32, 0, false}, {row(1, 1), onnxgraph.Float32, 0, false},
		{row(3, 1, 1, 1), onnxgraph.Float32, 0, false}, {[]onnxgraph.Dim{}, onnxgraph.Float32, 0, false}, {nil, onnxgraph.Undefined, 0, false},
		{row(4), onnxgraph.Int64, 0, false}, {row(1), onnxgraph.Int64, 0, false}, {row(0), onnxgraph.Float32, 0, false}, {row(-1), onnxgraph.Float32, 0, false},
		{onnxgraph.Static(4), onnxgraph.Float32, 0, false}, {onnxgraph.Static(1), onnxgraph.Float32, 2, true},
	} {
		m := onnxgraph.New("net", 8, 18)
		v, err := m.Graph.AddInput("x", onnxgraph.Float32, []onnxgraph.Dim{open, {Size: 3}})
		if err != nil {
			t.Fatal(err)
		}
		y := m.Graph.AddNode("Relu", []*onnxgraph.Value{v}).Output(0)
		m.Graph.AddOutput(y, c.dtype, c.dims)
		if got, binary := head.Classes(y), head.IsBinary(y); got != c.classes || binary != c.binary {
			t.Errorf("%v of %v: %d classes, a single number: %v; want %d, %v", c.dims, c.dtype, got, binary, c.classes, c.binary)
		}
	}
	if _, err := head.Logits(onnxgraph.New("net", 8, 18)); err == nil || !strings.Contains(err.Error(), "has no outputs") {
		t.Errorf("without outputs: error %v", err)
	}
	m := withOutputs(t, outputs{"features": {{Size: 0}, {Size: -1}}, "logits": row(4)})
	if fit := head.LogitsFor(m, 0); fit != nil {
		t.Errorf("no class is told apart by %v", fit)
	}
	if err := head.Choose(m, "scores"); err == nil || !strings.Contains(err.Error(), "\n  features: float32 [0, ?]\n  logits: float32 [N, 4]") {
		t.Errorf("an output that there is not: error %v", err)
	}
}

// TestLastOperatorOfNothing asks behind a node that reads nothing, as no exporter writes it.
func TestLastOperatorOfNothing(t *testing.T) {
	m := onnxgraph.New("net", 8, 18)
	y := m.Graph.AddNode("Relu", []*onnxgraph.Value{m.Graph.AddNode("Identity", nil).Output(0)}).Output(0)
	if n := head.LastOperator(y); !n.Is("Relu") {
		t.Errorf("found %v", n)
	}
	for operator, passes := range map[string]bool{"Identity": true, "Flatten": true, "Reshape": true, "Squeeze": true, "Unsqueeze": true, "Transpose": false} {
		n := m.Graph.AddNode(operator, []*onnxgraph.Value{m.Graph.AddNode("Identity", []*onnxgraph.Value{y}).Output(0)})
		if got := head.LastOperator(n.Output(0)); got.Is("Relu") != passes {
			t.Errorf("behind %s: found %v", operator, got)
		}
	}
	m.SetOpset("vendor", 1)
	if n := head.LastOperator(m.Graph.AddNodeOf("vendor", "Identity", []*onnxgraph.Value{y}, 1).Output(0)); n.Domain() != "vendor" {
		t.Errorf("behind an operator of another domain: found %v", n)
	}
	if n := head.LastOperator(y.Producer().Input(0)); n != nil {
		t.Errorf("behind an Identity of nothing: found %v", n)
	}
}

// TestClassesOfWholeBatch takes an output of one axis for single numbers if it has one for each image of a batch of fixed size.
func TestClassesOfWholeBatch(t *testing.T) {
	for size, classes := range map[int64]int{4: 2, 3: 0, 5: 0, 1: 2} {
		m := onnxgraph.New("net", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(4, 3))
		if err != nil {
			t.Fatal(err)
		}
		y := m.Graph.AddNode("Relu", []*onnxgraph.Value{x}).Output(0)
		m.Graph.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(size))
		if got := head.Classes(y); got != classes || head.IsBinary(y) != (classes == 2) {
			t.Errorf("%d numbers for a batch of 4: %d classes, want %d", size, got, classes)
		}
	}
}
