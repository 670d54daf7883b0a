// Package trainstep turns a model into the graph of one training step: forward pass, loss, gradients and
// optimizer as ONE ordinary ONNX model of ordinary operators, which a stock runtime executes.
//
// State goes in and comes out: all trained parameters are one vector, so are the optimizer's moments and
// the running statistics of BatchNormalization, and each output is the next step's input. One vector
// keeps the optimizer to a handful of nodes whatever the model's size. Blocks of large expansion have coordinates in it,
// from which Step.Trained computes their weights.
package trainstep
