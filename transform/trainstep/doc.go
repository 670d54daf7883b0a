// Package trainstep turns a model into the graph of one training step: forward pass, loss, gradients and optimizer as ONE
// ordinary ONNX model of ordinary operators, which a stock runtime executes.
//
// The graph takes its state as inputs and returns it as outputs: each output is the next step's input. All trained parameters are
// one vector, so that the optimizer needs only a few nodes for a model of any size. The optimizer's moments are vectors, too, and
// so are the running statistics of BatchNormalization.
//
// For a frozen block whose bank R has more filters than one filter has weights, the vector can hold fewer numbers than the weight
// P of the 1×1 convolution has: coordinates Z, of the size of the combined filters W, and one number s for all blocks, with
//
//	P = s·P₀ + Z·Rᵀ
//
// where P₀ is P before training. All changes of P by SGD have that form, so the results are the same, in less time.
// Step.Trained computes P from the vector.
package trainstep
