package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/internal/machine"
)

// columns are those of a table. The first names a row.
var columns = table.Row{"work", "rcfreeze", "peer", "ratio", "lowest to highest", "bound", "", "measured"}

// line is a row of a table.
type line []string

// section is a table of what was measured under the same conditions.
type section struct {
	conditions string
	lines      []line
}

// report prints the table, and writes it to the given file unless that is "", among what was measured earlier.
func report(l *lab, results []result, earlier []section, path string) error {
	fresh := section{conditions: strings.Join(l.conditions(), "  \n")}
	for _, r := range results {
		fresh.lines = append(fresh.lines, r.line(time.Now()))
	}
	if _, err := io.WriteString(os.Stdout, document([]section{fresh})); err != nil || path == "" {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, document(merged(fresh, earlier)))
		return err
	})
}

const (
	heading     = "# Speed\n\nA ratio is the median of those of the rounds, in each of which both take a turn; below 1 rcfreeze is ahead.\n"
	sectionMark = "\n## Measured on\n\n"
)

// document writes sections as Markdown.
func document(sections []section) string {
	text := heading
	for _, s := range sections {
		t := table.NewWriter()
		t.AppendHeader(columns)
		for _, cells := range s.lines {
			var row table.Row
			for _, c := range cells {
				row = append(row, c)
			}
			t.AppendRow(row)
		}
		text += sectionMark + s.conditions + "\n\n" + t.RenderMarkdown() + "\n"
	}
	return text
}

// read returns the sections of a document.
func read(document string) []section {
	var sections []section
	for _, text := range strings.Split(document, sectionMark)[1:] {
		conditions, rest, _ := strings.Cut(text, "\n\n")
		s := section{conditions: conditions}
		for text := range strings.Lines(rest) {
			inner, isRow := strings.CutPrefix(strings.TrimSpace(text), "| ")
			cells := strings.Split(strings.TrimSuffix(inner, " |"), " | ")
			if isRow && len(cells) == len(columns) && cells[0] != columns[0] && cells[0] != "---" {
				s.lines = append(s.lines, cells)
			}
		}
		sections = append(sections, s)
	}
	return sections
}

// readFile returns the sections of a file, none if it is not there.
func readFile(path string) ([]section, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return read(string(text)), err
}

// merged returns the sections with fresh lines in the place of those that were measured under the same conditions earlier, in
// the order of rows, and without lines of rows that are there no longer.
func merged(fresh section, earlier []section) []section {
	all := slices.Clone(earlier)
	at := slices.IndexFunc(all, func(s section) bool { return s.conditions == fresh.conditions })
	if at < 0 {
		at = len(all)
		all = append(all, section{conditions: fresh.conditions})
	}
	var lines []line
	for _, r := range rows {
		isOf := func(l line) bool { return l[0] == r.work }
		for _, list := range [][]line{fresh.lines, all[at].lines} {
			if i := slices.IndexFunc(list, isOf); i >= 0 {
				lines = append(lines, list[i])
				break
			}
		}
	}
	all[at].lines = lines
	return all
}

// line returns the cells of a result of the given day.
func (r result) line(day time.Time) line {
	must, date := fmt.Sprint(r.must), day.Format(time.DateOnly)
	switch {
	case r.err != nil:
		return line{r.work, "", r.row.peer.name, "", "", must, r.err.Error(), date}
	case r.row.peer.open == nil:
		return line{r.work, r.ours.with(r.of), "", "", "", must, r.verdict(), date}
	}
	return line{r.work, r.ours.with(r.of), r.row.peer.name + " " + r.peer.with(r.of), fmt.Sprintf("%.3f", r.ratio()),
		fmt.Sprintf("%.3f to %.3f", r.ratios[0], r.ratios[len(r.ratios)-1]), must, r.verdict(), date}
}

func (r result) verdict() string {
	if r.ratio() <= r.must {
		return "kept"
	}
	return "missed"
}

func (f figure) with(q quantity) string { return fmt.Sprintf("%.4g %s", float64(f), q) }

// conditions says where and by what the figures were measured.
func (l *lab) conditions() []string {
	torch := "PyTorch " + l.torch
	if l.torch == "" {
		torch = "PyTorch: not installed"
	}
	return []string{
		fmt.Sprintf("%s, %s/%s, %d cores, %s", machine.Processor(), runtime.GOOS, runtime.GOARCH, l.cores, runtime.Version()),
		fmt.Sprintf("ONNX Runtime %s; %s, BLAS: %s", l.library.Version, torch, blas()),
	}
}

// blas says which library of linear algebra Debian's alternatives give PyTorch.
func blas() string {
	matches, err := filepath.Glob("/etc/alternatives/libblas.so.3-*")
	if err != nil || len(matches) == 0 {
		return "unknown"
	}
	target, err := os.Readlink(matches[0])
	if err != nil {
		return "unknown"
	}
	owner, err := exec.Command("dpkg", "-S", target).Output()
	if err != nil {
		return target
	}
	name, _, _ := strings.Cut(string(owner), ":")
	return name
}
