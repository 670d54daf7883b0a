// Package filterstats measures the spatial filters of a model: how random they are, how their variance is spread over the kernel,
// and how far they are from those of another model. Nothing runs.
//
// [Measure] reads a model of any origin, and has a row for each spatial convolution, of one, two or three axes. Of a frozen block it
// measures the combined filters, which the block has once it is merged. [Shift] compares the 3×3 kernels of two models.
//
// A filter has a kernel for each of the channels that it sees. Measures are of the kernels, except for orthogonality.
package filterstats
