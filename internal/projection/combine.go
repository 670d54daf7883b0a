package projection

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/rcfreeze/rcfreeze/internal/budget"
)

// CombineGroups returns for each of a number of groups the combined filters W = P·R [o × n] of pointwise weights P [o × j] and a bank
// R [j × n]: in all, P is [groups·o × j], R [groups·j × n], W [groups·o × n].
func CombineGroups(p, r []float64, groups, o, j, n int) ([]float64, error) {
	return groupLayout(groups, o, j, n).combine(p, r)
}

// CombineChannels is CombineGroups for each input channel: P [o × channels·m], R [channels·m × k], W [o × channels·k], with
// m bank filters of k weights per channel.
func CombineChannels(p, r []float64, channels, o, m, k int) ([]float64, error) {
	return channelLayout(channels, o, m, k).combine(p, r)
}

func (l layout) combine(p, r []float64) ([]float64, error) {
	if err := errors.Join(l.check("P", p, l.o, l.j), l.check("R", r, l.j, l.n)); err != nil {
		return nil, fmt.Errorf("combining filters: %w", err)
	}
	w := make([]float64, l.problems*l.o*l.n)
	budget.OnAllCores(l.problems, func(i int) {
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, l.p(p, i), l.r(r, i), 0, l.w(w, i))
	})
	return w, nil
}
