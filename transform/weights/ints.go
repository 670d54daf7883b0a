package weights

// Dims are int64 in ONNX's files, and int where they count elements of slices.

// Ints returns dims as numbers to count with.
func Ints(dims []int64) []int {
	out := make([]int, len(dims))
	for i, v := range dims {
		out[i] = int(v)
	}
	return out
}

// Int64s returns numbers as dims.
func Int64s(dims ...int) []int64 {
	out := make([]int64, len(dims))
	for i, v := range dims {
		out[i] = int64(v)
	}
	return out
}

// Product returns the number of elements of a tensor of the given dims, which must be known to fit into memory. For dims that a
// file declares, see onnxgraph.ElementCount.
func Product(dims []int) int {
	p := 1
	for _, v := range dims {
		p *= v
	}
	return p
}
