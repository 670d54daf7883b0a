package specialize

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// batchTolerance bounds the difference between outputs of a batch and of single images, relative to the
// largest output: above what the order of float32 sums explains.
const batchTolerance = 1e-3

// dynamicBatch is what the user can do where the batch size cannot be changed.
const dynamicBatch = "export it with a dynamic batch size"

// otherBatch returns the batch size that a model is made for, if it is fixed and not that of shape.
func otherBatch(m *onnxgraph.Model, shape []int64) (own int64, isOther bool) {
	input, err := batch.Input(m)
	if err != nil {
		return 0, false
	}
	declared, ok := input.Shape()
	if !ok || declared[0].Size < 1 || declared[0].Size == shape[0] {
		return 0, false
	}
	return declared[0].Size, true
}

// checkBatch compares the outputs of fitted for a batch of noise with those of the source, which is made
// for another batch size, for the first and the last of its images.
func checkBatch(source, fitted *onnxgraph.Model, shape []int64) error {
	own, isOther := otherBatch(source, shape)
	if !isOther {
		return nil
	}
	input, err := batch.Input(source)
	if err != nil {
		return err
	}
	if input.DType() != onnxgraph.Float32 {
		return nil // only float32 models are trained or measured
	}
	size := int64(1)
	for _, d := range shape[1:] {
		size *= d
	}
	rng := rand.New(rand.NewPCG(1, 1))
	images := make([]float32, shape[0]*size)
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	all, err := firstOutput(fitted, input.Name(), onnxgraph.NewTensor(shape, images))
	if err != nil {
		return err
	}
	rows := int64(len(all)) / shape[0]
	for _, i := range []int64{0, shape[0] - 1} {
		repeated := make([]float32, 0, own*size)
		for range own {
			repeated = append(repeated, images[i*size:(i+1)*size]...)
		}
		single, err := firstOutput(source, input.Name(), onnxgraph.NewTensor(append([]int64{own}, shape[1:]...), repeated))
		if err != nil {
			return err
		}
		if int64(len(single)) != own*rows || !near(all[i*rows:(i+1)*rows], single[:rows]) {
			return fmt.Errorf("the model is made for a batch of %d and gives other outputs with %d: %s", own, shape[0], dynamicBatch)
		}
	}
	return nil
}

func near(got, want []float32) bool {
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range want {
		if !(math.Abs(float64(got[i]-v)) <= batchTolerance*largest) {
			return false
		}
	}
	return true
}

func firstOutput(m *onnxgraph.Model, input string, images *onnxgraph.Tensor) ([]float32, error) {
	data, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	session, err := ort.OpenBytes(data, ort.Options{})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	name := session.Outputs()[0].Name
	out, err := session.Run(map[string]*onnxgraph.Tensor{input: images}, name)
	if err != nil {
		return nil, err
	}
	return out[name].Float32s()
}
