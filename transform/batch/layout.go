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
	first := []onnxgraph.Dim{dims[0], dims[3], dims[1], dims[2]}
	return readThrough(m, input, ".channels_first", input.DType(), first, "Transpose", onnxgraph.Ints("perm", 0, 2, 3, 1))
}
