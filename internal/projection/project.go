package projection

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/rcfreeze/rcfreeze/internal/budget"
)

// Solution is the result of a projection.
type Solution struct {
	P []float64 // the pointwise weights

	// Error is ‖W - P·R‖ / ‖W‖ (Frobenius norm), of all problems together: 0 for W = 0 and up to rounding where R spans the
	// rows of W.
	Error float64

	// Condition estimates the condition number of R, the largest of all problems: the ratio of its largest to its smallest
	// singular value that counts. P·R may multiply rounding errors by this factor.
	Condition float64
}

// ProjectGroups finds for each of a number of groups the P [o × j] that minimizes ‖W - P·R‖ for W [o × n] and a bank R [j × n]:
// in all, W is [groups·o × n], R [groups·j × n], P [groups·o × j]. If several P are equally good, it returns the one with the smallest
// norm, which is W·R⁺ with the pseudo-inverse R⁺.
//
// R may have any rank: singular values below max(j, n)·2^-52 of the largest count as 0.
func ProjectGroups(w, r []float64, groups, o, j, n int) (Solution, error) {
	return groupLayout(groups, o, j, n).project(w, r)
}

// ProjectChannels is ProjectGroups for each input channel: W [o × channels·k], R [channels·m × k], P [o × channels·m], with
// m bank filters of k weights per channel.
func ProjectChannels(w, r []float64, channels, o, m, k int) (Solution, error) {
	return channelLayout(channels, o, m, k).project(w, r)
}

func (l layout) project(w, r []float64) (Solution, error) {
	if err := errors.Join(l.check("W", w, l.o, l.n), l.check("R", r, l.j, l.n)); err != nil {
		return Solution{}, fmt.Errorf("projecting filters: %w", err)
	}
	s := Solution{P: make([]float64, l.problems*l.o*l.j)}
	residuals, conditions := make([]float64, l.problems), make([]float64, l.problems)
	budget.OnAllCores(l.problems, func(i int) { residuals[i], conditions[i] = solve(l.w(w, i), l.r(r, i), l.p(s.P, i)) })
	if err := l.check("P", s.P, l.o, l.j); err != nil {
		return Solution{}, fmt.Errorf("projecting filters: the bank's numbers are too small or too large to calculate with: %w", err)
	}
	if size := norm(w); size > 0 {
		s.Error = norm(residuals) / size
	}
	s.Condition = slices.Max(conditions)
	return s, nil
}

// solve sets p, which is zero, to the solution of one problem and returns ‖w - p·r‖ and r's condition number. It uses the Gram
// matrix of r, which is fast, or an orthogonal decomposition if the bank is too close to singular.
func solve(w, r, p blas64.General) (residual, condition float64) {
	rest := clone(w)
	gram, ok := factorGram(r)
	if !ok {
		condition = solveByRank(w, r, p)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, -1, p, r, 1, rest)
		return norm(rest.Data), condition
	}
	condition = math.Sqrt(gram.condition)
	size, refinements := norm(rest.Data), gram.refinements()
	for range 1 + refinements {
		explained := gram.addSolution(rest, p)
		if refinements == 0 && explained < 0.99*size {
			// Pythagoras' theorem saves a third of the work, but would lose a smaller remainder in rounding.
			return math.Sqrt(size-explained) * math.Sqrt(size+explained), condition
		}
		copyInto(rest, w)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, -1, p, r, 1, rest)
	}
	return norm(rest.Data), condition
}
