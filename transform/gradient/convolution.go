package gradient

import "github.com/rcfreeze/rcfreeze/onnxgraph"

// Convolution is a convolution of X with the filters W, and the gradients that Of emitted for it. Later functions can replace
// them by faster operators.
type Convolution struct {
	Node   *onnxgraph.Node  // the Conv
	X, W   *onnxgraph.Value // its input and its filters
	DY     *onnxgraph.Value // the gradient of its output
	DX, DW *onnxgraph.Value // the gradients of its input and its filters, nil if they are not needed
}

// Shortcut says that the gradient of a value x is computed through one convolution, although the graph computes y from x in
// several nodes. In a frozen block, for example, the graph computes y = P·(R·x) by two convolutions. With W = P·R, the gradient
// of x is that of the single convolution y = W·x, which can be less work. The gradients of other values, such as P, are computed
// as usual.
type Shortcut struct {
	Last *onnxgraph.Node  // the node that reads x, in the example the convolution with R; no other input of it gets a gradient
	Node *onnxgraph.Node  // the equal convolution, in the example of x with W; nothing reads its output
	Y    *onnxgraph.Value // y as the graph computes it, whose gradient is used for Node's output
}
