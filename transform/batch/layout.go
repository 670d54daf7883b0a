package batch

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// IsChannelsLast reports whether the model takes its images as [N, H, W, C], as TensorFlow models do. It does if, of 4 dims, the
// last can be the number of channels of an image (1, 3 or 4), and the second cannot.
func IsChannelsLast(m *onnxgraph.Model) bool {
	input, err := Input(m)
	if err != nil {
		return false
	}
	dims, _ := input.Shape()
	channels := func(axis int) bool { return slices.Contains([]int64{1, 3, 4}, dims[axis].Size) }
	return len(dims) == 4 && channels(3) && !channels(1)
}

// MakeChannelsFirst changes a model for which IsChannelsLast is true, in place, to take its images as [N, C, H, W]. A Transpose
// converts them to the old layout. The input's name gets ".channels_first" appended.
func MakeChannelsFirst(m *onnxgraph.Model) error {
	input, err := Input(m)
	if err != nil {
		return err
	}
	dims, _ := input.Shape()
	if len(dims) != 4 {
		return fmt.Errorf("putting the channels first in the images of %s: its input %q has dims %v, and needs to have 4", m.Path(), input.Name(), dims)
	}
	first := []onnxgraph.Dim{dims[0], dims[3], dims[1], dims[2]}
	return readThrough(m, input, ".channels_first", input.DType(), first, "Transpose", onnxgraph.Ints("perm", 0, 2, 3, 1))
}
