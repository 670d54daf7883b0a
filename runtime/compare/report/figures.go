package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/runtime/compare"
)

// figure is a plot of accuracies, in percent.
type figure struct {
	name    string // of its files
	title   string
	caption string
	x       string // what the x axis shows
	log     bool   // the x axis has equal distances for equal ratios
	atDots  bool   // the x axis has labels where dots are, and not at round numbers
	curves  bool   // each line is shown with the spread around it, not with its dots
	lines   []line
}

// line is a series of a figure: it goes through the means of dots at the same x.
type line struct {
	label string
	style style
	level bool // it does not depend on x: the dots have none, and the line goes across the figure
	dots  []dot
}

// dot is what one run gave.
type dot struct {
	x, y float64
	seed uint64
}

// figureNames has the names of all figures that there may be.
var figureNames = []string{"top1-expansion", "top1-trained", "learning-curves", "robust-expansion"}

// figures returns the figures of a report, without those that would have only a single point.
func (r Report) figures(c curves) []figure {
	n := names(r.Rows)
	all := []figure{
		{
			name: "top1-expansion", title: "Top-1 accuracy (%) by expansion", x: "expansion", log: true, atDots: true,
			caption: "Lines go through the means over the seeds; each dot is one run. A level line is a variant without blocks.",
			lines:   overExpansion(r.Rows, n, compare.Top1),
		},
		{
			name: "top1-trained", title: "Top-1 accuracy (%) by trained parameters", x: "trained parameters", log: true,
			caption: "Lines go through the means over the seeds; each dot is one run.",
			lines: n.lines(r.Rows, func(row compare.Row) []dot {
				if row.Trained <= 0 { // a logarithm has no place for it
					return nil
				}
				return []dot{{float64(row.Trained), 100 * row.Top1, row.Seed}}
			}),
		},
		{
			name: "learning-curves", title: "Top-1 accuracy (%) while training", x: "epoch", curves: true,
			caption: "Mean over the seeds, measured after each epoch on the images for choosing; epoch 0 is before training. With several seeds, the area shows one standard deviation on each side.",
			lines:   slices.DeleteFunc(curveLines(r.Rows, n, c), func(l line) bool { return len(l.dots) == 0 }),
		},
		{
			name: "robust-expansion", title: "Top-1 accuracy (%) under attack by expansion", x: "expansion", log: true, atDots: true,
			caption: "Lines go through the means over the seeds; each dot is one run. A level line is a variant without blocks.",
			lines:   overExpansion(r.Rows, n, compare.RobustTop1),
		},
	}
	return slices.DeleteFunc(all, func(f figure) bool { return len(f.places()) < 2 })
}

// overExpansion has a line for each variant and kind of blocks, without the expansion, that the metric was measured of.
func overExpansion(rows []compare.Row, n namer, of compare.Metric) []line {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r compare.Row) bool { return r.Failed == "" && math.IsNaN(of(r)) })
	lines := n.lines(rows, func(r compare.Row) []dot { return []dot{{float64(r.Expansion), 100 * of(r), r.Seed}} })
	for i, l := range lines {
		lines[i].level = l.dots[0].x == 0
	}
	return lines
}

// curveLines has a line for each variant and kind of blocks with each expansion.
func curveLines(rows []compare.Row, n namer, c curves) []line {
	var lines []line
	colors, dashes := map[string]int{}, map[string]int{}
	for _, g := range compare.Groups(rows) {
		kind := n.kind(g.Variant, g.Blocks)
		if _, ok := colors[kind]; !ok {
			colors[kind] = len(colors)
		}
		l := line{label: n.group(g), style: style{colors[kind], dashes[kind]}}
		dashes[kind]++
		for _, r := range g.Runs {
			for epoch, top1 := range c.of(r) {
				l.dots = append(l.dots, dot{float64(epoch), 100 * top1, r.Seed})
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// places returns the different values of x, in order.
func (f figure) places() []float64 {
	var list []float64
	for _, l := range f.lines {
		for _, d := range l.dots {
			if !l.level {
				list = append(list, d.x)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// point is what the runs of a line gave at one place: for a level line, at any.
type point struct {
	x, mean, std float64
	runs         int
}

// points returns the points of a line by x.
func (l line) points() []point {
	dots := slices.SortedStableFunc(slices.Values(l.dots), func(a, b dot) int { return cmp.Compare(a.x, b.x) })
	var list []point
	for len(dots) > 0 {
		n := 1
		for n < len(dots) && dots[n].x == dots[0].x {
			n++
		}
		var values []float64
		for _, d := range dots[:n] {
			values = append(values, d.y)
		}
		s := compare.SpreadOf(values)
		list = append(list, point{dots[0].x, s.Mean, s.Std, n})
		dots = dots[n:]
	}
	return list
}
