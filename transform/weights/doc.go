// Package weights reads the constants that nodes compute with, also those that come to a node through others which only
// rearrange them: the filters of a convolution, and what a batch normalization does to each channel. It also puts others in
// their place.
//
// Where something cannot be read, a function returns a reason: a part of a sentence such as "its weight is quantized", which says
// what was found and what the user can do.
package weights
