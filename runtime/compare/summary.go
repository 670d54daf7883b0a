package compare

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// Summary holds the results of all runs of one variant and one kind of blocks: means over the seeds whose runs finished, and for
// some numbers the sample standard deviation (0 for a single seed).
type Summary struct {
	Variant parameter.Variant `json:"variant"`
	Blocks
	Seeds      int      `json:"seeds"`                     // how many seeds have a run that finished; if 0, all numbers below are 0
	Failed     int      `json:"failed,omitempty"`          // how many seeds have a run that failed
	Trained    int64    `json:"trained_parameters"`        // as in Row, of the first seed
	Parameters int64    `json:"parameters"`                // likewise
	Deployed   int64    `json:"deployed_parameters"`       // likewise
	Top1       float64  `json:"top1"`                      // mean share of images, from 0 to 1
	Top1Std    float64  `json:"top1_std"`                  // standard deviation of the shares
	Top5       float64  `json:"top5"`                      // mean
	Loss       float64  `json:"loss"`                      // mean
	Robust     *float64 `json:"robust_top1,omitempty"`     // mean accuracy under attack; nil if a run has none
	RobustStd  *float64 `json:"robust_top1_std,omitempty"` // nil likewise
	Seconds    float64  `json:"seconds"`                   // mean training time of a run
}

// Summarize groups rows by variant and blocks, in the order in which they first appear.
func Summarize(rows []Row) []Summary {
	groups := map[Cell][]Row{}
	var order []Cell
	for _, r := range rows {
		group := r.Cell
		group.Seed = 0
		if groups[group] == nil {
			order = append(order, group)
		}
		groups[group] = append(groups[group], r)
	}
	var list []Summary
	for _, group := range order {
		list = append(list, summarize(group, groups[group]))
	}
	return list
}

func summarize(group Cell, all []Row) Summary {
	rows := slices.DeleteFunc(slices.Clone(all), func(r Row) bool { return r.Failed != "" })
	s := Summary{Variant: group.Variant, Blocks: group.Blocks, Seeds: len(rows), Failed: len(all) - len(rows)}
	if len(rows) == 0 {
		return s
	}
	s.Trained, s.Parameters, s.Deployed = rows[0].Trained, rows[0].Parameters, rows[0].Deployed
	s.Top1, s.Top1Std = meanStd(rows, func(r Row) float64 { return r.Top1 })
	s.Top5, _ = meanStd(rows, func(r Row) float64 { return r.Top5 })
	s.Loss, _ = meanStd(rows, func(r Row) float64 { return r.Loss })
	s.Seconds, _ = meanStd(rows, func(r Row) float64 { return r.Seconds })
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.RobustTop1 == nil }) {
		mean, std := meanStd(rows, func(r Row) float64 { return *r.RobustTop1 })
		s.Robust, s.RobustStd = &mean, &std
	}
	return s
}

func meanStd(rows []Row, f func(Row) float64) (mean, std float64) {
	n := float64(len(rows))
	for _, r := range rows {
		mean += f(r) / n
	}
	if len(rows) < 2 {
		return mean, 0
	}
	for _, r := range rows {
		std += (f(r) - mean) * (f(r) - mean) / (n - 1)
	}
	return mean, math.Sqrt(std)
}
