package compare

import (
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

// Summarize groups rows as Groups does, and summarizes each group.
func Summarize(rows []Row) []Summary {
	var list []Summary
	for _, g := range Groups(rows) {
		list = append(list, g.summarize())
	}
	return list
}

func (g Group) summarize() Summary {
	s := Summary{Variant: g.Variant, Blocks: g.Blocks, Seeds: len(g.Runs), Failed: g.Failed}
	if len(g.Runs) == 0 {
		return s
	}
	first, top1 := g.Runs[0], g.Over(Top1)
	s.Trained, s.Parameters, s.Deployed = first.Trained, first.Parameters, first.Deployed
	s.Top1, s.Top1Std, s.Top5, s.Loss, s.Seconds = top1.Mean, top1.Std, g.Over(Top5).Mean, g.Over(Loss).Mean, g.Over(Seconds).Mean
	if !slices.ContainsFunc(g.Runs, func(r Row) bool { return r.RobustTop1 == nil }) {
		robust := g.Over(RobustTop1)
		s.Robust, s.RobustStd = &robust.Mean, &robust.Std
	}
	return s
}
