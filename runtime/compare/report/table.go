package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// none is what a cell shows that has no number.
const none = "–"

// column is a column of the table. Its cell gets the number of a group that has finished runs.
type column struct {
	header string
	class  string
	cell   func(i int) markup
}

// table returns the table of the groups.
func (r Report) table(n namer) markup {
	groups := compare.Groups(r.Rows)
	columns := r.columns(groups)
	header := []markup{element(`th scope="col"`, text("variant"))}
	for _, c := range columns {
		header = append(header, element(`th scope="col" class="number"`, text(c.header)))
	}
	lines := []markup{element("thead", element("tr", header...))}
	for i, g := range groups {
		cells := []markup{element(`th scope="row"`, flags(n.group(g)))}
		for j, c := range columns {
			inner := markup(none)
			if j == 0 || len(g.Runs) > 0 {
				inner = c.cell(i)
			}
			cells = append(cells, element(`td class="`+c.class+`"`, inner))
		}
		lines = append(lines, element("tr", cells...))
	}
	return element("table", lines[0], "\n", element("tbody", join(lines[1:])))
}

// columns returns the columns of the table; the first also tells of groups without finished runs.
func (r Report) columns(groups []compare.Group) []column {
	count := func(of func(compare.Row) int64) func(int) markup {
		return func(i int) markup { return text(figures.Count(of(groups[i].Runs[0]))) }
	}
	measured := func(header string, of compare.Metric, sign float64, write func(compare.Spread) string) column {
		marks := compare.Marks(groups, of, sign)
		return column{header, "number", func(i int) markup { return text(write(groups[i].Over(of))) + marked(marks[i]) }}
	}
	columns := []column{
		{"runs", "number", func(i int) markup {
			if n := groups[i].Failed; n > 0 {
				return text(fmt.Sprintf("%d (%d failed)", len(groups[i].Runs), n))
			}
			return text(fmt.Sprint(len(groups[i].Runs)))
		}},
		measured("top-1", compare.Top1, 1, percent),
	}
	if base := baseline(groups); base >= 0 && len(groups) > 1 {
		columns = append(columns, column{"top-1 minus baseline", "number", func(i int) markup {
			return text(difference(groups[i], groups[base], i == base))
		}})
	}
	if r.TellsTop5 {
		columns = append(columns, measured("top-5", compare.Top5, 1, percent))
	}
	columns = append(columns, measured("loss", compare.Loss, -1, func(s compare.Spread) string { return withSpread("%.4f", s, 1) }))
	if r.Epsilon > 0 {
		columns = append(columns, measured("robust top-1", compare.RobustTop1, 1, percent))
	}
	return append(columns,
		column{"trained parameters", "number", count(func(r compare.Row) int64 { return r.Trained })},
		column{"stored", "number", count(func(r compare.Row) int64 { return r.Parameters })},
		column{"deployed", "number", count(func(r compare.Row) int64 { return r.Deployed })},
		column{"seconds per run", "number seconds", func(i int) markup { return text(fmt.Sprintf("%.1f", groups[i].Over(compare.Seconds).Mean)) }})
}

// baseline returns the place of the group that others are compared with, -1 without one.
func baseline(groups []compare.Group) int {
	for i, g := range groups {
		if g.Variant == parameter.Baseline {
			return i
		}
	}
	return -1
}

// difference writes how much more top-1 accuracy a group has than the baseline, in percentage points.
func difference(g, base compare.Group, same bool) string {
	d := g.Minus(base, compare.Top1)
	switch {
	case same || d.Seeds == 0:
		return none
	case d.Seeds < len(g.Runs):
		return withSpread("%+.2f", d, 100) + fmt.Sprintf(" (%d of %d seeds)", d.Seeds, len(g.Runs))
	}
	return withSpread("%+.2f", d, 100)
}

// percent writes shares from 0 to 1 as a mean and, with several seeds, the standard deviation.
func percent(s compare.Spread) string {
	if math.IsNaN(s.Mean) {
		return none
	}
	return withSpread("%.2f", s, 100) + " %"
}

// withSpread writes a mean, times a factor, and with several seeds the standard deviation.
func withSpread(format string, s compare.Spread, factor float64) string {
	text := strings.Replace(fmt.Sprintf(format, factor*s.Mean), "-", "−", 1)
	if s.Seeds > 1 {
		text += " ± " + fmt.Sprintf(strings.Replace(format, "+", "", 1), factor*s.Std)
	}
	return text
}

func marked(m compare.Mark) markup {
	switch m {
	case compare.Best:
		return " " + element(`b class="mark"`, text("best"))
	case compare.Second:
		return " " + element(`b class="mark"`, text("2nd"))
	}
	return ""
}
