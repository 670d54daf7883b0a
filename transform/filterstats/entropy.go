package filterstats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Entropy tells how evenly the variance of a layer's kernels is spread over their principal components.
type Entropy struct {
	FVE   *float64 // filter variance entropy: 0 for multiples of one pattern, log10 of the kernel's weights at most; nil below two kernels
	Ratio *float64 // the FVE over the least of random kernels: about 1 and more look random; nil but for 3×3, and below nine kernels
}

// leastForRatio is how many kernels there must be for the threshold to mean anything: fewer span no nine dimensions, however random.
const leastForRatio = 9

// Entropy returns the filter variance entropy. For the variance v_i of the kernels along their principal component i, as a share of the sum
// over all components, it is
//
//	H = -Σ v_i·log10(v_i)
//
// where a component without variance adds nothing. Kernels that are all equal have an entropy of 0. The definition is that of Gavrikov &
// Keuper, "CNN Filter DB" (CVPR 2022).
func (f Filters) Entropy() Entropy {
	n := f.Kernels()
	if n < 2 {
		return Entropy{}
	}
	h := 0.0
	for _, share := range f.varianceShares() {
		if share > 0 {
			h -= share * math.Log10(share)
		}
	}
	e := Entropy{FVE: &h}
	if isThreeByThree(f.Kernel) && n >= leastForRatio {
		ratio := h / randomEntropy(n)
		e.Ratio = &ratio
	}
	return e
}

func isThreeByThree(kernel []int) bool { return len(kernel) == 2 && kernel[0] == 3 && kernel[1] == 3 }

// randomEntropy returns the least entropy that n random 3×3 kernels have: T(n) = L / (1 + exp(-k·(log2(n) - x0))) + b, with the constants
// of Gavrikov & Keuper's program, torchconvquality.
func randomEntropy(n int) float64 {
	const l, x0, k, b = 1.2618047, 2.30436435, 0.88767525, -0.31050834
	return l/(1+math.Exp(-k*(math.Log2(float64(n))-x0))) + b
}

// varianceShares returns the variance of the kernels along each of their principal components, as a share of all, 0 for kernels that are all
// equal. These are the squared singular values of the matrix that has the centered kernels as rows, so the eigenvalues of its smaller
// Gram matrix: a square, but shares as small as rounding makes of it add nothing to an entropy.
func (f Filters) varianceShares() []float64 {
	n, taps := f.Kernels(), f.taps()
	scale := 1 / max(largest(f.Weights), math.SmallestNonzeroFloat32) // squares stay in range
	mean := make([]float64, taps)
	for i := range n {
		for tap, w := range f.kernel(i) {
			mean[tap] += w * scale / float64(n)
		}
	}
	centered := mat.NewDense(n, taps, nil)
	for i := range n {
		for tap, w := range f.kernel(i) {
			centered.Set(i, tap, w*scale-mean[tap])
		}
	}
	var gram mat.SymDense
	if n < taps {
		gram.SymOuterK(1, centered)
	} else {
		gram.SymOuterK(1, centered.T())
	}
	var parts mat.EigenSym
	if !parts.Factorize(&gram, false) {
		panic("filterstats: no eigenvalues of finite numbers") // the algorithm converges for all of them
	}
	shares, sum := parts.Values(nil), 0.0
	for i, v := range shares {
		shares[i] = max(0, v)
		sum += shares[i]
	}
	for i := range shares {
		if sum > 0 {
			shares[i] /= sum
		}
	}
	return shares
}
