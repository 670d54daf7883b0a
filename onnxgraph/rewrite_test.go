package onnxgraph

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/peer"
)

// TestSwapOutput puts a node behind another one whose output is a graph output.
func TestSwapOutput(t *testing.T) {
	m := New("g", 8, 18)
	x, err := m.Graph.AddInput("x", Float32, Static(2))
	if err != nil {
		t.Fatal(err)
	}
	relu := m.Graph.AddNode("Relu", []*Value{x})
	y := relu.Output(0)
	m.Graph.AddOutput(y, Float32, Static(2))

	neg := m.Graph.AddNode("Neg", nil)
	relu.SwapOutput(0, neg, 0)
	neg.SetInput(0, relu.Output(0))

	if y.Producer() != neg || relu.Output(0).Producer() != relu || m.Graph.Outputs()[0] != y {
		t.Errorf("after the swap: %v produces the output, %v what it reads", y.Producer(), neg.Input(0).Producer())
	}
	if got := m.Graph.Sorted(); !slices.Equal(got, []*Node{relu, neg}) {
		t.Errorf("order %v, want Relu before Neg", got)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
}

func TestRemoveOutput(t *testing.T) {
	m := New("g", 8, 18)
	n := m.Graph.AddNodeOf("", "Split", nil, 3)
	name := n.Output(2).Name()
	n.RemoveOutput(1)
	if len(n.Outputs()) != 3 || n.Output(1) != nil {
		t.Errorf("an absent output in the middle must keep the place of those behind it: %v", n.Outputs())
	}
	n.RemoveOutput(2)
	if len(n.Outputs()) != 1 || m.Graph.Value(name) != nil {
		t.Errorf("absent outputs at the end must vanish: %v", n.Outputs())
	}
	m.Graph.AddOutput(n.Output(0), Float32, nil)
	defer func() {
		if recover() == nil {
			t.Error("removing a used output must panic")
		}
	}()
	n.RemoveOutput(0)
}

func TestRenameNode(t *testing.T) {
	m := New("g", 8, 18)
	a, b := m.Graph.AddNode("Relu", nil), m.Graph.AddNode("Relu", nil)
	if !a.Rename("first") || a.Name() != "first" {
		t.Errorf("a free name was refused: the node is called %q", a.Name())
	}
	if b.Rename("first") || b.Name() == "first" {
		t.Error("a taken name was given to a second node")
	}
}

func TestParseTensor(t *testing.T) {
	path := filepath.Join(peer.ConformanceModels(t), "node/test_relu/test_data_set_0/input_0.pb")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tensor, err := ParseTensor(data)
	if err != nil {
		t.Fatal(err)
	}
	if tensor.DType() != Float32 || !slices.Equal(tensor.Dims(), []int64{3, 4, 5}) {
		t.Errorf("got %v of dims %v, want float32 of dims [3 4 5]", tensor.DType(), tensor.Dims())
	}
	if _, err := ParseTensor(data[:len(data)-1]); err == nil {
		t.Error("a tensor that is cut short was read without an error")
	}
}
