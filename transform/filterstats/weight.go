package filterstats

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// weightOf returns the constant that v is, and what it holds, or says why there is none.
func weightOf(v *onnxgraph.Value) (root *onnxgraph.Value, t *onnxgraph.Tensor, reason string) {
	if v == nil {
		return nil, nil, "is absent"
	}
	t, err := v.Densified()
	switch {
	case v.Constant() != nil:
		t = v.Constant()
	case err != nil:
		return nil, nil, fmt.Sprintf("%q: %v", v.Name(), err)
	case t == nil:
		return nil, nil, fmt.Sprintf("%q is no constant of the model", v.Name())
	}
	return v, t, ""
}

// isEqual reports whether two tensors hold the same numbers.
func isEqual(a, b *onnxgraph.Tensor) bool {
	x, err := a.SHA256()
	if err != nil {
		return false
	}
	y, err := b.SHA256()
	return err == nil && x == y
}
