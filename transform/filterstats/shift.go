package filterstats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Divergence tells how differently the 3×3 kernels of two models, A and B, are distributed.
type Divergence struct {
	Shift      *float64    `json:"shift"`      // 0 for equal distributions, no upper bound; nil if a model has no 3×3 kernels
	Components []Component `json:"components"` // the nine principal components, most variance first; none if Shift is nil
	KernelsA   int         `json:"kernels_a"`  // how many 3×3 kernels A has; those of layers that share filters count once
	KernelsB   int         `json:"kernels_b"`  // how many B has
}

// Component is a principal component of the kernels of both models together.
type Component struct {
	Pattern  []float64 `json:"pattern"`            // nine numbers in the order of a kernel's weights, a vector of unit length
	Variance float64   `json:"explained_variance"` // the variance along it, as a share of all variance
	KL       float64   `json:"kl"`                 // KL(p‖q) + KL(q‖p) in nats, for the histograms p and q that Shift compares
}

const (
	taps          = 9  // weights of a 3×3 kernel
	histogramBins = 70 // over the range of all coefficients
)

// emptyBin is the density that an empty bin gets, because the logarithm of 0 is infinite.
const emptyBin = 0x1p-23

// Shift compares the distributions of the 3×3 kernels of two models. Every kernel is divided by the largest magnitude of its
// weights. Then the principal components of all kernels of both models together are computed, and each kernel is written as nine
// coefficients along them. For each component i there are two histograms of the coefficients: p_i for A, and q_i for B. The shift
// is
//
//	Σ_i v_i·(KL(p_i‖q_i) + KL(q_i‖p_i))
//
// with the share v_i of all variance that component i explains. It is the same if A and B are exchanged. Gavrikov & Keuper
// compare models in this way in "CNN Filter DB" (CVPR 2022) and in the notebook of paulgavrikov/CNN-Filter-DB, with the same 70
// bins. Here the range of the histograms is symmetric about 0, so that the shift does not depend on the sign of a component,
// which is arbitrary. Small models have few kernels for so many bins: then the shift is large even between equal distributions.
//
// If a model has no 3×3 kernels, the shift is nil, and there is no error. Shift fails if weights cannot be read.
func Shift(a, b *Stats) (*Divergence, error) {
	of := [2][]float64{}
	for i, s := range []*Stats{a, b} {
		var err error
		if of[i], err = s.scaledKernels(); err != nil {
			return nil, fmt.Errorf("comparing 3×3 kernels: %w", err)
		}
	}
	d := &Divergence{Components: []Component{}, KernelsA: len(of[0]) / taps, KernelsB: len(of[1]) / taps}
	if d.KernelsA == 0 || d.KernelsB == 0 {
		return d, nil
	}
	d.Components = components(of[0], of[1])
	most := 0.0
	coefficients := [taps][2][]float64{}
	mean := meanKernel(of[0], of[1])
	for i, c := range d.Components {
		for model, kernels := range of {
			coefficients[i][model] = project(kernels, mean, c.Pattern)
			most = max(most, largest(coefficients[i][model]))
		}
	}
	shift := 0.0
	for i := range d.Components {
		p, q := histogram(coefficients[i][0], most), histogram(coefficients[i][1], most)
		d.Components[i].KL = divergence(p, q) + divergence(q, p)
		shift += d.Components[i].Variance * d.Components[i].KL
	}
	d.Shift = &shift
	return d, nil
}

// scaledKernels returns all 3×3 kernels, each divided by its largest weight. Layers that share their filters count once.
func (s *Stats) scaledKernels() ([]float64, error) {
	var all []float64
	for i := range s.Layers {
		l := &s.Layers[i]
		if !isThreeByThree(l.Kernel) || l.SharedWith != "" {
			continue
		}
		f, err := l.Filters()
		if err != nil {
			return nil, err
		}
		for k := range f.Kernels() {
			peak := largest(f.kernel(k))
			for _, w := range f.kernel(k) {
				if peak > 0 {
					w /= peak
				}
				all = append(all, w)
			}
		}
	}
	return all, nil
}

// meanKernel returns the mean of the kernels of both models.
func meanKernel(both ...[]float64) []float64 {
	mean, count := make([]float64, taps), 0.0
	for _, kernels := range both {
		for i, w := range kernels {
			mean[i%taps] += w
		}
		count += float64(len(kernels) / taps)
	}
	for i := range mean {
		mean[i] /= count
	}
	return mean
}

// components returns the principal components of the kernels of both models together, without their divergence.
func components(both ...[]float64) []Component {
	mean := meanKernel(both...)
	var products [taps * taps]float64 // sums of products of centered weights, i ≤ k
	for _, kernels := range both {
		for kernel := range slices.Chunk(kernels, taps) {
			for i, w := range kernel {
				for k := i; k < taps; k++ {
					products[i*taps+k] += (w - mean[i]) * (kernel[k] - mean[k])
				}
			}
		}
	}
	var parts mat.EigenSym
	if !parts.Factorize(mat.NewSymDense(taps, products[:]), true) {
		panic("filterstats: no eigenvalues of finite numbers") // the algorithm converges for all of them
	}
	var vectors mat.Dense
	parts.VectorsTo(&vectors)
	values, sum := parts.Values(nil), 0.0
	for i := range values {
		values[i] = max(0, values[i])
		sum += values[i]
	}
	var list []Component
	for i := taps - 1; i >= 0; i-- { // they come in ascending order
		c := Component{Pattern: mat.Col(nil, i, &vectors)}
		if sum > 0 {
			c.Variance = values[i] / sum
		}
		list = append(list, c)
	}
	return list
}

// project returns the coefficient of each kernel along a component.
func project(kernels, mean, pattern []float64) []float64 {
	list := make([]float64, 0, len(kernels)/taps)
	for kernel := range slices.Chunk(kernels, taps) {
		sum := 0.0
		for i, w := range kernel {
			sum += (w - mean[i]) * pattern[i]
		}
		list = append(list, sum)
	}
	return list
}

// histogram returns the share of coefficients in each of the bins from -most to most. Empty bins get a tiny share.
func histogram(coefficients []float64, most float64) []float64 {
	bins := make([]float64, histogramBins)
	if most == 0 { // all kernels are equal
		bins[0] = 1
		return bins
	}
	width := 2 * most / histogramBins
	for _, c := range coefficients {
		bin := int(math.Floor((c + most) / width))
		bins[min(max(bin, 0), histogramBins-1)] += 1 / (float64(len(coefficients)) * width)
	}
	sum := 0.0
	for i := range bins {
		if bins[i] == 0 {
			bins[i] = emptyBin
		}
		sum += bins[i]
	}
	for i := range bins {
		bins[i] /= sum
	}
	return bins
}

// divergence returns KL(p‖q) in nats.
func divergence(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		if p[i] > 0 {
			sum += p[i] * math.Log(p[i]/q[i])
		}
	}
	return max(0, sum)
}
