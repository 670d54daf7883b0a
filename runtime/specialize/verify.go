package specialize

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// remedy says what the user can do if the batch size own of a model cannot be changed.
func remedy(own int64) string {
	return fmt.Sprintf("take batches of %d, or let the program that made the model write it for any batch size", own)
}

// otherBatch returns the batch size of a model, if it is fixed and differs from that of shape.
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

// CheckBatch compares the outputs of fitted for a batch of noise of the given shape, [N, C, …], with those of the source,
// which is made for another batch size, for the first and the last of its images. It does nothing if the source is made
// for N, or for any size. Call ort.Init first.
func CheckBatch(source, fitted *onnxgraph.Model, shape []int64) error {
	own, isOther := otherBatch(source, shape)
	if !isOther {
		return nil
	}
	input, err := batch.Input(source)
	if err != nil {
		return err
	}
	images, err := noise(input.DType(), shape)
	if err != nil {
		return fmt.Errorf("checking that a batch of %d gives what single images do: %w", shape[0], err)
	}
	fixed := fitted.Clone() // outputs of some types can be read with declared sizes only
	if err := batch.SetSize(fixed, onnxgraph.Dim{Size: shape[0]}); err != nil {
		return err
	}
	all, err := outputs(fixed, input.Name(), images)
	if err != nil {
		return fmt.Errorf("the model is made for a batch of %d and fails with %d: %s: %w", own, shape[0], remedy(own), err)
	}
	for _, i := range []int64{0, shape[0] - 1} {
		single, err := outputs(source, input.Name(), repeated(images, i, own))
		if err != nil {
			return err
		}
		for name := range single {
			if !sameRow(all[name], i, shape[0], single[name], own, tolerances[input.DType()]) {
				return fmt.Errorf("the model is made for a batch of %d and its output %q is another with %d: %s", own, name, shape[0], remedy(own))
			}
		}
	}
	return nil
}

// tolerances bound the difference between outputs of a batch and of single images, relative to the largest output: above
// what the order of sums explains in the type of the images.
var tolerances = map[onnxgraph.DType]float64{
	onnxgraph.Float64: 1e-6, onnxgraph.Float32: 1e-3, onnxgraph.Float16: 2e-2, onnxgraph.BFloat16: 1e-1, onnxgraph.Uint8: 1e-3,
}

// noise draws images.
func noise(dtype onnxgraph.DType, shape []int64) (*onnxgraph.Tensor, error) {
	n := onnxgraph.ElementCount(shape)
	rng := rand.New(rand.NewPCG(1, 1))
	if dtype == onnxgraph.Uint8 {
		pixels := make([]byte, n)
		for i := range pixels {
			pixels[i] = byte(rng.Uint32())
		}
		return onnxgraph.NewRawTensor(dtype, shape, pixels), nil
	}
	if tolerances[dtype] == 0 {
		return nil, fmt.Errorf("images of type %v cannot be drawn, only floating-point numbers and uint8", dtype)
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	return onnxgraph.FromFloat64s(dtype, shape, values)
}

// repeated returns a batch that holds one image of another as often as asked.
func repeated(images *onnxgraph.Tensor, i, times int64) *onnxgraph.Tensor {
	raw, err := images.Raw()
	if err != nil {
		panic("specialize: " + err.Error()) // the dims and data are made here, so they match
	}
	size := int64(len(raw)) / images.Dims()[0]
	dims := slices.Clone(images.Dims())
	dims[0] = times
	return onnxgraph.NewRawTensor(images.DType(), dims, bytes.Repeat(raw[i*size:(i+1)*size], int(times)))
}

// sameRow reports whether what a batch of n gives for image i is what a batch of own equal images does, or
// everything, if the output does not depend on the batch size.
func sameRow(all *onnxgraph.Tensor, i, n int64, single *onnxgraph.Tensor, own int64, tolerance float64) bool {
	got, err := all.Float64s()
	if err != nil {
		return false
	}
	want, err := single.Float64s()
	if err != nil {
		return false
	}
	if !slices.Equal(all.Dims(), single.Dims()) {
		if int64(len(got))*own != int64(len(want))*n {
			return false
		}
		rows := len(want) / int(own)
		got, want = got[int(i)*rows:int(i+1)*rows], want[:rows]
	}
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for k, v := range want {
		if !(math.Abs(got[k]-v) <= tolerance*largest) {
			return false
		}
	}
	return true
}

func outputs(m *onnxgraph.Model, input string, images *onnxgraph.Tensor) (map[string]*onnxgraph.Tensor, error) {
	session, err := ort.OpenModel(m, ort.Options{})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	return session.Run(map[string]*onnxgraph.Tensor{input: images})
}
