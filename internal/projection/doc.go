// Package projection finds the pointwise weights P whose combined filters P·R come closest to given filters W, where R is
// a bank, and combines P and R into filters again. It works on row-major float64 slices: a filter is a row.
//
// Project solves one such problem. A convolution may consist of many, which its weights hold in one of two layouts:
//
//   - groups: each group has its own filters and its own bank filters, one group after the other;
//   - channels (the depthwise layout): each input channel has its own bank filters, which see this channel's part of
//     every filter.
//
// All functions fail, naming every fault, if a dimension is below 1, if a slice has another length than the dimensions
// ask for, or if a number is infinite or NaN.
package projection
