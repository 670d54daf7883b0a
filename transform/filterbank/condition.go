package filterbank

import (
	"math"

	"github.com/rcfreeze/rcfreeze/internal/budget"
)

// A bank with nearly linearly dependent filters works badly: to come close to given filters, it needs large weights that cancel
// each other, and these magnify every rounding error. Random filters are nearly dependent if there are about as many filters as
// weights in a filter. In such banks, the dependent filters are drawn again.
//
// The measure is the trace of G⁻¹ for the Gram matrix G of the n filters at unit length. √(trace/n) is the average size of the
// weights that combine them into other filters; it is also the factor by which rounding errors grow, compared with orthonormal
// filters, where it is 1. One more filter adds (1 + ‖G⁻¹c‖²) / d² to the trace, where c holds its products with the filters
// before it, and d is its distance from their span. So later filters do not matter for the decision to draw a filter again, and a
// bank still begins with the filters of every smaller bank.

// nearSquare is the smallest difference between the number of filters and of weights in a filter at which no filter is drawn
// again. With independent filters, the average of trace/n is n/(|n-rows|-1) there, and it is rarely much larger.
const nearSquare = 4

// maxDraws limits how often one filter is drawn. More than half of all draws are good.
const maxDraws = 64

// mostAdded returns the most that a filter with n weights may add to the trace. It limits the weights to about 16 times those for
// orthonormal filters or, if n is above 64, to 2√n times, because most large square banks reach that.
func mostAdded(n int) float64 { return float64(n) * math.Max(16*16, 4*float64(n)) }

// conditioned returns a drawing that replaces filters which nearly depend on those before them. It draws such a filter again from
// the next streams, and takes the first good draw, or the best one if none is good.
func conditioned(draw func(Stream, Spec) drawing, spec Spec) drawing {
	first := draw(NewStream(spec.Seed, spec.Stream), spec)
	rows, n := spec.Filters/spec.Groups, spec.fanIn()
	if rows <= n-nearSquare || rows >= n+nearSquare {
		return first
	}
	again := map[int][]float32{} // the numbers of filters that were drawn again
	for g := range spec.Groups {
		conditionGroup(draw, spec, g, again)
	}
	return func(out []float32, from int) {
		first(out, from)
		for filter := from / n; filter*n < from+len(out); filter++ {
			if numbers := again[filter]; numbers != nil {
				start := filter*n - from
				copy(out[max(start, 0):], numbers[max(-start, 0):])
			}
		}
	}
}

// conditionGroup finds the filters of one group that must be drawn again, and stores their new numbers in again.
func conditionGroup(draw func(Stream, Spec) drawing, spec Spec, g int, again map[int][]float32) {
	rows, n := spec.Filters/spec.Groups, spec.fanIn()
	numbers := make([]float32, n)
	filter := func(k, draws int) []float64 {
		draw(newStream(spec.Seed, spec.Stream, draws), spec)(numbers, (g*rows+k)*n)
		return unit(numbers)
	}
	count := min(rows, n)
	s := newSpan(count)
	for k := range count {
		s.units[k] = filter(k, 0)
	}
	k := max(n-nearSquare, 0)
	s.factorize(k)
	for ; k < count; k++ {
		least := s.add(k)
		for d := 1; d < maxDraws && !(least <= mostAdded(n)); d++ {
			kept := s.units[k]
			s.units[k] = filter(k, d)
			if added := s.add(k); added < least || math.IsNaN(least) {
				least, again[g*rows+k] = added, append([]float32(nil), numbers...)
			} else {
				s.units[k] = kept
			}
		}
		s.add(k)
	}
}

// unit returns a filter scaled to unit length.
func unit(numbers []float32) []float64 {
	u := make([]float64, len(numbers))
	for i, v := range numbers {
		u[i] = float64(v)
	}
	length := math.Sqrt(dot(u, u))
	for i := range u {
		u[i] /= length
	}
	return u
}

// span holds filters of unit length, and the rows of the lower triangular L with L·Lᵀ = G, where G is the Gram matrix of the
// filters.
type span struct{ units, l [][]float64 }

func newSpan(count int) *span {
	s := &span{make([][]float64, count), make([][]float64, count)}
	for k := range s.l {
		s.l[k] = make([]float64, k+1)
	}
	return s
}

// products computes the elements of row k of L in the columns from … to-1, which must be left of the diagonal.
func (s *span) products(k, from, to int) {
	row := s.l[k]
	for i := from; i < to; i++ {
		row[i] = (dot(s.units[k], s.units[i]) - dot(row[:i], s.l[i][:i])) / s.l[i][i]
	}
}

// distance computes the diagonal element of row k: the distance of the filter from the span of the filters before it.
func (s *span) distance(k int) {
	row := s.l[k][:k]
	s.l[k][k] = math.Sqrt(1 - dot(row, row))
}

// factorize computes the first count rows of L panel by panel, with the later rows of a panel on all cores. Each sum has the same
// order on any number of cores.
func (s *span) factorize(count int) {
	for start := 0; start < count; start += gramSchmidtPanel {
		end := min(start+gramSchmidtPanel, count)
		for k := start; k < end; k++ {
			s.products(k, start, k)
			s.distance(k)
		}
		budget.OnAllCores(count-end, func(i int) { s.products(end+i, start, end) })
	}
}

// add computes row k of L and returns how much the filter adds to the trace of G⁻¹. The result is NaN or infinity if the filter
// is a linear combination of those before it.
func (s *span) add(k int) float64 {
	s.products(k, 0, k)
	s.distance(k)
	y := append([]float64(nil), s.l[k][:k]...) // becomes G⁻¹c = L⁻ᵀ·(L⁻¹c)
	for i := k - 1; i >= 0; i-- {
		y[i] /= s.l[i][i]
		for j := range i {
			y[j] -= float64(y[i] * s.l[i][j])
		}
	}
	d := s.l[k][k]
	return (1 + dot(y, y)) / float64(d*d)
}
