package transform

import (
	"math"

	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// leastSquares is the problem that the pointwise weights of a block solve: the combined filters should be close to W or, with
// data, their outputs should be close to the desired outputs.
type leastSquares struct {
	filters []float64           // W
	moments *projection.Moments // statistics of the data, nil without data
	scaled  bool                // see Options.KeepVariance

	whitened *projection.Whitened // the weighted problem, nil without data
}

func newLeastSquares(w []float64, moments *projection.Moments, o Options) (q leastSquares, err error) {
	q = leastSquares{filters: w, moments: moments, scaled: o.KeepVariance}
	if moments != nil {
		q.whitened, err = moments.Whiten(w)
	}
	return q, err
}

// solve returns the best pointwise weights for a bank and, without data, the bank's condition number; with data it is 0.
func (q leastSquares) solve(s shape, bank []float64) (p []float64, condition float64, err error) {
	if q.whitened == nil {
		return s.project(q.filters, bank)
	}
	weighted, err := q.whitened.Bank(s.dense(bank), s.mapsPerGroup())
	if err != nil {
		return nil, 0, err
	}
	found, err := projection.ProjectGroups(q.whitened.Target, weighted, s.groups, s.out, s.mapsPerGroup(), s.in*weights.Product(s.kernel))
	if err == nil && q.scaled {
		err = q.scale(s, found.P, bank)
	}
	return found.P, 0, err
}

// scale scales each output to the size of the source's. Least squares make it smaller, because they leave out the part that the
// bank cannot express.
func (q leastSquares) scale(s shape, p, bank []float64) error {
	v, err := s.combine(p, bank)
	if err != nil {
		return err
	}
	scales, err := q.moments.Scales(v)
	if err != nil {
		return err
	}
	for i := range p {
		p[i] *= scales[i/s.mapsPerGroup()]
	}
	return nil
}

// relativeError returns ‖want - got‖ / ‖want‖ (Frobenius norm), which is 0 for want = 0 = got and 1 for want = 0 ≠ got.
func relativeError(want, got []float64) float64 {
	var rest, all float64
	for i, v := range want {
		rest += (v - got[i]) * (v - got[i])
		all += v * v
	}
	if all == 0 {
		return math.Min(1, math.Ceil(rest))
	}
	return math.Sqrt(rest / all)
}
