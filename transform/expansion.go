package transform

import (
	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// spanning returns the smallest expansion whose bank spans all filters of the source, if the bank's filters are linearly
// independent.
func (s shape) spanning() int {
	n := weights.Product(s.kernel)
	if s.layout == Depthwise {
		return n
	}
	return (s.in*n + s.out - 1) / s.out
}

// makeSmallest makes the block with the smallest expansion whose error is at most the limit or, if there is none, with the one
// whose bank spans all filters.
func (c *candidate) makeSmallest(o Options, q leastSquares) error {
	last := c.spanning()
	for c.expansion = c.firstGuess(o, q); ; c.expansion++ {
		if err := c.makeBest(o, q); err != nil {
			return err
		}
		if c.row.lost() <= o.MaxError {
			return nil
		}
		if c.expansion >= last {
			c.row.AboveBound = true
			return nil
		}
	}
}

// firstGuess returns an expansion; for all smaller ones, the error is above the limit.
func (c *candidate) firstGuess(o Options, q leastSquares) int {
	if q.moments != nil || !c.isNested() {
		return 1
	}
	for most := 4; ; most *= 4 {
		list, _ := c.growth(o, q.filters, most) // if the bank has no such list, each expansion is tried in turn
		for i, lost := range list {
			if lost <= o.MaxError {
				return i + 1
			}
		}
		if len(list) < most {
			return len(list) + 1 // from here on the bank spans all filters
		}
	}
}

// isNested reports whether larger expansions begin with the bank of a smaller one. In other layouts, each group or channel has
// its own part of the random stream, whose place depends on the expansion.
func (s shape) isNested() bool { return s.layout == Dense && s.groups == 1 }

// growth returns the errors for expansions from 1 to most, but only while the bank has at most as many filters as weights in a
// filter.
func (c *candidate) growth(o Options, w []float64, most int) ([]float64, error) {
	n := c.in * weights.Product(c.kernel)
	largest := *c
	largest.expansion = min(most, n/c.out)
	if largest.expansion == 0 {
		return nil, nil
	}
	bank, err := largest.drawBank(o).Float64s()
	if err != nil {
		return nil, err
	}
	return projection.Growth(w, bank, c.out, largest.mapsPerGroup(), n, c.out)
}
