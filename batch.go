package rcfreeze

import (
	"fmt"
	"strconv"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// DynamicBatch is the batch size of a model that takes any number of images.
const DynamicBatch = "dynamic"

const (
	checkedSize = 3  // images in the batch with which a model for any size is checked
	openSide    = 64 // replaces a height or width that a model leaves open
)

// checkBatch says what is wrong with a batch size, "" for none.
func checkBatch(size string) error {
	if _, err := strconv.ParseInt(size, 10, 64); err != nil && size != "" && size != DynamicBatch {
		return fmt.Errorf("--batch %q: needs a whole number, or %s", size, DynamicBatch)
	}
	return nil
}

// setBatch changes the model's batch size, and checks that a batch gives the same outputs as single images. Start ONNX Runtime
// first.
func setBatch(m *Model, text string) error {
	size := onnxgraph.Dim{Size: -1, Param: "batch"}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		size = onnxgraph.Dim{Size: n}
	}
	source := m.Clone()
	if err := batch.SetSize(m, size); err != nil {
		return err
	}
	input, err := batch.Input(m)
	if err != nil {
		return err
	}
	declared, _ := input.Shape()
	shape := []int64{size.Size}
	if size.Size < 0 {
		shape[0] = checkedSize
	}
	for _, d := range declared[1:] {
		if d.Size < 0 {
			d.Size = openSide
		}
		shape = append(shape, d.Size)
	}
	if err := specialize.CheckBatch(source, m, shape); err != nil {
		return fmt.Errorf("setting the batch size of %s to %s: %w", m.Path(), text, err)
	}
	return nil
}
