package onnxgraph

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
)

// Densified returns a sparse constant (an initializer or the output of a Constant node) as a dense tensor, nil if v is not a
// sparse constant. It fails if the indices are invalid.
func (v *Value) Densified() (*Tensor, error) {
	p := v.sparse
	if v.producer != nil && v.producer.Is("Constant") {
		p = v.producer.attr("sparse_value").GetSparseTensor()
	}
	if p == nil {
		return nil, nil
	}
	t, err := densify(p)
	if err != nil {
		return nil, fmt.Errorf("reading sparse constant %q: %w", v.name, err)
	}
	return t, nil
}

// mostDensified limits the elements of a dense tensor, because a few bytes in a file could ask for any number. It is far more
// than any filters have.
const mostDensified = 1 << 23

// densify makes a dense tensor from a sparse one. The indices are either [values], positions in row-major order, or [values,
// rank], one position along each axis.
func densify(p *onnxpb.SparseTensorProto) (*Tensor, error) {
	values, indices := &Tensor{proto: p.GetValues()}, &Tensor{proto: p.GetIndices()}
	raw, err := values.Raw()
	if err != nil {
		return nil, err
	}
	at, err := indices.Int64s()
	if err != nil {
		return nil, err
	}
	size := int64(values.DType().Bits() / 8)
	count, total := values.Len(), ElementCount(p.GetDims())
	if size == 0 || total < 0 || total > mostDensified || indices.Rank() != 1 && indices.Rank() != 2 || indices.Dims()[0] != count {
		return nil, fmt.Errorf("dims %v, values %v of dims %v, indices of dims %v", p.GetDims(), values.DType(), values.Dims(), indices.Dims())
	}
	dims, width := []int64{total}, int64(1)
	if indices.Rank() == 2 {
		dims, width = p.GetDims(), int64(len(p.GetDims()))
	}
	if int64(len(at)) != count*width {
		return nil, fmt.Errorf("%d indices for %d values of %d axes", len(at), count, width)
	}
	positions := make([]int64, count)
	for i := range positions {
		for axis, d := range dims {
			index := at[int64(i)*width+int64(axis)]
			if index < 0 || index >= d {
				return nil, fmt.Errorf("index %d of an axis of size %d", index, d)
			}
			positions[i] = positions[i]*d + index
		}
	}
	dims = slices.Clone(p.GetDims())
	return NewLazyTensor(values.DType(), dims, func() (*Tensor, error) {
		dense := make([]byte, total*size)
		for i, position := range positions {
			copy(dense[position*size:][:size], raw[int64(i)*size:])
		}
		return NewRawTensor(values.DType(), dims, dense), nil
	}), nil
}
