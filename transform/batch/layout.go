package batch

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// IsChannelsLast reports whether the model takes its images as [N, H, W, C], as models of TensorFlow do: the last of 4
// dims is the number of channels of an image, 1, 3 or 4, and the second is not.
func IsChannelsLast(m *onnxgraph.Model) bool {
	input, err := Input(m)
	if err != nil {
		return false
	}
	dims, _ := input.Shape()
	channels := func(axis int) bool { return slices.Contains([]int64{1, 3, 4}, dims[axis].Size) }
	return len(dims) == 4 && channels(3) && !channels(1)
}

// MakeChannelsFirst makes a model that IsChannelsLast take its images as [N, C, H, W], in place: a Transpose gives the
// rest of the model what it took before. The input gets another name.
func MakeChannelsFirst(m *onnxgraph.Model) error {
	input, err := Input(m)
	if err != nil {
		return err
	}
	dims, _ := input.Shape()
	first, err := m.Graph.AddInput(input.Name()+".channels_first", input.DType(), []onnxgraph.Dim{dims[0], dims[3], dims[1], dims[2]})
	if err != nil {
		return err
	}
	last := m.Graph.AddNode("Transpose", []*onnxgraph.Value{first}, onnxgraph.Ints("perm", 0, 2, 3, 1))
	if others := m.Graph.Nodes(); len(others) > 1 {
		m.Graph.Insert(others[0], last)
	}
	onnxgraph.ReplaceUses(input, last.Output(0))
	m.Graph.RemoveInput(input)
	return nil
}
