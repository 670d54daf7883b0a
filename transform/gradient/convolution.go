package gradient

import "github.com/rcfreeze/rcfreeze/onnxgraph"

// Convolution is a convolution of X with the filters W, and the gradients that Of emitted for it. Later passes can replace them
// by faster operators.
type Convolution struct {
	Node   *onnxgraph.Node // has the attributes
	X, W   *onnxgraph.Value
	DY     *onnxgraph.Value // the gradient of its output
	DX, DW *onnxgraph.Value // the gradients of its input and its filters, nil if they are not needed
}

// Shortcut computes the gradient of a value directly from that of a later value, without the gradients of the nodes between the
// two.
type Shortcut struct {
	Last *onnxgraph.Node  // the last of the nodes to bypass; only its first input has a gradient
	Node *onnxgraph.Node  // a convolution of Last's input; what it computes is not read
	Y    *onnxgraph.Value // what it would compute
}
