package inference_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/inference"
)

// TestSwitch brings nodes in every form of training mode into that for inference, in the main graph, in bodies and in
// functions.
func TestSwitch(t *testing.T) {
	type values = []*onnxgraph.Value
	norm := func(outputs int, a ...onnxgraph.Attribute) func(*onnxgraph.Graph, *onnxgraph.Value) *onnxgraph.Node {
		return func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node {
			inputs := values{x}
			for _, name := range []string{"scale", "shift", "mean", "var"} {
				inputs = append(inputs, g.AddConstant(name, onnxgraph.NewTensor([]int64{3}, []float32{1, 2, 3})))
			}
			return g.AddNodeOf("", "BatchNormalization", inputs, outputs, a...)
		}
	}
	dropout := func(mode func(g *onnxgraph.Graph) *onnxgraph.Value) func(*onnxgraph.Graph, *onnxgraph.Value) *onnxgraph.Node {
		return func(g *onnxgraph.Graph, x *onnxgraph.Value) *onnxgraph.Node {
			inputs := values{x, g.AddConstant("ratio", onnxgraph.NewScalar[float32](0.3))}
			if mode != nil {
				inputs = append(inputs, mode(g))
			}
			return g.AddNode("Dropout", inputs)
		}
	}
	flag := func(v bool) func(g *onnxgraph.Graph) *onnxgraph.Value {
		return func(g *onnxgraph.Graph) *onnxgraph.Value { return g.AddConstant("mode", onnxgraph.NewScalar(v)) }
	}
	computed := func(g *onnxgraph.Graph) *onnxgraph.Value {
		return g.AddNode("Not", values{flag(false)(g)}).Output(0)
	}
	for _, c := range []struct {
		name     string
		opset    int64
		add      func(*onnxgraph.Graph, *onnxgraph.Value) *onnxgraph.Node
		training bool
		left     int // constants
	}{
		{"norm for inference", 18, norm(1), false, 4},
		{"norm that says so", 18, norm(1, onnxgraph.Int("training_mode", 0)), false, 4},
		{"norm in training mode", 18, norm(3, onnxgraph.Int("training_mode", 1)), true, 4},
		{"norm in training mode, of one output", 18, norm(1, onnxgraph.Int("training_mode", 1)), true, 4},
		{"norm in training mode by its outputs", 9, norm(5), true, 4},
		{"dropout for inference", 18, dropout(nil), false, 1},
		{"dropout that says so", 18, dropout(flag(false)), false, 1},
		{"dropout in training mode", 18, dropout(flag(true)), true, 1},
		{"dropout in a mode that is computed", 18, dropout(computed), true, 1},
	} {
		for _, count := range []int{1, 2} {
			m := onnxgraph.New("net", 8, c.opset)
			v, err := m.Graph.AddInput(convcases.X, onnxgraph.Float32, onnxgraph.Static(2, 3, 4))
			if err != nil {
				t.Fatal(err)
			}
			for range count {
				v = c.add(m.Graph, v).Output(0)
			}
			m.Graph.Rename(v, convcases.Y)
			m.Graph.AddOutput(v, onnxgraph.Float32, onnxgraph.Static(2, 3, 4))
			models := map[string]*onnxgraph.Model{"main graph": m}
			for _, place := range convcases.Places {
				if place.Rewritten && c.opset == 18 {
					models[place.Name] = convcases.Nest(m, place)
				}
			}
			for place, m := range models {
				copies := count // both branches of an If have the nodes
				if strings.HasPrefix(place, "branches") {
					copies *= 2
				}
				want := copies
				if !c.training {
					want = 0
				}
				training := inference.TrainingNodes(m)
				rows, err := inference.Switch(m)
				if err != nil || switched(rows) != want || training != want || len(rows) != copies {
					t.Errorf("%s, %s: %d nodes of %d are said to be switched, %d to be in training mode (%v), want %d", c.name, place, switched(rows), len(rows), training, err, want)
				}
				found := 0
				for _, n := range allNodes(m) {
					if n.Is("BatchNormalization") || n.Is("Dropout") {
						found++
						if len(n.Outputs()) != 1 || n.Has("training_mode") || n.Is("Dropout") && (n.Input(2) != nil || n.Input(1) == nil) {
							t.Errorf("%s, %s: %s has outputs %v, inputs %v and attributes %v", c.name, place, n, n.Outputs(), n.Inputs(), n.Attributes())
						}
					}
					if n.Is("Not") {
						t.Errorf("%s, %s: %s is left, which only told the mode", c.name, place, n)
					}
				}
				if found != copies {
					t.Errorf("%s, %s: %d nodes are left of %d", c.name, place, found, copies)
				}
				if place == "main graph" && len(m.Graph.Initializers()) != c.left*count {
					t.Errorf("%s: %d constants are left, want %d", c.name, len(m.Graph.Initializers()), c.left*count)
				}
			}
		}
	}
}

// allNodes returns the nodes of a model, in bodies and functions too.
func allNodes(m *onnxgraph.Model) []*onnxgraph.Node {
	var all []*onnxgraph.Node
	for _, g := range m.Graphs() {
		all = append(all, g.Nodes()...)
	}
	return all
}

// TestSwitchKeeps checks that a mode stays for others that read it, and that all nodes are named whose further outputs
// are read.
func TestSwitchKeeps(t *testing.T) {
	build := func() (*onnxgraph.Model, *onnxgraph.Value) {
		m := onnxgraph.New("net", 8, 18)
		x, err := m.Graph.AddInput(convcases.X, onnxgraph.Float32, onnxgraph.Static(2, 3))
		if err != nil {
			t.Fatal(err)
		}
		return m, x
	}
	m, x := build()
	mode := m.Graph.AddConstant("mode", onnxgraph.NewScalar(true))
	y := m.Graph.AddNode("Dropout", []*onnxgraph.Value{x, nil, mode}).Output(0)
	m.Graph.AddOutput(m.Graph.AddNode("Where", []*onnxgraph.Value{mode, y, x}).Output(0), onnxgraph.Float32, nil)
	if rows, err := inference.Switch(m); err != nil || switched(rows) != 1 || m.Graph.Value("mode") == nil {
		t.Errorf("%v, %v; the mode that Where reads is %v", rows, err, m.Graph.Value("mode"))
	}
	m, x = build()
	inputs := []*onnxgraph.Value{x}
	for _, name := range []string{"scale", "shift", "mean", "var"} {
		inputs = append(inputs, m.Graph.AddConstant(name, onnxgraph.NewTensor([]int64{3}, []float32{1, 2, 3})))
	}
	var want []string
	for range 2 {
		node := m.Graph.AddNodeOf("", "BatchNormalization", inputs, 3, onnxgraph.Int("training_mode", 1))
		m.Graph.AddOutput(node.Output(2), onnxgraph.Float32, nil)
		want = append(want, "node "+node.String()+`: output "`+node.Output(2).Name()+`" is used`)
	}
	y = m.Graph.AddNode("Dropout", []*onnxgraph.Value{x, nil, m.Graph.AddConstant("mode", onnxgraph.NewScalar(true))}).Output(0)
	m.Graph.AddOutput(y, onnxgraph.Float32, nil)
	before := transformtest.ModelBytes(t, m)
	_, err := inference.Switch(m)
	for _, part := range want {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %v, want it to say %s", err, part)
		}
	}
	if !bytes.Equal(transformtest.ModelBytes(t, m), before) {
		t.Error("the model was changed, although the error says that it cannot be switched")
	}
}

// switched counts the rows of nodes that were switched.
func switched(rows []transform.Outcome) (count int) {
	for _, r := range rows {
		if r.Status == transform.Switched {
			count++
		}
	}
	return count
}
