// Package transform rewrites models: it turns spatial convolutions into frozen blocks (a fixed filter bank and a
// trainable 1×1 convolution), finds the blocks of a file again, and merges them back into plain convolutions. It executes nothing.
// Packages beside it have the other passes: parameter, head, normalization, opset and precision.
//
// A pass works on the model in place and returns one row per node that it considered: what it did, or why it did
// nothing. An error means that the model is unchanged.
//
// The arithmetic is in float64, and each resulting weight is rounded once to the type of the weight it replaces.
package transform
