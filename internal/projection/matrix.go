package projection

import "gonum.org/v1/gonum/blas/blas64"

// zeros returns a new rows × columns matrix.
func zeros(rows, columns int) blas64.General {
	return blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: make([]float64, rows*columns)}
}

// clone returns a copy of a whose rows follow each other without gaps.
func clone(a blas64.General) blas64.General {
	b := zeros(a.Rows, a.Cols)
	copyInto(b, a)
	return b
}

// copyInto sets b to a, which has the same size.
func copyInto(b, a blas64.General) {
	for i := range a.Rows {
		copy(row(b, i).Data, row(a, i).Data)
	}
}

// transposed returns a new matrix, the transpose of a.
func transposed(a blas64.General) blas64.General {
	b := zeros(a.Cols, a.Rows)
	for i := range a.Rows {
		blas64.Copy(row(a, i), column(b, i))
	}
	return b
}

// part returns the view of a that begins at row i and column j.
func part(a blas64.General, i, j, rows, columns int) blas64.General {
	return blas64.General{Rows: rows, Cols: columns, Stride: a.Stride, Data: a.Data[i*a.Stride+j:]}
}

func row(a blas64.General, i int) blas64.Vector {
	return blas64.Vector{N: a.Cols, Inc: 1, Data: a.Data[i*a.Stride : i*a.Stride+a.Cols]}
}

func column(a blas64.General, j int) blas64.Vector {
	return blas64.Vector{N: a.Rows, Inc: a.Stride, Data: a.Data[j:]}
}

// norm returns the Euclidean norm, without overflow on the way.
func norm(x []float64) float64 {
	return blas64.Nrm2(blas64.Vector{N: len(x), Inc: 1, Data: x})
}
