package report

import (
	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// namer names groups, and lines of figures, by that in which they differ from others.
type namer struct{ flags func(compare.Blocks) string }

func names(rows []compare.Row) namer {
	var blocks []compare.Blocks
	for _, r := range rows {
		blocks = append(blocks, r.Blocks)
	}
	return namer{compare.DistinctFlags(blocks)}
}

func (n namer) group(g compare.Group) string { return string(g.Variant) + g.Flags(n.flags) }

// kind names a variant and kind of blocks, without the expansion.
func (n namer) kind(v parameter.Variant, b compare.Blocks) string { return string(v) + n.flags(b) }

// lines returns a line for each variant and kind of blocks, without the expansion, of which a run finished. Those that have none
// keep their color, so that a line has the same in each figure.
func (n namer) lines(rows []compare.Row, dots func(compare.Row) []dot) []line {
	var all []line
	places := map[string]int{}
	for _, r := range rows {
		label := n.kind(r.Variant, r.Blocks)
		place, ok := places[label]
		if !ok {
			place = len(all)
			places[label] = place
			all = append(all, line{label: label, style: style{color: place}})
		}
		if r.Failed == "" {
			all[place].dots = append(all[place].dots, dots(r)...)
		}
	}
	var lines []line
	for _, l := range all {
		if len(l.dots) > 0 {
			lines = append(lines, l)
		}
	}
	return lines
}
