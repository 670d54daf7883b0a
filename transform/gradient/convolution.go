package gradient

import "github.com/rcfreeze/rcfreeze/onnxgraph"

// Convolution is a convolution of X with the filters W, and the gradients that Of emitted for it: for passes that have
// another way to compute them.
type Convolution struct {
	Node   *onnxgraph.Node // which has the attributes
	X, W   *onnxgraph.Value
	DY     *onnxgraph.Value // the gradient of its output
	DX, DW *onnxgraph.Value // those of its input and its filters, nil where they are not needed
}

// Shortcut computes the gradient of a value from that of a later one, without those of the nodes between the two.
type Shortcut struct {
	Last *onnxgraph.Node  // the node before the nodes to pass, of which only the first input has a gradient
	Node *onnxgraph.Node  // a convolution of Last's input; what it computes is not read
	Y    *onnxgraph.Value // what it would compute
}
