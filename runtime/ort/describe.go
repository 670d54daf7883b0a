package ort

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// describe returns an element type and a shape for messages, such as "float32[?,3,32,32]".
func describe(dtype onnxgraph.DType, shape []int64) string {
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = strconv.FormatInt(d, 10)
		if d < 0 {
			dims[i] = "?"
		}
	}
	return fmt.Sprintf("%v[%s]", dtype, strings.Join(dims, ","))
}

// sortedKeys returns the sorted keys of a map, so that messages are the same in every run.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
