// Package transform rewrites models: it turns spatial convolutions into frozen blocks (a fixed filter bank and a
// trainable 1×1 convolution), finds the blocks of a file again, merges them back into plain convolutions, folds batch
// normalization, lists what trains and draws it anew. It executes nothing.
//
// A pass works on the model in place and returns one row per node that it considered: what it did, or why it did
// nothing. An error means that the model is unchanged.
//
// The arithmetic is in float64, and each resulting weight is rounded once to the type of the weight it replaces.
package transform
