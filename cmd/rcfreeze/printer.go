package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/internal/figures"
)

// printer writes results to stdout and messages to stderr.
type printer struct {
	args           []string // the command line, behind the program's name
	json           bool
	verbose        bool // say more
	width          int  // width of results in terminal cells; 0 means that of the terminal
	begun          bool // a part of the result has been printed
	stdin          io.Reader
	stdinTaken     bool      // a model was read from standard input
	loaded         []string  // the paths of models
	bar            *progress // nil before any progress is shown
	stdout, stderr io.Writer
}

// reporter returns a Reporter that shows messages and progress to the user.
func (p *printer) reporter() rcfreeze.Reporter {
	return rcfreeze.Reporter{Say: p.say, Progress: p.show, Verbose: p.verbose}
}

// show shows that done of total pieces of a task are finished.
func (p *printer) show(task string, done, total int, details string) {
	if p.bar == nil {
		p.bar = &progress{w: p.stderr, terminal: isTerminal(p.stderr), said: time.Now()}
	}
	p.bar.show(task, done, total, details)
}

// clear takes the bar off the terminal, so that text can be written.
func (p *printer) clear() {
	if p.bar != nil {
		p.bar.clear()
	}
}

// result prints a result: as JSON with --json, otherwise as tables.
func (p *printer) result(document any, human func()) error {
	p.clear()
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

// say writes a message of one line, or of several lines if an argument is a joined error.
func (p *printer) say(format string, args ...any) {
	p.clear()
	for i, arg := range args {
		args[i] = shown{arg}
	}
	fmt.Fprintln(p.stderr, shortened(fmt.Sprintf(format, args...)))
}

// facts prints a name and a value per line.
func (p *printer) facts(rows ...[2]string) {
	const most = 30 // cells of a name in the same line as its value
	rows, indent := slices.Clone(rows), 0
	for i, r := range rows {
		rows[i] = [2]string{cut(plain(r[0]), mostRunes), cut(plain(r[1]), mostRunes)}
		if n := text.StringWidth(rows[i][0]); n <= most {
			indent = max(indent, n+columnGap)
		}
	}
	p.begin()
	for _, r := range rows {
		fmt.Fprint(p.stdout, beside(r[0], r[1], max(indent, columnGap), p.columns()))
	}
}

// number is a number as people read it, "" if there is none.
type number string

func isNumeric(rows []tableRow, column int) bool {
	for _, r := range rows {
		if _, ok := r[column].(number); !ok {
			return false
		}
	}
	return len(rows) > 0
}

// count writes an integer with commas between thousands.
func count[T int | int64](n T) number { return number(figures.Count(n)) }

// known returns a count as text; 0 means that it is not known.
func known(n int64) number {
	if n == 0 {
		return "?"
	}
	return count(n)
}

// percent writes a share from 0 to 1.
func percent(share float64) number { return number(figures.Percent(share)) }

// decimal writes a number with four significant digits.
func decimal(v float64) number { return number(fmt.Sprintf("%.4g", v)) }

// optional returns a number as text, "" if it is nil.
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
