package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// tableRow is a row of a table. Its first cell names it.
type tableRow []any

// noted is a cell with a note. The note is printed below the table, once for all cells that have it.
type noted struct{ text, note string }

// newPart is the header of a column at which a table that is too wide continues below.
type newPart string

const (
	columnGap = 2  // cells of the terminal between columns
	leastText = 24 // what a column of text may be narrowed to
)

// column is a column of a table.
type column struct {
	header  string
	cells   []string
	width   int  // of the widest cell
	right   bool // holds nothing but numbers
	newPart bool
}

// table prints rows under a header, in lines that are no wider than the terminal. If the table is too wide, table tries the
// following in this order: long headers, and then the widest text, take several lines; names get their own lines above their
// rows; the table is divided into two, each with the names. A name is never broken, so that it can be copied.
func (p *printer) table(header tableRow, rows []tableRow) {
	columns := make([]column, len(header))
	var notes []string
	for i, h := range header {
		_, begins := h.(newPart)
		columns[i] = column{header: fmt.Sprint(h), right: isNumeric(rows, i), newPart: begins}
		for _, r := range rows {
			cell := fmt.Sprint(r[i])
			if n, ok := r[i].(noted); ok {
				cell = n.text
				if n.note != "" {
					at := slices.Index(notes, n.note)
					if at < 0 {
						at = len(notes)
						notes = append(notes, n.note)
					}
					cell += fmt.Sprintf(" [%d]", at+1)
				}
			}
			cell = cut(plain(cell), mostRunes)
			columns[i].cells, columns[i].width = append(columns[i].cells, cell), max(columns[i].width, text.StringWidth(cell))
		}
	}
	width := p.columns()
	for _, t := range divided(columns[0], columns[1:], width) {
		p.begin()
		fmt.Fprint(p.stdout, t.text(width))
	}
	indent := len(fmt.Sprintf("[%d]", len(notes))) + columnGap
	for i, note := range notes {
		fmt.Fprint(p.stdout, beside(fmt.Sprintf("[%d]", i+1), cut(plain(note), mostRunes), indent, width))
	}
}

// columns returns how wide a result may be, in terminal cells.
func (p *printer) columns() int {
	if p.width > 0 {
		return p.width
	}
	return widthOf(p.stdout)
}

// begin prints an empty line between two parts of a result.
func (p *printer) begin() {
	if p.begun {
		fmt.Fprintln(p.stdout)
	}
	p.begun = true
}

// part holds columns of a table that are printed beside each other.
type part struct {
	names   column
	columns []column
	apart   bool  // the names have lines of their own
	widths  []int // of the columns
}

// divided returns the parts of a table that fit into a width.
func divided(names column, columns []column, width int) []part {
	for _, apart := range []bool{false, true} {
		if t, ok := fitting(names, columns, apart, width); ok {
			return []part{t}
		}
	}
	if len(columns) == 1 { // of which lines are broken wherever they are too long
		return []part{{names, columns, true, []int{width - columnGap}}}
	}
	at := 1 + slices.IndexFunc(columns[1:], func(c column) bool { return c.newPart })
	if at == 0 {
		for at = len(columns) - 1; at > 1; at-- {
			if _, ok := fitting(names, columns[:at], true, width); ok {
				break
			}
		}
	}
	return append(divided(names, columns[:at], width), divided(names, columns[at:], width)...)
}

// fitting returns columns as a part of a table that is no wider than width; ok is false if there is none.
func fitting(names column, columns []column, apart bool, width int) (t part, ok bool) {
	t = part{names: names, columns: columns, apart: apart}
	for _, c := range columns {
		t.widths = append(t.widths, max(c.width, text.StringWidth(c.header)))
	}
	if t.width() <= width {
		return t, true
	}
	for t.width() > width { // the longest header that is wider than the rest of its column takes several lines
		longest, gain := 0, 0
		for i, c := range columns {
			if g := t.widths[i] - max(c.width, longestWord(c.header)); g > gain {
				longest, gain = i, g
			}
		}
		if gain == 0 {
			break
		}
		t.widths[longest] -= gain
	}
	widest := -1
	for i, c := range columns {
		if !c.right && (widest < 0 || t.widths[i] > t.widths[widest]) {
			widest = i
		}
	}
	if over := t.width() - width; over > 0 && widest >= 0 {
		c := columns[widest]
		t.widths[widest] = max(t.widths[widest]-over, longestWord(c.cells...), longestWord(c.header), leastText)
	}
	return t, t.width() <= width
}

// width returns how many cells of the terminal a part takes, but for names that have lines of their own.
func (t part) width() int {
	width := t.indent()
	for i, w := range t.widths {
		if i > 0 {
			width += columnGap
		}
		width += w
	}
	return width
}

// indent returns where the columns begin, after the names.
func (t part) indent() int {
	if t.apart {
		return columnGap
	}
	return max(t.names.width, text.StringWidth(t.names.header)) + columnGap
}

func longestWord(texts ...string) (longest int) {
	for _, s := range texts {
		for word := range strings.SplitSeq(s, " ") {
			longest = max(longest, text.StringWidth(word))
		}
	}
	return longest
}

// text returns the lines of a part, of which names may be longer than width.
func (t part) text(width int) string {
	var b strings.Builder
	headers := make([]string, len(t.columns))
	for i, c := range t.columns {
		headers[i] = c.header
	}
	t.write(&b, t.names.header, headers, width)
	fmt.Fprintln(&b, strings.Repeat("─", t.width()))
	for i, name := range t.names.cells {
		cells := make([]string, len(t.columns))
		for k, c := range t.columns {
			cells[k] = c.cells[i]
		}
		t.write(&b, name, cells, width)
	}
	return b.String()
}

// write writes a row.
func (t part) write(b *strings.Builder, name string, cells []string, width int) {
	if t.apart {
		if name != "" {
			fmt.Fprintln(b, strings.Join(wrapped(name, width), "\n"))
		}
		name = ""
	}
	columns, height := make([][]string, len(cells)), 1
	for i, cell := range cells {
		for _, line := range wrapped(cell, t.widths[i]) {
			columns[i] = append(columns[i], strings.Split(text.WrapHard(line, t.widths[i]), "\n")...)
		}
		height = max(height, len(columns[i]))
	}
	for y := range height {
		line := text.Pad(name, t.indent(), ' ')
		name = ""
		for i, lines := range columns {
			cell := ""
			if y < len(lines) {
				cell = lines[y]
			}
			if free := strings.Repeat(" ", t.widths[i]-text.StringWidth(cell)); t.columns[i].right {
				line += free + cell
			} else {
				line += cell + free
			}
			line += strings.Repeat(" ", columnGap)
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
}
