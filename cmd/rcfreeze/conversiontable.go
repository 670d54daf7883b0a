package main

import (
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze/transform"
)

// conversionColumns are the columns of a table of conversions. With the expansion, what is about the blocks begins.
var conversionColumns = []columnOf[transform.Conversion]{
	{"convolution", nil, func(c transform.Conversion) any { return c.Node }},
	{"kernel", nil, func(c transform.Conversion) any {
		if c.NewKernel != nil {
			return product(c.Kernel) + " to " + product(c.NewKernel)
		}
		return product(c.Kernel)
	}},
	{"stride", nil, func(c transform.Conversion) any { return product(c.Strides) }},
	{"groups", func(c transform.Conversion) bool { return c.Groups > 1 }, func(c transform.Conversion) any { return known(int64(c.Groups)) }},
	{"channels", nil, func(c transform.Conversion) any { return known(int64(c.In)) + "→" + known(int64(c.Out)) }},
	{"parameters", nil, func(c transform.Conversion) any {
		if c.Out == 0 {
			return number("?")
		}
		return count(c.Before.Trainable + c.Before.Bank)
	}},
	{"MACs", func(c transform.Conversion) bool { return c.Before.MACs > 0 }, func(c transform.Conversion) any { return known(c.Before.MACs) }},
	{newPart(expansionHeader), nil, func(c transform.Conversion) any {
		if c.Status != transform.Converted {
			return number("")
		}
		return count(c.Expansion)
	}},
	{"trained", nil, func(c transform.Conversion) any { return count(c.After.Trainable) }},
	{"in bank", nil, func(c transform.Conversion) any { return count(c.After.Bank) }},
	{"relative error", func(c transform.Conversion) bool { return c.Error != nil }, func(c transform.Conversion) any { return optional(c.Error) }},
	{"output error", func(c transform.Conversion) bool { return c.OutputError != nil }, func(c transform.Conversion) any { return optional(c.OutputError) }},
	{"outcome", nil, func(c transform.Conversion) any { return outcome(c) }},
}

// expansionHeader heads expansions.
const expansionHeader = "-E"

// outcome says what became of a convolution, and what there is to say of it.
func outcome(c transform.Conversion) noted {
	var notes []string
	if c.Status == transform.Skipped {
		// Blocks are listed by their names elsewhere: so one note serves all of them.
		own := fmt.Sprintf("frozen block %q", strings.TrimSuffix(c.Node, "/bank"))
		notes = append(notes, strings.ReplaceAll(c.Reason, own, "the frozen block of this name"))
	}
	if sharing := c.Sharing(); sharing != "" {
		notes = append(notes, sharing)
	}
	if c.AboveBound {
		notes = append(notes, "above --max-error even with a bank that spans all filters")
	}
	if c.Note != "" {
		notes = append(notes, c.Note)
	}
	return noted{string(c.Status), strings.Join(notes, "; ")}
}

// conversions prints what a conversion did or would do, one row per convolution.
func (p *printer) conversions(list []transform.Conversion) {
	if len(list) == 0 {
		return
	}
	p.table(tableOf(conversionColumns, list))
}
