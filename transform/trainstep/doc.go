// Package trainstep turns a model into the graph of one training step: forward pass, loss, gradients and optimizer as ONE
// ordinary ONNX model of ordinary operators, which a stock runtime executes.
//
// The graph takes its state as inputs and returns it as outputs: each output is the next step's input. All trained parameters are
// one vector, so that the optimizer needs only a few nodes for a model of any size. The optimizer's moments are vectors, too, and
// so are the running statistics of BatchNormalization. Blocks with a large expansion are stored as coordinates in the vector;
// Step.Trained computes their weights from these.
package trainstep
