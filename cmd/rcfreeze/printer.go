package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// printer writes results to stdout and talk to stderr.
type printer struct {
	json           bool
	stdin          io.Reader
	stdinTaken     bool // by the model that was read from it
	stdout, stderr io.Writer
}

// result prints a finished result: as JSON if asked for, else as people read it.
func (p *printer) result(document any, human func()) error {
	if !p.json {
		human()
		return nil
	}
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(document)
}

// say writes one line of talk.
func (p *printer) say(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) }

// textWidth is how wide a column of a table may be: longer text is wrapped.
const textWidth = 72

// table prints rows under a header. Columns that hold nothing but numbers are aligned to the right.
func (p *printer) table(header table.Row, rows []table.Row) {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(header)
	t.AppendRows(rows)
	var columns []table.ColumnConfig
	for i := range header {
		c := table.ColumnConfig{Number: i + 1, WidthMax: textWidth, WidthMaxEnforcer: text.WrapSoft}
		if isNumeric(rows, i) {
			c.Align, c.AlignHeader = text.AlignRight, text.AlignRight
		}
		columns = append(columns, c)
	}
	t.SetColumnConfigs(columns)
	fmt.Fprintln(p.stdout, t.Render())
}

// facts prints a name and a value per line.
func (p *printer) facts(rows ...[2]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	for _, r := range rows {
		fmt.Fprintf(p.stdout, "%-*s  %s\n", width, r[0], r[1])
	}
}

// number is a number as people read it, "" if there is none.
type number string

func isNumeric(rows []table.Row, column int) bool {
	for _, r := range rows {
		if _, ok := r[column].(number); !ok {
			return false
		}
	}
	return len(rows) > 0
}

// count writes an integer with commas between thousands.
func count[T int | int64](n T) number {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return number(digits)
}

// known writes a count that is 0 if it is not known.
func known(n int64) number {
	if n == 0 {
		return "?"
	}
	return count(n)
}

// percent writes a share from 0 to 1.
func percent(share float64) number { return number(fmt.Sprintf("%.2f %%", 100*share)) }

// decimal writes a number with four significant digits.
func decimal(v float64) number { return number(fmt.Sprintf("%.4g", v)) }

// optional writes a number that may not be there.
func optional(v *float64) number {
	if v == nil {
		return ""
	}
	return decimal(*v)
}

// product writes sizes as 3×3, "" if there are none.
func product(sizes []int) string {
	words := make([]string, len(sizes))
	for i, s := range sizes {
		words[i] = strconv.Itoa(s)
	}
	return strings.Join(words, "×")
}
