package gradient

import "github.com/rcfreeze/rcfreeze/onnxgraph"

// Convolution is a convolution of the forward graph with the gradients that Of emitted for it: for passes that have another
// way to compute them.
type Convolution struct {
	Node   *onnxgraph.Node
	DY     *onnxgraph.Value // the gradient of its output
	DX, DW *onnxgraph.Value // those of its input and its filters, nil where they are not needed
}
