package trainstep_test

import (
	"math"
	"slices"
)

// maps are feature maps [N, C, H, W] in float64, for a naive reference.
type maps struct {
	n, c, h, w int
	data       []float64
}

func newMaps(n, c, h, w int) maps { return maps{n, c, h, w, make([]float64, n*c*h*w)} }

func (m maps) at(n, c, y, x int) *float64 { return &m.data[((n*m.c+c)*m.h+y)*m.w+x] }

// each calls f for every element.
func (m maps) each(f func(n, c, y, x int)) {
	for n := range m.n {
		for c := range m.c {
			for y := range m.h {
				for x := range m.w {
					f(n, c, y, x)
				}
			}
		}
	}
}

// conv is a convolution with 3×3 filters and one zero around the image.
func (m maps) conv(filters []float64, stride int) maps {
	count := len(filters) / (m.c * 9)
	out := newMaps(m.n, count, (m.h-1)/stride+1, (m.w-1)/stride+1)
	out.each(func(n, o, y, x int) {
		sum := 0.0
		for c := range m.c {
			for dy := range 3 {
				for dx := range 3 {
					if r, s := y*stride+dy-1, x*stride+dx-1; r >= 0 && s >= 0 && r < m.h && s < m.w {
						sum += *m.at(n, c, r, s) * filters[((o*m.c+c)*3+dy)*3+dx]
					}
				}
			}
		}
		*out.at(n, o, y, x) = sum
	})
	return out
}

// statistics returns mean and biased variance per channel.
func (m maps) statistics() (mean, variance []float64) {
	mean, variance = make([]float64, m.c), make([]float64, m.c)
	count := float64(m.n * m.h * m.w)
	m.each(func(n, c, y, x int) { mean[c] += *m.at(n, c, y, x) / count })
	m.each(func(n, c, y, x int) {
		d := *m.at(n, c, y, x) - mean[c]
		variance[c] += d * d / count
	})
	return mean, variance
}

func (m maps) normalize(scale, shift, mean, variance []float64, epsilon float64) maps {
	return m.perElement(func(v float64, c int) float64 {
		return (v-mean[c])/math.Sqrt(variance[c]+epsilon)*scale[c] + shift[c]
	})
}

func (m maps) perElement(f func(v float64, c int) float64) maps {
	out := newMaps(m.n, m.c, m.h, m.w)
	m.each(func(n, c, y, x int) { *out.at(n, c, y, x) = f(*m.at(n, c, y, x), c) })
	return out
}

func (m maps) relu() maps { return m.perElement(func(v float64, _ int) float64 { return max(v, 0) }) }

func (m maps) add(o maps) maps {
	out := newMaps(m.n, m.c, m.h, m.w)
	for i := range out.data {
		out.data[i] = m.data[i] + o.data[i]
	}
	return out
}

// maxPool takes the largest of every 2×2 pixels.
func (m maps) maxPool() maps {
	out := newMaps(m.n, m.c, m.h/2, m.w/2)
	out.each(func(n, c, y, x int) {
		*out.at(n, c, y, x) = max(*m.at(n, c, 2*y, 2*x), *m.at(n, c, 2*y, 2*x+1), *m.at(n, c, 2*y+1, 2*x), *m.at(n, c, 2*y+1, 2*x+1))
	})
	return out
}

// linear averages each map, and applies weights [K, C] and biases.
func (m maps) linear(weights, biases []float64) [][]float64 {
	logits := make([][]float64, m.n)
	for n := range logits {
		logits[n] = slices.Clone(biases)
	}
	m.each(func(n, c, y, x int) {
		for k := range biases {
			logits[n][k] += *m.at(n, c, y, x) / float64(m.h*m.w) * weights[k*m.c+c]
		}
	})
	return logits
}

// crossEntropy is the mean over the batch, with label smoothing.
func crossEntropy(logits [][]float64, labels []int64, smoothing float64) float64 {
	loss := 0.0
	for n, row := range logits {
		largest, sum := slices.Max(row), 0.0
		for _, v := range row {
			sum += math.Exp(v - largest)
		}
		for k, v := range row {
			target := smoothing / float64(len(row))
			if int64(k) == labels[n] {
				target += 1 - smoothing
			}
			loss -= target * (v - largest - math.Log(sum)) / float64(len(logits))
		}
	}
	return loss
}

func widen(data []float32) []float64 {
	out := make([]float64, len(data))
	for i, v := range data {
		out[i] = float64(v)
	}
	return out
}
