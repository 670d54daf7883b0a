package main

import (
	"context"
	"fmt"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/transform/filterstats"
	"github.com/spf13/cobra"
)

// analyzeCommand measures the filters of a model.
type analyzeCommand struct {
	*printer
	other string // path of a model to compare with, "" for none
}

func newAnalyze(p *printer) *cobra.Command {
	c := analyzeCommand{printer: p}
	return &cobra.Command{
		Use:   "analyze MODEL [MODEL]",
		Short: "Measure the filters of a model, and how they differ from another's",
		Long: `Measure the filters of every spatial convolution: of frozen blocks the combined filters, those of the convolution that
export makes. The model may be of any origin. Nothing is written.

FVE, the filter variance entropy, tells how many different patterns the kernels of a layer have: it is 0 if all kernels are
multiples of one pattern, and largest if all patterns occur alike. The ratio, for 3×3 kernels, is the FVE divided by that of random
kernels: about 1 or more looks random, learned kernels have less. A kernel is sparse if all its weights are below 1 % of the layer's
largest weight; the clean FVE leaves sparse kernels out. Orthogonality is 1 if all filters are orthogonal, and 0 if all are multiples
of one.

The second table has the variance of the weights in the center of the kernels and elsewhere, over all kernels of one size, after each
layer was scaled to a standard deviation of 1. Random kernels have about the same variance everywhere. --json has it for every
position.

With two models, the shift tells how differently their 3×3 kernels are distributed, and the relative error how far the filters of
the first are from those of the second, by layer.`,
		Example: `# See how random the filters of each layer are
rcfreeze analyze model.onnx
# Compare trained blocks with the model from before convert
rcfreeze analyze trained.onnx model.onnx
# Print all of it as JSON, with heat maps
rcfreeze analyze model.onnx --json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				c.other = args[1]
			}
			return c.run(cmd.Context(), args[0])
		},
	}
}

func (c *analyzeCommand) run(ctx context.Context, path string) error {
	o := rcfreeze.AnalyzeOptions{Reporter: c.reporter()}
	return perform(ctx, c.printer, path, nil, o, c.analyze, c.print)
}

// analyze measures the model, after it has read the other one.
func (c *analyzeCommand) analyze(ctx context.Context, m *rcfreeze.Model, o rcfreeze.AnalyzeOptions) (_ *rcfreeze.Analysis, err error) {
	if c.other != "" {
		if o.Other, err = c.load(c.other); err != nil {
			return nil, err
		}
	}
	return rcfreeze.Analyze(ctx, m, o)
}

func (c *analyzeCommand) print(r *rcfreeze.Analysis) {
	if r.Compared == nil {
		c.filters(r.Stats, nil)
		return
	}
	c.facts([2]string{"file", r.Model})
	c.filters(r.Stats, r.Compared.Errors)
	c.facts([2]string{"file", r.Compared.Model})
	c.filters(r.Compared.Stats, nil)
	c.shift(r.Compared)
}

var filterColumns = []columnOf[filterstats.Layer]{
	{"layer", nil, func(l filterstats.Layer) any { return l.Name }},
	{"kernel", nil, func(l filterstats.Layer) any { return product(l.Kernel) }},
	{"kernels", nil, func(l filterstats.Layer) any { return count(l.Kernels) }},
	{expansionHeader, func(l filterstats.Layer) bool { return l.Expansion > 0 }, func(l filterstats.Layer) any {
		if l.Expansion == 0 {
			return number("")
		}
		return count(l.Expansion)
	}},
	{"FVE", nil, func(l filterstats.Layer) any { return figure(l.FVE) }},
	{"ratio", nil, func(l filterstats.Layer) any { return figure(l.FVERatio) }},
	{"clean FVE", nil, func(l filterstats.Layer) any { return figure(l.CleanFVE) }},
	{"sparse", nil, func(l filterstats.Layer) any { return percent(l.Sparsity) }},
	{"orthogonality", nil, func(l filterstats.Layer) any { return figure(l.Orthogonality) }},
	{"same filters as", func(l filterstats.Layer) bool { return l.SharedWith != "" }, func(l filterstats.Layer) any { return l.SharedWith }},
}

// figure writes a measure that may mean nothing for a layer.
func figure(v *float64) number {
	if v == nil {
		return "–"
	}
	return number(fmt.Sprintf("%.3f", *v))
}

// filters prints the measures of a model's filters, one row per layer, with the relative errors if there are any; and its heat maps in short.
func (p *printer) filters(s *filterstats.Stats, errors []*float64) {
	if len(s.Layers) == 0 {
		return
	}
	header, rows := tableOf(filterColumns, s.Layers)
	if errors != nil {
		header = append(header, "relative error")
		for i, e := range errors {
			rows[i] = append(rows[i], figure(e))
		}
	}
	p.table(header, rows)
	var maps []tableRow
	for _, h := range s.HeatMaps {
		center, elsewhere := h.Center()
		maps = append(maps, tableRow{product(h.Kernel), count(h.Kernels), figure(&center), figure(elsewhere)})
	}
	if maps != nil {
		p.table(tableRow{"kernel", "kernels", "variance in the center", "elsewhere"}, maps)
	}
}

// shift prints how differently the 3×3 kernels of two models are distributed.
func (p *printer) shift(c *rcfreeze.FilterComparison) {
	if c.Shift == nil {
		return
	}
	var rows []tableRow
	for i, part := range c.Components {
		rows = append(rows, tableRow{fmt.Sprint(i + 1), percent(part.Variance), figure(&part.KL)})
	}
	rows = append(rows, tableRow{"shift", "", figure(c.Shift)})
	p.table(tableRow{"component of 3×3 kernels", "variance", "divergence (KL)"}, rows)
}
