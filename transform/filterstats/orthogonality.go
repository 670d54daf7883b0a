package filterstats

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Orthogonality returns 1 - mean |cos(a, b)| over all pairs of different filters a and b, each with all its channels: 1 if all
// filters are orthogonal to each other, 0 if all are multiples of one filter. A filter of zeros counts as orthogonal to all
// others. The result is nil if there is only one filter. Filters of different groups are compared as if they read the same
// channels.
func (f Filters) Orthogonality() *float64 {
	n := f.Count()
	if n < 2 {
		return nil
	}
	unit := blas64.General{Rows: n, Cols: len(f.Weights) / n, Stride: len(f.Weights) / n, Data: make([]float64, len(f.Weights))}
	for i := range n {
		from, to := f.Weights[i*unit.Cols:(i+1)*unit.Cols], unit.Data[i*unit.Cols:(i+1)*unit.Cols]
		v := blas64.Vector{N: unit.Cols, Inc: 1, Data: from}
		if norm := blas64.Nrm2(v); norm > 0 {
			for k, w := range from {
				to[k] = w / norm
			}
		}
	}
	const strip = 128 // rows of the matrix of cosines that are there at a time
	sum, cosines := 0.0, make([]float64, min(strip, n)*n)
	for first := 0; first < n; first += strip {
		rows := min(strip, n-first)
		right := blas64.General{Rows: n - first, Cols: unit.Cols, Stride: unit.Stride, Data: unit.Data[first*unit.Stride:]}
		left := right
		left.Rows = rows
		part := blas64.General{Rows: rows, Cols: n - first, Stride: n - first, Data: cosines[:rows*(n-first)]}
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, left, right, 0, part)
		for i := range rows {
			for j := i + 1; j < part.Cols; j++ {
				sum += min(1, math.Abs(part.Data[i*part.Stride+j]))
			}
		}
	}
	result := 1 - sum/(float64(n)*float64(n-1)/2)
	return &result
}
