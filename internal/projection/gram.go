package projection

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// gram is a bank R [j × n] with the Cholesky factor U of its smaller Gram matrix G = UᵀU: R·Rᵀ for j ≤ n, RᵀR for j > n.
type gram struct {
	r         blas64.General
	factor    blas64.Triangular
	condition float64 // estimate of ‖G‖₁·‖G⁻¹‖₁, about the square of R's condition number
}

const epsilon = 0x1p-52

// maxCondition is the largest condition of G for which refinement converges fast, with a margin for a wrong estimate.
const maxCondition = 1e11

// factorGram returns false if R is singular, or so close to it that squaring its condition loses too many digits.
func factorGram(r blas64.General) (gram, bool) {
	size := min(r.Rows, r.Cols)
	g := blas64.Symmetric{N: size, Stride: size, Data: make([]float64, size*size), Uplo: blas.Upper}
	fillGram(r, g)
	work, integers := make([]float64, 3*size), make([]int, size)
	norm := lapack64.Lansy(lapack.MaxColumnSum, g, work)
	factor, ok := lapack64.Potrf(g)
	if !ok {
		return gram{}, false
	}
	condition := 1 / lapack64.Pocon(g, norm, work, integers) // g holds the factor by now
	return gram{r, factor, condition}, condition <= maxCondition
}

// fillGram computes the upper triangle of G in strips of rows: the general product runs on all cores, but the symmetric one of
// the BLAS does not.
func fillGram(r blas64.General, g blas64.Symmetric) {
	const strip = 128
	for i := 0; i < g.N; i += strip {
		rows := min(strip, g.N-i)
		target := blas64.General{Rows: rows, Cols: g.N - i, Stride: g.Stride, Data: g.Data[i*g.Stride+i:]}
		if r.Rows <= r.Cols {
			blas64.Gemm(blas.NoTrans, blas.Trans, 1, part(r, i, 0, rows, r.Cols), part(r, i, 0, g.N-i, r.Cols), 0, target)
		} else {
			blas64.Gemm(blas.Trans, blas.NoTrans, 1, part(r, 0, i, r.Rows, rows), part(r, 0, i, r.Rows, g.N-i), 0, target)
		}
	}
}

// refinements returns how many corrections after the first solution make the result as good as float64 allows: each
// one multiplies the error by about ε times the condition, and 1e-13 is enough.
func (g gram) refinements() int {
	return int(math.Ceil(math.Log(1e-13)/math.Log(epsilon*g.condition))) - 1
}

// addSolution adds to p the solution for the filters w: w·Rᵀ·G⁻¹ for j ≤ n; w·G⁻¹·Rᵀ for j > n, whose rows lie in the space
// of R's columns, as those of the smallest solution must. It returns the norm of the part of w that the bank explains:
// ‖w·Rᵀ·U⁻¹‖ for j ≤ n, where R = Uᵀ·Q with orthonormal rows in Q; all of w for j > n.
func (g gram) addSolution(w, p blas64.General) (explained float64) {
	if g.r.Rows <= g.r.Cols {
		step := zeros(w.Rows, g.r.Rows)
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, w, g.r, 0, step)
		blas64.Trsm(blas.Right, blas.NoTrans, 1, g.factor, step)
		explained = norm(step.Data)
		blas64.Trsm(blas.Right, blas.Trans, 1, g.factor, step)
		for i := range step.Rows {
			blas64.Axpy(1, row(step, i), row(p, i))
		}
		return explained
	}
	step := clone(w)
	explained = norm(step.Data)
	blas64.Trsm(blas.Right, blas.NoTrans, 1, g.factor, step)
	blas64.Trsm(blas.Right, blas.Trans, 1, g.factor, step)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, step, g.r, 1, p)
	return explained
}
