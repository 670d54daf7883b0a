// Package filterstats measures the spatial filters of a model: how random they are, how their variance is spread over the kernel,
// and how far they are from the filters of another model. The model is not executed.
//
// [Measure] reads a model of any origin, and returns a row for each spatial convolution (a Conv with a kernel larger than 1 along
// an axis, of any number of axes). Of a frozen block it measures the combined filters: those of the one convolution that the
// block becomes when it is merged. [Shift] compares the 3×3 kernels of two models.
//
// A filter makes one output channel. It consists of a kernel for each input channel of its group. All measures are of the
// kernels, except for orthogonality, which compares whole filters.
package filterstats
