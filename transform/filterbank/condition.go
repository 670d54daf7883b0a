package filterbank

import "math"

// Filters that nearly depend on each other serve badly: combinations of them come close to given filters only with large
// weights that cancel each other, and every rounding error grows with these. Among random filters that happens where
// there are about as many as they have weights. So there the filters at fault are drawn again.
//
// The measure is the trace of G⁻¹ for the Gram matrix G of the filters at unit length. √(trace/n) tells how large the
// weights that combine them into other filters are on average, and so how much more roundings count than with
// orthonormal filters, where it is 1. One filter more adds (1 + ‖G⁻¹c‖²) / d² to the trace, with c its products with those
// before it, and d its distance from what they span. So whether it is drawn again depends on no later filter, and a bank
// begins with the filters of every smaller one, as before.

// nearSquare is how far apart the numbers of filters and of their weights must be for all filters to stay as they are. The
// trace over n is n/(|n-rows|-1) there on average, for independent filters, and rarely much larger.
const nearSquare = 4

// maxDraws bounds how often one filter is drawn. More than half of all draws are good.
const maxDraws = 64

// mostAdded returns the most that a filter of n weights may add to the trace. Weights are up to about 16 times as large as
// for orthonormal filters then or, above n = 64, √n times 2, since those of large square banks mostly are.
func mostAdded(n int) float64 { return float64(n) * math.Max(16*16, 4*float64(n)) }

// conditioned returns a drawing that takes the filters which nearly depend on those before them from the stream's further
// draws: each from the first that is good or, if none is, from the best.
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

// conditionGroup finds the filters of one group that are to be drawn again, and notes their numbers.
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

// unit returns a filter's numbers at unit length.
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

// span holds filters of unit length and the rows of the lower triangular L with L·Lᵀ = G, their Gram matrix.
type span struct{ units, l [][]float64 }

func newSpan(count int) *span {
	s := &span{make([][]float64, count), make([][]float64, count)}
	for k := range s.l {
		s.l[k] = make([]float64, k+1)
	}
	return s
}

// products computes the elements of row k of L from one column up to another, both before the diagonal.
func (s *span) products(k, from, to int) {
	row := s.l[k]
	for i := from; i < to; i++ {
		row[i] = (dot(s.units[k], s.units[i]) - dot(row[:i], s.l[i][:i])) / s.l[i][i]
	}
}

// distance computes the diagonal element of row k: how far the filter is from what those before it span.
func (s *span) distance(k int) {
	row := s.l[k][:k]
	s.l[k][k] = math.Sqrt(1 - dot(row, row))
}

// factorize computes the first rows of L panel by panel, the elements of later rows on all cores. The order of each sum is
// the same on any number of them.
func (s *span) factorize(count int) {
	for start := 0; start < count; start += gramSchmidtPanel {
		end := min(start+gramSchmidtPanel, count)
		for k := start; k < end; k++ {
			s.products(k, start, k)
			s.distance(k)
		}
		inParallel(count-end, func(i int) { s.products(end+i, start, end) })
	}
}

// add computes row k of L and returns what the filter adds to the trace of G⁻¹, NaN or infinity for one that depends on those
// before it.
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
