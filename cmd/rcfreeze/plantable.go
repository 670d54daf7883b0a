package main

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/transform"
)

// plans prints how error and size depend on the expansion: by convolution, then of all together.
func (p *printer) plans(list []transform.Choices) {
	if len(list) == 0 {
		return
	}
	var rows []tableRow
	add := func(name string, c transform.Choice, lost number) {
		rows = append(rows, tableRow{name, count(c.Expansion), count(c.After.Trainable), count(c.After.Bank), known(c.After.MACs), lost})
	}
	for _, convolution := range list {
		name := convolution.Node
		for _, c := range convolution.Choices {
			add(name, c, decimal(c.Error))
			name = ""
		}
	}
	name := "all"
	for _, c := range together(list) {
		add(name, c, "")
		name = ""
	}
	p.table(tableRow{"convolution", expansionHeader, "trained", "in bank", "MACs", "relative error"}, rows)
}

// together sums up the costs for each expansion. A convolution has no more than its bank needs to span all filters.
func together(list []transform.Choices) []transform.Choice {
	var expansions []int
	for _, convolution := range list {
		for _, c := range convolution.Choices {
			expansions = append(expansions, c.Expansion)
		}
	}
	slices.Sort(expansions)
	var sums []transform.Choice
	for _, e := range slices.Compact(expansions) {
		sum, isKnown := transform.Choice{Expansion: e}, true
		for _, convolution := range list {
			larger := slices.IndexFunc(convolution.Choices, func(c transform.Choice) bool { return c.Expansion > e })
			if larger < 0 {
				larger = len(convolution.Choices)
			}
			cost := convolution.Choices[larger-1].After
			sum.After.Trainable += cost.Trainable
			sum.After.Bank += cost.Bank
			sum.After.MACs += cost.MACs
			isKnown = isKnown && cost.MACs > 0
		}
		if !isKnown {
			sum.After.MACs = 0
		}
		sums = append(sums, sum)
	}
	return sums
}
