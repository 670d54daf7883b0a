package compare

import (
	"cmp"
	"math"
	"slices"
)

// Mark says that a group is better than others by more than the noise of the seeds.
type Mark int

const (
	NoMark Mark = iota
	Best        // better than each other group
	Second      // better than each other group but the best
)

// StandardErrors is the least difference that counts as more than noise: so many standard errors of the mean of the differences by
// seed.
const StandardErrors = 2

// Marks returns the mark of each group in a metric; sign is 1 if higher is better, and -1 if lower is. A group is better than
// another only if they have at least two seeds in common, and if the mean of their differences by seed (Minus) is more than
// StandardErrors. No group is second without a best one, nor if none is behind it. Groups without finished runs do not count.
func Marks(groups []Group, of Metric, sign float64) []Mark {
	marks := make([]Mark, len(groups))
	var order []int // from the best mean to the worst
	for i, g := range groups {
		if len(g.Runs) > 0 {
			order = append(order, i)
		}
	}
	mean := func(i int) float64 { return sign * groups[i].Over(of).Mean }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(mean(b), mean(a)) })
	for place, mark := range []Mark{Best, Second} {
		if place+1 >= len(order) {
			break
		}
		behind := order[place+1:]
		if slices.ContainsFunc(behind, func(i int) bool { return !groups[order[place]].isBetter(groups[i], of, sign) }) {
			break
		}
		marks[order[place]] = mark
	}
	return marks
}

func (g Group) isBetter(other Group, of Metric, sign float64) bool {
	d := g.Minus(other, of)
	return d.Seeds > 1 && sign*d.Mean > StandardErrors*d.Std/math.Sqrt(float64(d.Seeds))
}
