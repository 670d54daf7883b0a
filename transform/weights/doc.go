// Package weights reads and replaces constants that nodes compute with: the filters of a convolution, and the scale and shift of
// a batch normalization. Between a constant and the node there may be other nodes that only rearrange it.
//
// If a constant cannot be read, a function returns a reason, a part of a sentence such as "its weight is quantized", which says
// what was found and what the user can do. The reason is "" if the constant can be read.
package weights
