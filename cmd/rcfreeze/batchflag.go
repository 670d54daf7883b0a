package main

import (
	"fmt"
	"strconv"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/batch"
	"github.com/spf13/pflag"
)

// batchFlag is the batch size that a written model is to take.
type batchFlag struct{ value string }

const (
	dynamicSize = "dynamic"
	checkedSize = 3  // images in the batch that a model for any size is checked with
	openSide    = 64 // what stands for a height or width that a model leaves open
)

func (f *batchFlag) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.value, "batch", "", "batch size of the exported model: a number, or dynamic for any (default: as it is)")
}

func (f *batchFlag) check() error {
	if _, err := strconv.ParseInt(f.value, 10, 64); err != nil && f.value != "" && f.value != dynamicSize {
		return fmt.Errorf("--batch %q: needs a whole number, or %s", f.value, dynamicSize)
	}
	return nil
}

// apply gives the model the batch size, and makes sure that a batch gives what single images do. ONNX Runtime
// must have been started.
func (f *batchFlag) apply(m *onnxgraph.Model) error {
	if f.value == "" {
		return nil
	}
	size := onnxgraph.Dim{Size: -1, Param: "batch"}
	if n, err := strconv.ParseInt(f.value, 10, 64); err == nil {
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
		return fmt.Errorf("setting the batch size of %s to %s: %w", m.Path(), f.value, err)
	}
	return nil
}
