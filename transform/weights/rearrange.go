package weights

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// rearrangements are the operators that only rearrange a constant, by name: they move numbers, or convert them to another type,
// and compute nothing. Each function gets the node and the tensors that it reads, and returns the node's output.
var rearrangements = map[string]func(n *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error){
	"Identity":        func(_ *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) { return first(in) },
	"Cast":            cast,
	"Transpose":       transpose,
	"Reshape":         reshape,
	"Flatten":         flatten,
	"Squeeze":         squeeze,
	"Unsqueeze":       unsqueeze,
	"ConstantOfShape": constantOfShape,
}

func first(in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	if len(in) == 0 {
		return nil, errors.New("it reads nothing")
	}
	return in[0], nil
}

func cast(n *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	t, err := first(in)
	if err != nil {
		return nil, err
	}
	return later(t, onnxgraph.DType(n.Int("to", 0)), t.Dims(), func(data []float64) []float64 { return data })
}

// later returns a tensor of floating-point numbers. Its elements are made from those of t when they are first needed.
func later(t *onnxgraph.Tensor, dtype onnxgraph.DType, dims []int64, rearrange func([]float64) []float64) (*onnxgraph.Tensor, error) {
	if !t.DType().IsNumber() || !dtype.IsFloat() {
		return nil, fmt.Errorf("it makes %v of %v, not floating-point numbers of numbers", dtype, t.DType())
	}
	return onnxgraph.NewLazyTensor(dtype, dims, func() (*onnxgraph.Tensor, error) {
		data, err := t.Float64s()
		if err != nil {
			return nil, err
		}
		return onnxgraph.FromFloat64s(dtype, dims, rearrange(data))
	}), nil
}

func transpose(n *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	t, err := first(in)
	if err != nil {
		return nil, err
	}
	dims, perm := Ints(t.Dims()), Ints(n.Ints("perm"))
	if len(perm) == 0 {
		for axis := range dims {
			perm = append(perm, len(dims)-1-axis)
		}
	}
	if sorted := slices.Sorted(slices.Values(perm)); !slices.Equal(sorted, upTo(len(dims))) {
		return nil, fmt.Errorf("perm %v does not permute %d axes", perm, len(dims))
	}
	strides, stride := make([]int, len(dims)), 1 // how far apart neighbors along an axis of the input are
	for axis := len(dims) - 1; axis >= 0; axis-- {
		strides[axis] = stride
		stride *= dims[axis]
	}
	to := make([]int, len(dims))
	for axis, from := range perm {
		to[axis] = dims[from]
	}
	return later(t, t.DType(), Int64s(to...), func(data []float64) []float64 {
		out := make([]float64, len(data))
		for i := range out {
			from := 0
			for axis, rest := len(to)-1, i; axis >= 0; axis-- {
				from += rest % to[axis] * strides[perm[axis]]
				rest /= to[axis]
			}
			out[i] = data[from]
		}
		return out
	})
}

// upTo returns 0 to n-1.
func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func reshape(n *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	if len(in) != 2 {
		return nil, fmt.Errorf("it has %d inputs, needs a tensor and a shape", len(in))
	}
	dims, err := in[1].Int64s()
	if err != nil {
		return nil, err
	}
	known, open := int64(1), -1
	for i, d := range dims {
		switch {
		case d == 0 && n.Int("allowzero", 0) == 0 && i < in[0].Rank():
			dims[i] = in[0].Dims()[i]
		case d == -1: // if there are two, one stays -1, and Reshaped refuses it
			open = i
			continue
		}
		known *= dims[i]
	}
	if open >= 0 && known > 0 {
		dims[open] = in[0].Len() / known
	}
	return in[0].Reshaped(dims)
}

func flatten(n *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	t, err := first(in)
	if err != nil {
		return nil, err
	}
	axis := int(n.Int("axis", 1))
	if axis < 0 {
		axis += t.Rank()
	}
	if axis < 0 || axis > t.Rank() {
		return nil, fmt.Errorf("axis %d of %d", axis, t.Rank())
	}
	return t.Reshaped([]int64{onnxgraph.ElementCount(t.Dims()[:axis]), onnxgraph.ElementCount(t.Dims()[axis:])})
}

func squeeze(n *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	t, err := first(in)
	if err != nil {
		return nil, err
	}
	axes, given, err := axesOf(n, in, t.Rank())
	if err != nil {
		return nil, err
	}
	var dims []int64
	for axis, d := range t.Dims() {
		if drop := slices.Contains(axes, axis) || !given && d == 1; !drop {
			dims = append(dims, d)
		}
	}
	return t.Reshaped(dims)
}

func unsqueeze(n *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	t, err := first(in)
	if err != nil {
		return nil, err
	}
	added := len(n.Ints("axes"))
	if len(in) > 1 {
		added = int(in[1].Len())
	}
	axes, _, err := axesOf(n, in, t.Rank()+added)
	if err != nil {
		return nil, err
	}
	rest := t.Dims()
	dims := make([]int64, t.Rank()+added)
	for axis := range dims {
		switch {
		case slices.Contains(axes, axis):
			dims[axis] = 1
		case len(rest) == 0:
			return nil, fmt.Errorf("axes %v repeat", axes)
		default:
			dims[axis], rest = rest[0], rest[1:]
		}
	}
	return t.Reshaped(dims)
}

// axesOf returns the axes that a node names in its second input or, before operator set 13, in an attribute, as numbers from 0 to
// rank-1; given is false if it names none.
func axesOf(n *onnxgraph.Node, in []*onnxgraph.Tensor, rank int) (axes []int, given bool, err error) {
	list := n.Ints("axes")
	if len(in) > 1 {
		if list, err = in[1].Int64s(); err != nil {
			return nil, false, err
		}
	}
	for _, axis := range list {
		if axis < 0 {
			axis += int64(rank)
		}
		if axis < 0 || axis >= int64(rank) {
			return nil, false, fmt.Errorf("axes %v of %d", list, rank)
		}
		axes = append(axes, int(axis))
	}
	return axes, len(in) > 1 || n.Has("axes"), nil
}

func constantOfShape(n *onnxgraph.Node, in []*onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	t, err := first(in)
	if err != nil {
		return nil, err
	}
	dims, err := t.Int64s()
	if err != nil {
		return nil, err
	}
	value := n.Tensor("value")
	if value == nil {
		value = onnxgraph.NewTensor([]int64{1}, []float32{0})
	}
	one, err := value.Float64s()
	if err != nil {
		return nil, err
	}
	count, fits := elements(dims)
	if len(one) != 1 || !fits {
		return nil, fmt.Errorf("it fills dims %v with %v", dims, one)
	}
	return later(value, value.DType(), dims, func(one []float64) []float64 { return slices.Repeat(one, count) })
}

// elements returns how many elements a tensor of the given dims has. fits is false if they are far more than filters have: a few
// bytes in a file could ask for any number.
func elements(dims []int64) (count int, fits bool) {
	const most = 1 << 23
	n := int64(1)
	for _, d := range dims {
		if d < 0 || d > most || n*d > most {
			return 0, false
		}
		n *= d
	}
	return int(n), true
}
