package verify

import (
	"fmt"
	"math/rand/v2"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// openSizes are tried, in turn, for what a model leaves open, other than the batch: few models run on any.
var openSizes = []int64{64, 224, 256, 512}

// mostNoise is how many numbers an input may have, far above what images have: they must fit in memory.
const mostNoise = 1 << 31

// runOnNoise draws inputs that the model m of session s runs on, and runs it. Dimensions of one symbol get one size.
func runOnNoise(m *onnxgraph.Model, s *ort.Session, batch int64, seed uint64) (inputs, outputs map[string]*onnxgraph.Tensor, err error) {
	var first error
	for _, examples := range []int64{batch, 1} {
		for _, size := range openSizes {
			open := openSize{batch: examples, other: size, symbols: map[string]int64{}}
			inputs, err = open.noise(m, s.Inputs(), seed)
			if err != nil && first != nil {
				break // larger sizes are too large
			}
			if err != nil {
				return nil, nil, fmt.Errorf("drawing inputs for %s: %w", m.Path(), err)
			}
			if outputs, err = s.Run(inputs); err == nil {
				return inputs, outputs, nil
			}
			if first == nil {
				first = err
			}
			if !open.asked {
				return nil, nil, fmt.Errorf("running %s: %w", m.Path(), first)
			}
		}
	}
	return nil, nil, fmt.Errorf("running %s, with batches of %d and 1 and sizes of %v for what its inputs leave open: %w", m.Path(), batch, openSizes, first)
}

// openSize says which sizes stand for those that a model leaves open.
type openSize struct {
	batch, other int64
	symbols      map[string]int64
	asked        bool // whether the model leaves any open
}

// noise draws an input for every port: standard normal numbers, or zeros for integers, which as indices
// are always in range.
func (o *openSize) noise(m *onnxgraph.Model, ports []ort.Port, seed uint64) (map[string]*onnxgraph.Tensor, error) {
	for _, p := range ports {
		if symbol := symbolOf(m, p, 0); symbol != "" {
			o.symbols[symbol] = o.batch
		}
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	inputs := map[string]*onnxgraph.Tensor{}
	for _, p := range ports {
		if p.DType.Bits() == 0 {
			return nil, fmt.Errorf("input %q is %v, which has no random values", p.Name, p.DType)
		}
		shape := make([]int64, len(p.Shape))
		n := int64(1)
		for axis, d := range p.Shape {
			if shape[axis] = d; d < 0 {
				shape[axis] = o.size(symbolOf(m, p, axis), axis)
			}
			if shape[axis] > mostNoise/max(n, 1) {
				return nil, fmt.Errorf("input %q has shape %v, more than %d numbers: --batch gives the model another batch size, and --no-verify leaves out to run it",
					p.Name, p.Shape, mostNoise)
			}
			n *= shape[axis]
		}
		if !p.DType.IsFloat() {
			inputs[p.Name] = onnxgraph.NewRawTensor(p.DType, shape, make([]byte, (n*int64(p.DType.Bits())+7)/8))
			continue
		}
		data := make([]float64, n)
		for i := range data {
			data[i] = rng.NormFloat64()
		}
		t, err := onnxgraph.FromFloat64s(p.DType, shape, data)
		if err != nil {
			return nil, err
		}
		inputs[p.Name] = t
	}
	return inputs, nil
}

// size returns the size of an open dimension.
func (o *openSize) size(symbol string, axis int) int64 {
	o.asked = true
	if size, known := o.symbols[symbol]; known {
		return size
	}
	if axis == 0 {
		return o.batch
	}
	return o.other
}

// symbolOf returns the name that the model gives to a dimension of its input, "" if none.
func symbolOf(m *onnxgraph.Model, p ort.Port, axis int) string {
	if v := m.Graph.Value(p.Name); v != nil {
		if shape, ok := v.Shape(); ok && axis < len(shape) {
			return shape[axis].Param
		}
	}
	return ""
}
