package projection

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// Growth returns the relative errors that ProjectGroups has for the first step, 2·step, … filters of a bank R [j × n], with j ≤ n: it
// needs only one factorization. With R·Rᵀ = UᵀU, each column of W·Rᵀ·U⁻¹ is the part of W [o × n] that one more filter explains.
//
// Errors below 1e-7 are lost in rounding. It fails if the filters are linearly dependent.
func Growth(w, r []float64, o, j, n, step int) ([]float64, error) {
	l := groupLayout(1, o, j, n)
	if err := errors.Join(l.check("W", w, o, n), l.check("R", r, j, n)); err != nil {
		return nil, fmt.Errorf("measuring how the error falls: %w", err)
	}
	if j > n || step < 1 {
		return nil, fmt.Errorf("measuring how the error falls: %d filters of %d weights, %d at a time: needs no more filters than weights", j, n, step)
	}
	g := blas64.Symmetric{N: j, Stride: j, Data: make([]float64, j*j), Uplo: blas.Upper}
	fillGram(l.r(r, 0), g)
	factor, ok := lapack64.Potrf(g)
	if !ok {
		return nil, errors.New("measuring how the error falls: the bank's filters are linearly dependent")
	}
	explained := zeros(o, j)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, l.w(w, 0), l.r(r, 0), 0, explained)
	blas64.Trsm(blas.Right, blas.NoTrans, 1, factor, explained)
	size, rest := norm(w), 1.0
	if size == 0 {
		size, rest = 1, 0 // if W is 0, nothing is lost
	}
	var list []float64
	for k := range j {
		part := blas64.Nrm2(column(explained, k)) / size
		rest -= part * part
		if (k+1)%step == 0 {
			list = append(list, math.Sqrt(max(rest, 0)))
		}
	}
	return list, nil
}
