package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// printer writes results to stdout and talk to stderr.
type printer struct {
	json           bool
	verbose        bool // say more
	stdin          io.Reader
	stdinTaken     bool     // by the model that was read from it
	loaded         []string // the paths of models
	stdout, stderr io.Writer
}

// result prints a finished result: as JSON if asked for, else as people read it.
func (p *printer) result(document any, human func()) error {
	if !p.json {
		human()
		return nil
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(document); err != nil {
		return err
	}
	_, err := p.stdout.Write(plainJSON(text.Bytes()))
	return err
}

// say writes one line of talk, or several if an argument is an error of several.
func (p *printer) say(format string, args ...any) {
	for i, arg := range args {
		args[i] = shown{arg}
	}
	fmt.Fprintln(p.stderr, shortened(fmt.Sprintf(format, args...)))
}

// textWidth is how wide a column of a table may be: longer text is wrapped.
const textWidth = 72

// table prints rows under a header. Columns that hold nothing but numbers are aligned to the right.
func (p *printer) table(header table.Row, rows []table.Row) {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(plainRow(header))
	for _, row := range rows {
		t.AppendRow(plainRow(row))
	}
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

// plainRow returns a row of a table as people see it.
func plainRow(row table.Row) table.Row {
	cells := make(table.Row, len(row))
	for i, cell := range row {
		cells[i] = cut(plain(fmt.Sprint(cell)), mostRunes)
	}
	return cells
}

// facts prints a name and a value per line.
func (p *printer) facts(rows ...[2]string) {
	rows, width := slices.Clone(rows), 0
	for i, r := range rows {
		rows[i] = [2]string{cut(plain(r[0]), textWidth), cut(plain(r[1]), mostRunes)}
		width = max(width, text.StringWidth(rows[i][0]))
	}
	for _, r := range rows {
		fmt.Fprintf(p.stdout, "%s  %s\n", text.Pad(r[0], width, ' '), r[1])
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
