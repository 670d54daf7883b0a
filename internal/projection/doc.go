// Package projection finds pointwise weights P so that the combined filters P·R, with a bank R, are as close as possible to given
// filters W. It also combines P and R to filters again. It works on row-major float64 slices: each row is a filter.
//
// A convolution may consist of many such problems. Its weights hold them in one of two layouts:
//
//   - groups: each group has its own filters and its own bank filters, one group after the other;
//   - channels (the depthwise layout): each input channel has its own bank filters, which see this channel's part of
//     every filter.
//
// All functions fail if a dimension is below 1, if the length of a slice does not match the dimensions, or if a number is
// infinite or NaN. The error lists every fault.
package projection
