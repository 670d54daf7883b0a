package compare

import (
	"math"

	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// Group holds the runs of one variant and one kind of blocks, which differ only in their seeds.
type Group struct {
	Variant parameter.Variant
	Blocks
	Runs   []Row // that finished
	Failed int   // number of runs that did not
}

// Groups groups rows by variant and blocks, in the order in which they first appear.
func Groups(rows []Row) []Group {
	var list []Group
	places := map[Cell]int{}
	for _, r := range rows {
		key := r.Cell
		key.Seed = 0
		place, ok := places[key]
		if !ok {
			place = len(list)
			places[key] = place
			list = append(list, Group{Variant: r.Variant, Blocks: r.Blocks})
		}
		g := &list[place]
		if r.Failed != "" {
			g.Failed++
		} else {
			g.Runs = append(g.Runs, r)
		}
	}
	return list
}

// Metric is a number of a finished run. It is NaN if it was not measured.
type Metric func(Row) float64

// Top1 is the share of images whose class gets the highest score.
func Top1(r Row) float64 { return r.Top1 }

// Top5 is the share of images whose class is among those with the five highest scores.
func Top5(r Row) float64 { return r.Top5 }

// Loss is the mean cross-entropy of the images.
func Loss(r Row) float64 { return r.Loss }

// Seconds is the time of training.
func Seconds(r Row) float64 { return r.Seconds }

// RobustTop1 is Top1 under attack.
func RobustTop1(r Row) float64 {
	if r.RobustTop1 == nil {
		return math.NaN()
	}
	return *r.RobustTop1
}

// Spread describes numbers, of which there is one per seed.
type Spread struct {
	Seeds int     // how many there are
	Mean  float64 // 0 without any
	Std   float64 // the sample standard deviation; 0 with fewer than two
}

// Over returns the spread of a metric over the runs of a group.
func (g Group) Over(of Metric) Spread {
	var values []float64
	for _, r := range g.Runs {
		values = append(values, of(r))
	}
	return SpreadOf(values)
}

// Minus returns the spread of the differences in a metric between a run of g and the run of other with the same seed. Seeds that
// only one of them has do not count. Runs with the same seed see the images in the same order, so that much of what
// differs between seeds is not in the difference.
func (g Group) Minus(other Group, of Metric) Spread {
	others := map[uint64]Row{}
	for _, r := range other.Runs {
		others[r.Seed] = r
	}
	var values []float64
	for _, r := range g.Runs {
		if o, ok := others[r.Seed]; ok {
			values = append(values, of(r)-of(o))
		}
	}
	return SpreadOf(values)
}

// SpreadOf returns the spread of values.
func SpreadOf(values []float64) Spread {
	s := Spread{Seeds: len(values)}
	n := float64(len(values))
	for _, v := range values {
		s.Mean += v / n
	}
	if len(values) < 2 {
		return s
	}
	variance := 0.0
	for _, v := range values {
		variance += (v - s.Mean) * (v - s.Mean) / (n - 1)
	}
	s.Std = math.Sqrt(variance)
	return s
}
