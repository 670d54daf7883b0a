package compare

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// Summary holds the results of all runs of one variant and expansion: means over seeds, and for some numbers the sample standard
// deviation (0 for a single seed).
type Summary struct {
	Variant    parameter.Variant `json:"variant"`
	Expansion  int               `json:"expansion"`
	Seeds      int               `json:"seeds"`
	Trained    int64             `json:"trained_parameters"`
	Parameters int64             `json:"parameters"`
	Deployed   int64             `json:"deployed_parameters"`
	Top1       float64           `json:"top1"`
	Top1Std    float64           `json:"top1_std"`
	Top5       float64           `json:"top5"`
	Loss       float64           `json:"loss"`
	Robust     *float64          `json:"robust_top1,omitempty"`
	RobustStd  *float64          `json:"robust_top1_std,omitempty"`
	Seconds    float64           `json:"seconds"` // training time per run
}

// Summarize groups rows by variant and expansion, in the order in which they first appear.
func Summarize(rows []Row) []Summary {
	type key struct {
		variant   parameter.Variant
		expansion int
	}
	groups := map[key][]Row{}
	var order []key
	for _, r := range rows {
		k := key{r.Variant, r.Expansion}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	var list []Summary
	for _, k := range order {
		list = append(list, summarize(groups[k]))
	}
	return list
}

func summarize(rows []Row) Summary {
	first := rows[0]
	s := Summary{Variant: first.Variant, Expansion: first.Expansion, Seeds: len(rows),
		Trained: first.Trained, Parameters: first.Parameters, Deployed: first.Deployed}
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
