package compare_test

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// Average the results of several seeds.
func ExampleSummarize() {
	row := func(variant parameter.Variant, seed uint64, top1 float64) compare.Row {
		return compare.Row{Cell: compare.Cell{Variant: variant, Seed: seed}, Result: evaluate.Result{Top1: top1}}
	}
	for _, s := range compare.Summarize([]compare.Row{
		row(parameter.Baseline, 0, 0.92), row(parameter.Baseline, 1, 0.90),
		row(parameter.Frozen, 0, 0.88), row(parameter.Frozen, 1, 0.86),
	}) {
		fmt.Printf("%s: top-1 %.2f ± %.3f over %d seeds\n", s.Variant, s.Top1, s.Top1Std, s.Seeds)
	}
	// Output:
	// baseline: top-1 0.91 ± 0.014 over 2 seeds
	// frozen: top-1 0.87 ± 0.014 over 2 seeds
}
