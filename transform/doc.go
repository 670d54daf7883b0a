// Package transform rewrites models: it turns spatial convolutions into frozen blocks (a fixed filter bank and a
// trainable 1×1 convolution), finds the blocks of a file again, and merges them back into plain convolutions. It never runs a
// model. Packages below it have the other changes of models: architecture (builds new ones), batch, head, inference,
// normalization, opset, parameter and precision.
//
// A spatial convolution is a node with ONNX's operator Conv whose kernel is larger than 1 along at least one axis. It may have
// any number of axes (1-D, 2-D, 3-D) and of groups, so a depthwise convolution is one, too. The source is the convolution, or the
// model, as it was before the conversion.
//
// Functions change the model in place. Convert, Merge and others that go over many nodes return one row for each node that they
// considered: what they did with it, or why they did nothing. If a function returns an error, the model is unchanged, unless its
// comment says otherwise.
//
// Blocks are computed in float64, and each resulting weight is rounded once to the type of the weight that it replaces.
package transform
