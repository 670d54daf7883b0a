package projection

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Project returns the P [o × j] that minimizes ‖W - P·R‖ (Frobenius norm) for W [o × n] and a bank R [j × n], and the
// relative error ‖W - P·R‖ / ‖W‖, which is 0 for W = 0 and up to rounding where R spans the rows of W. Where several P do
// equally well it returns the one with the smallest norm, that is W·R⁺ with the pseudo-inverse of R.
//
// R may have any rank: directions in which it is smaller than max(j, n)·2^-52 of its largest count as absent.
func Project(w, r []float64, o, j, n int) (p []float64, relativeError float64, err error) {
	return groupLayout(1, o, j, n).project(w, r)
}

// ProjectGroups is Project for each of a number of groups: W [groups·o × n], R [groups·j × n], P [groups·o × j]. The
// relative error is that of all groups together.
func ProjectGroups(w, r []float64, groups, o, j, n int) (p []float64, relativeError float64, err error) {
	return groupLayout(groups, o, j, n).project(w, r)
}

// ProjectChannels is Project for each input channel: W [o × channels·k], R [channels·m × k], P [o × channels·m], with
// m bank filters of k weights per channel. The relative error is that of all channels together.
func ProjectChannels(w, r []float64, channels, o, m, k int) (p []float64, relativeError float64, err error) {
	return channelLayout(channels, o, m, k).project(w, r)
}

func (l layout) project(w, r []float64) (p []float64, relativeError float64, err error) {
	if err := errors.Join(l.check("W", w, l.o, l.n), l.check("R", r, l.j, l.n)); err != nil {
		return nil, 0, fmt.Errorf("projecting filters: %w", err)
	}
	p = make([]float64, l.problems*l.o*l.j)
	residuals := make([]float64, l.problems)
	l.each(func(i int) { residuals[i] = solve(l.w(w, i), l.r(r, i), l.p(p, i)) })
	if err := l.check("P", p, l.o, l.j); err != nil {
		return nil, 0, fmt.Errorf("projecting filters: the bank's numbers are too small or too large to calculate with: %w", err)
	}
	if size := norm(w); size > 0 {
		relativeError = norm(residuals) / size
	}
	return p, relativeError, nil
}

// solve sets p, which is zero, to the solution of one problem and returns ‖w - p·r‖. The Gram matrix of r is the fast
// way; a bank that is too close to singular for it goes through an orthogonal decomposition.
func solve(w, r, p blas64.General) (residual float64) {
	rest := clone(w)
	gram, ok := factorGram(r)
	if !ok {
		solveByRank(w, r, p)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, -1, p, r, 1, rest)
		return norm(rest.Data)
	}
	size, refinements := norm(rest.Data), gram.refinements()
	for range 1 + refinements {
		explained := gram.addSolution(rest, p)
		if refinements == 0 && explained < 0.99*size {
			// Pythagoras saves a third of the work; a smaller remainder would be lost in rounding.
			return math.Sqrt(size-explained) * math.Sqrt(size+explained)
		}
		copyInto(rest, w)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, -1, p, r, 1, rest)
	}
	return norm(rest.Data)
}
