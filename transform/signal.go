package transform

import (
	"math/cmplx"
	"slices"

	"gonum.org/v1/gonum/dsp/fourier"
)

// note says what the user should know before the convolution is rewritten, "" if there is nothing.
func (c convolution) note() string {
	if c.in != 1 {
		return ""
	}
	data, err := c.filters.Float64s()
	if err != nil || !isSinusoids(data, c.kernel) {
		return ""
	}
	return "its filters are windowed sinusoids, as of a Fourier transform that is fixed on purpose"
}

// isSinusoids reports whether filters of one channel, along one axis, are a bank of windowed sinusoids: each that is not
// zero has nearly all its energy within two bins of one frequency, as far as the main lobe of the usual windows reaches, and
// the frequencies are many. The kernel must be so long that five bins are a small part of the spectrum.
func isSinusoids(filters []float64, kernel []int) bool {
	const (
		shortest  = 32
		lobe      = 2
		share     = 0.95
		perFilter = 3 // filters for each frequency, at most: cosine, sine, and a margin
	)
	taps := product(kernel)
	if taps < shortest || slices.Max(kernel) != taps {
		return false
	}
	transform := fourier.NewFFT(taps)
	frequencies, count := map[int]bool{}, 0
	for filter := range slices.Chunk(filters, taps) {
		var energy []float64
		peak, all := 0, 0.0
		for bin, v := range transform.Coefficients(nil, filter) {
			e := cmplx.Abs(v) * cmplx.Abs(v)
			energy, all = append(energy, e), all+e
			if e > energy[peak] {
				peak = bin
			}
		}
		if all == 0 {
			continue
		}
		near := 0.0
		for _, e := range energy[max(0, peak-lobe):min(len(energy), peak+lobe+1)] {
			near += e
		}
		if near < share*all {
			return false
		}
		frequencies[peak] = true
		count++
	}
	return count > 0 && len(frequencies) >= lobe+2 && perFilter*len(frequencies) >= count
}
