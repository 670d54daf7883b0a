package filterstats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Entropy tells how evenly the variance of a layer's kernels is spread over their principal components.
type Entropy struct {
	// FVE is the filter variance entropy. It is 0 if all kernels are equal, or differ only by multiples of one pattern, and at
	// most log10 of the number of weights in a kernel (0.954 for 3×3). It is nil if there are fewer than two kernels.
	FVE *float64

	// Ratio is FVE / T(n), where T(n) is about the least entropy that n random 3×3 kernels have. Kernels with a ratio of about 1
	// or more look random, and those with a low one look learned. It is nil unless the kernels are 3×3 and at least nine.
	Ratio *float64
}

// leastForRatio is how many kernels there must be for T(n) to mean anything: fewer cannot span nine dimensions, however random.
const leastForRatio = 9

// Entropy returns the filter variance entropy of the kernels. Let v_i be the variance of the kernels along their principal
// component i, as a share of the sum over all components. The entropy is
//
//	H = -Σ v_i·log10(v_i)
//
// where a component without variance adds nothing. Its definition is that of Gavrikov & Keuper, "CNN Filter DB" (CVPR 2022). The
// entropy of n random kernels, to which Entropy.Ratio compares it, is
//
//	T(n) = L / (1 + exp(-k·(log2(n) - x0))) + b    L = 1.2618047, k = 0.88767525, x0 = 2.30436435, b = -0.31050834
//
// with the constants of their program, torchconvquality.
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

// randomEntropy returns T(n): see Filters.Entropy.
func randomEntropy(n int) float64 {
	const l, x0, k, b = 1.2618047, 2.30436435, 0.88767525, -0.31050834
	return l/(1+math.Exp(-k*(math.Log2(float64(n))-x0))) + b
}

// varianceShares returns the variance of the kernels along each of their principal components, as a share of the sum. If all
// kernels are equal, the shares are 0. They are the squared singular values of the matrix with the centered kernels as its rows.
// Here they are computed as eigenvalues of its smaller Gram matrix, which loses precision in tiny shares, but those add next to
// nothing to the entropy.
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
