package weights

// Dims are int64 in ONNX's files, and int where they count elements of slices.

// Ints converts dims from int64 to int.
func Ints(dims []int64) []int {
	out := make([]int, len(dims))
	for i, v := range dims {
		out[i] = int(v)
	}
	return out
}

// Int64s converts numbers from int to int64, the type of dims.
func Int64s(dims ...int) []int64 {
	out := make([]int64, len(dims))
	for i, v := range dims {
		out[i] = int64(v)
	}
	return out
}

// Product returns the number of elements of a tensor of the given dims: 1 if there are none. Use it only for dims of tensors that
// fit into memory, because it does not check for overflow. For any other dims in a file, use onnxgraph.ElementCount.
func Product(dims []int) int {
	p := 1
	for _, v := range dims {
		p *= v
	}
	return p
}
