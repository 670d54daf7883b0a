package filterstats

import "math"

// Filters are the filters of one convolution. Their methods need at least one filter, and weights that are finite.
type Filters struct {
	Kernel   []int     // the kernel's size along each axis
	Channels int       // how many channels one filter reads: the input channels of one group
	Weights  []float64 // filters × channels × kernel
}

// taps returns how many weights a kernel has.
func (f Filters) taps() int {
	taps := 1
	for _, k := range f.Kernel {
		taps *= k
	}
	return taps
}

// Count returns the number of filters.
func (f Filters) Count() int { return len(f.Weights) / (f.Channels * f.taps()) }

// Kernels returns the number of kernels: Count times Channels.
func (f Filters) Kernels() int { return len(f.Weights) / f.taps() }

// kernel returns the weights of kernel i.
func (f Filters) kernel(i int) []float64 { return f.Weights[i*f.taps() : (i+1)*f.taps()] }

// largest returns the largest magnitude of the weights, 0 if there are none.
func largest(weights []float64) float64 {
	most := 0.0
	for _, w := range weights {
		most = max(most, math.Abs(w))
	}
	return most
}

// deviation returns the standard deviation of the weights (that of a population: divided by n, not n - 1).
func deviation(weights []float64) float64 {
	mean, squares := 0.0, 0.0
	for _, w := range weights {
		mean += w / float64(len(weights))
	}
	for _, w := range weights {
		squares += (w - mean) * (w - mean)
	}
	return math.Sqrt(squares / float64(len(weights)))
}
