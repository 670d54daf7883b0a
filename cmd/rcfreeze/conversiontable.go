package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/transform"
)

// conversionColumns are the columns of a table of conversions, before the outcome. With the expansion, what is about the blocks begins.
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
}

// expansionHeader heads expansions.
const expansionHeader = "-E"

// What a table says of convolutions that became blocks, or that would.
const (
	isConverted  = "converted"
	wouldConvert = "would convert"
)

// outcome says what became of a convolution, and what there is to say of it. converted is the word for those that became blocks.
func outcome(c transform.Conversion, converted string) noted {
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
	status := string(c.Status)
	if c.Status == transform.Converted {
		status = converted
	}
	return noted{status, strings.Join(notes, "; ")}
}

// conversions prints what a conversion did or would do, one row per convolution. converted says which.
func (p *printer) conversions(list []transform.Conversion, converted string) {
	if len(list) == 0 {
		return
	}
	last := columnOf[transform.Conversion]{"outcome", nil, func(c transform.Conversion) any { return outcome(c, converted) }}
	p.table(tableOf(append(slices.Clone(conversionColumns), last), list))
}
