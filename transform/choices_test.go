package transform_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
)

// eachKind calls f with convolutions of every kind, both layouts and every bank.
func eachKind(t *testing.T, f func(t *testing.T, c convcases.Case, o transform.Options)) {
	for _, c := range convcases.Cases {
		for _, layout := range []transform.Layout{transform.Dense, transform.Depthwise} {
			for _, bank := range filterbank.Names() {
				t.Run(fmt.Sprintf("%s/%s/%s", c.Name, layout, bank), func(t *testing.T) {
					f(t, c, transform.Options{Layout: layout, Bank: bank, Seed: 2})
				})
			}
		}
	}
}

// rowOf returns the row of a conversion.
func rowOf(t *testing.T, c convcases.Case, o transform.Options) transform.Conversion {
	t.Helper()
	report, err := transform.Convert(c.Model(), o)
	if err != nil || report[0].Status != transform.Converted {
		t.Fatal(report, err)
	}
	return report[0]
}

// TestChoicesAreWhatConvertDoes converts with every expansion that a plan lists.
func TestChoicesAreWhatConvertDoes(t *testing.T) {
	eachKind(t, func(t *testing.T, c convcases.Case, o transform.Options) {
		plan, err := transform.PlanChoices(c.Model(), o)
		if err != nil || len(plan) != 1 || plan[0].Node != convcases.Node {
			t.Fatal(plan, err)
		}
		rounding := max(1e-6, transformtest.Tolerance[c.Model().Graph.Outputs()[0].DType()])
		for i, choice := range plan[0].Choices {
			o.Expansion = choice.Expansion
			row := rowOf(t, c, o)
			if row.After != choice.After || math.Abs(*row.Error-choice.Error) > rounding {
				t.Errorf("the plan says %+v, converting gave %+v and the error %v", choice, row.After, *row.Error)
			}
			if last := i == len(plan[0].Choices)-1; last != (choice.Error < rounding) {
				t.Errorf("expansion %d of %d choices has the error %v", choice.Expansion, len(plan[0].Choices), choice.Error)
			}
		}
	})
}

// TestMaxErrorTakesTheSmallestExpansion looks for a smaller expansion that keeps the bound, too.
func TestMaxErrorTakesTheSmallestExpansion(t *testing.T) {
	eachKind(t, func(t *testing.T, c convcases.Case, o transform.Options) {
		for _, bound := range []float64{0.7, 0.2} {
			o.MaxError, o.Expansion = bound, 0
			chosen := rowOf(t, c, o)
			if *chosen.Error > bound || chosen.AboveBound {
				t.Errorf("bound %v: chose %d with the error %v", bound, chosen.Expansion, *chosen.Error)
			}
			planned, err := transform.Plan(c.Model(), o)
			if err != nil || planned[0].Expansion != chosen.Expansion {
				t.Errorf("bound %v: planned %+v, converted %+v, %v", bound, planned[0], chosen, err)
			}
			o.MaxError = 0
			for o.Expansion = 1; o.Expansion < chosen.Expansion; o.Expansion++ {
				if less := rowOf(t, c, o); *less.Error <= bound {
					t.Errorf("bound %v: chose %d, but %d has the error %v", bound, chosen.Expansion, o.Expansion, *less.Error)
				}
			}
		}
	})
}

// TestMaxErrorThatNothingKeeps says so, and takes the bank that spans all filters.
func TestMaxErrorThatNothingKeeps(t *testing.T) {
	for _, c := range convcases.Cases {
		if c.Name != "float16" {
			continue
		}
		for layout, expansion := range map[transform.Layout]int{transform.Dense: 7, transform.Depthwise: 9} { // for 27 weights, and for 9 of each channel
			o := transform.Options{MaxError: 1e-9, Layout: layout}
			row := rowOf(t, c, o)
			if !row.AboveBound || row.Expansion != expansion || *row.Error > transformtest.Tolerance[c.DType] {
				t.Errorf("%s: %+v, error %v", layout, row, *row.Error)
			}
			if plan, err := transform.Plan(c.Model(), o); err != nil || !plan[0].AboveBound || plan[0].Expansion != expansion {
				t.Errorf("%s: planned %+v, %v", layout, plan, err)
			}
			if o.MaxError = 0.5; rowOf(t, c, o).AboveBound {
				t.Errorf("%s: above a bound of one half", layout)
			}
		}
	}
}
