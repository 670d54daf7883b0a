package filterstats

import "math"

// Filters are those of one convolution.
type Filters struct {
	Kernel   []int     // its size along each axis
	Channels int       // that one filter sees: the input channels of one group
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

// Kernels returns the number of kernels: there is one for each filter and channel.
func (f Filters) Kernels() int { return len(f.Weights) / f.taps() }

// kernel returns the weights of kernel i.
func (f Filters) kernel(i int) []float64 { return f.Weights[i*f.taps() : (i+1)*f.taps()] }

// largest returns the largest magnitude among some weights.
func largest(weights []float64) float64 {
	most := 0.0
	for _, w := range weights {
		most = max(most, math.Abs(w))
	}
	return most
}

// deviation returns the standard deviation of some weights (that of a population).
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
