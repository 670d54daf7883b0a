package weights

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Source describes an input of a node that reads a constant, directly or through nodes that only rearrange it. The zero value
// means that the input is absent or not constant.
type Source struct {
	Root   *onnxgraph.Value  // the constant
	Tensor *onnxgraph.Tensor // what the node reads: the constant's data, perhaps rearranged
}

// SourceOf returns the Source of an input v, the zero value if it is not constant.
func SourceOf(v *onnxgraph.Value) Source {
	root, t, _ := Resolve(v)
	return Source{root, t}
}

// Equals reports whether two inputs read the same constant, and get the same type, dims and numbers from it. Different constants
// are not equal, even if their numbers are. Two zero values are equal.
func (r Source) Equals(other Source) bool {
	if r.Root != other.Root || r.Tensor == other.Tensor {
		return r.Root == other.Root
	}
	if r.Tensor.DType() != other.Tensor.DType() || !slices.Equal(r.Tensor.Dims(), other.Tensor.Dims()) {
		return false
	}
	a, err := Hash(r.Tensor)
	if err != nil {
		return false
	}
	b, err := Hash(other.Tensor)
	return err == nil && a == b
}

// ReadersOf returns the nodes that read a constant, directly or through nodes that only rearrange it. The latter are not among
// them.
func ReadersOf(v *onnxgraph.Value) []*onnxgraph.Node {
	var list []*onnxgraph.Node
	for _, u := range v.Uses() {
		if _, _, reason := Resolve(u.Node.Output(0)); reason != "" {
			list = append(list, u.Node)
			continue
		}
		for _, n := range ReadersOf(u.Node.Output(0)) {
			if !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	return list
}
