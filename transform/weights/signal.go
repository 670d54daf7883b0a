package weights

import (
	"slices"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Note says, in a sentence without a period, what the user should know before the convolution is rewritten: that its filters look
// like a fixed Fourier transform. It is "" if there is nothing to say.
func (c Convolution) Note() string {
	if c.In != 1 {
		return ""
	}
	data, _ := c.Filters.Float64s() // an error comes again, and is reported, when something computes with the filters
	if !isSinusoids(data, c.Kernel) {
		return ""
	}
	return "its filters are windowed sinusoids, as of a Fourier transform that is fixed on purpose"
}

// isSinusoids reports whether filters of one channel, along one axis, are windowed sinusoids of several frequencies. The energy
// of each filter that is not zero must lie, up to 5 %, within two bins of one frequency, which is how far the main lobe of the
// usual windows reaches. The kernel must be long, so that these five bins are a small part of the spectrum.
func isSinusoids(filters []float64, kernel []int) bool {
	const (
		shortest  = 32
		share     = 0.95
		fewest    = 4    // frequencies
		perFilter = 3    // filters for each frequency, at most: cosine, sine, and a margin
		nothing   = 1e-9 // energy relative to the largest, of a filter such as the sine of frequency 0
	)
	taps := Product(kernel)
	if taps < shortest || slices.Max(kernel) != taps {
		return false
	}
	var lines []line
	loudest := 0.0
	spectrum := fourier.NewFFT(taps)
	for filter := range slices.Chunk(filters, taps) {
		l := strongest(spectrum.Coefficients(nil, filter))
		lines, loudest = append(lines, l), max(loudest, l.all)
	}
	frequencies, count := map[int]int{}, 0 // filters for each, and for all
	for _, l := range lines {
		if l.all <= nothing*loudest {
			continue
		}
		if l.near < share*l.all {
			return false
		}
		frequencies[l.bin]++
		count++
	}
	return len(frequencies) >= fewest && count <= perFilter*len(frequencies)
}

// line describes the strongest frequency of a filter: its bin, the energy within two bins of it, and the energy of all bins.
type line struct {
	bin       int
	near, all float64
}

func strongest(spectrum []complex128) line {
	const lobe = 2
	var l line
	energy := make([]float64, len(spectrum))
	for bin, v := range spectrum {
		energy[bin] = real(v)*real(v) + imag(v)*imag(v)
		l.all += energy[bin]
		if energy[bin] > energy[l.bin] {
			l.bin = bin
		}
	}
	for _, e := range energy[max(0, l.bin-lobe):min(len(energy), l.bin+lobe+1)] {
		l.near += e
	}
	return l
}
