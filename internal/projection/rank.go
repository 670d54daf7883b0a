package projection

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// solveByRank sets p, which is zero, to w·R⁺ for a bank of any rank, by the complete orthogonal decomposition (Golub & Van Loan,
// "Matrix Computations", section 5.5): Rᵀ·Π = Q₁·S by QR with column pivoting, cut off at the rank k, so that S is k × j; then Sᵀ
// = Q₂·T by QR. Hence p·Π = w·Q₁·T⁻¹·Q₂ᵀ, where Q₁ and Q₂ have k columns. It returns an estimate of the condition number of the
// part of r that counts, which is that of T; 0 if no part counts.
func solveByRank(w, r, p blas64.General) (condition float64) {
	q1, tau1, permutation := pivotedQR(transposed(r))
	k := rank(q1)
	if k == 0 {
		return 0
	}
	wq := clone(w)
	multiply(wq, blas.NoTrans, q1, tau1[:k])

	q2 := zeros(r.Rows, k) // Sᵀ
	for i := range k {
		for j := i; j < r.Rows; j++ {
			q2.Data[j*q2.Stride+i] = q1.Data[i*q1.Stride+j]
		}
	}
	tau2 := make([]float64, k)
	withWorkspace(func(work []float64, size int) { lapack64.Geqrf(q2, tau2, work, size) })

	solution := zeros(w.Rows, r.Rows)
	left := part(solution, 0, 0, w.Rows, k)
	copyInto(left, part(wq, 0, 0, w.Rows, k))
	t := blas64.Triangular{Uplo: blas.Upper, Diag: blas.NonUnit, N: k, Stride: q2.Stride, Data: q2.Data}
	blas64.Trsm(blas.Right, blas.NoTrans, 1, t, left)
	condition = 1 / lapack64.Trcon(lapack.MaxColumnSum, t, make([]float64, 3*k), make([]int, k))
	multiply(solution, blas.Trans, q2, tau2)
	for j, filter := range permutation {
		blas64.Copy(column(solution, j), column(p, filter))
	}
	return condition
}

// pivotedQR returns the packed factors of a·Π = Q·S, in place of a, and for each column of a·Π which column of a it was.
func pivotedQR(a blas64.General) (packed blas64.General, tau []float64, permutation []int) {
	tau, permutation = make([]float64, min(a.Rows, a.Cols)), make([]int, a.Cols)
	for j := range permutation {
		permutation[j] = -1 // free to move
	}
	withWorkspace(func(work []float64, size int) { lapack64.Geqp3(a, permutation, tau, work, size) })
	return a, tau, permutation
}

// rank returns how many leading diagonal elements of a pivoted QR decomposition count as non-zero.
func rank(packed blas64.General) int {
	diagonal := func(i int) float64 { return math.Abs(packed.Data[i*packed.Stride+i]) }
	least := float64(max(packed.Rows, packed.Cols)) * epsilon * diagonal(0)
	k := 0
	for k < min(packed.Rows, packed.Cols) && diagonal(k) > least {
		k++
	}
	return k
}

// multiply replaces x by x·Q or x·Qᵀ, where Q is the product of len(tau) reflectors.
func multiply(x blas64.General, transpose blas.Transpose, packed blas64.General, tau []float64) {
	reflectors := part(packed, 0, 0, packed.Rows, len(tau))
	withWorkspace(func(work []float64, size int) {
		lapack64.Ormqr(blas.Right, transpose, reflectors, tau, x, work, size)
	})
}

// withWorkspace calls a LAPACK routine twice: first with size -1, so that it stores the size of the memory that it needs in
// work[0], and then with that memory.
func withWorkspace(routine func(work []float64, size int)) {
	var want [1]float64
	routine(want[:], -1)
	work := make([]float64, int(want[0]))
	routine(work, len(work))
}
