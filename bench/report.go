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
)

// columns are those of the table. The first names a row.
var columns = table.Row{"work", "rcfreeze", "peer", "ratio", "lowest to highest", "bound", "", "measured"}

// line is a row of the table.
type line []string

// report prints the table, and writes it to the given file unless that is "", together with what was measured earlier.
func report(l *lab, results []result, earlier map[string]line, path string) error {
	var fresh []line
	for _, r := range results {
		fresh = append(fresh, r.line(time.Now()))
	}
	if _, err := io.WriteString(os.Stdout, document(l.conditions(), fresh)); err != nil || path == "" {
		return err
	}
	return os.WriteFile(path, []byte(document(l.conditions(), merged(fresh, earlier))), 0o644)
}

// document writes conditions and lines as Markdown.
func document(conditions []string, lines []line) string {
	t := table.NewWriter()
	t.AppendHeader(columns)
	for _, cells := range lines {
		var row table.Row
		for _, c := range cells {
			row = append(row, c)
		}
		t.AppendRow(row)
	}
	return fmt.Sprintf("# Speed\n\n%s\n\n%s\n\n%s\n", strings.Join(conditions, "  \n"),
		"A ratio is the median of those of the rounds, in each of which both take a turn; below 1 rcfreeze is ahead.", t.RenderMarkdown())
}

// merged returns the lines in the order of rows: fresh ones, else earlier ones.
func merged(fresh []line, earlier map[string]line) []line {
	var all []line
	for _, r := range rows {
		if i := slices.IndexFunc(fresh, func(l line) bool { return l[0] == r.work }); i >= 0 {
			all = append(all, fresh[i])
		} else if l := earlier[r.work]; l != nil {
			all = append(all, l)
		}
	}
	return all
}

// readLines returns the lines of a file that report wrote, by their first cell; none if there is no file. Under other
// conditions than those given they cannot stand in one table with new ones.
func readLines(path string, conditions []string) (map[string]line, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if want := strings.Join(conditions, "  \n"); !strings.Contains(string(text), "\n\n"+want+"\n\n") {
		return nil, fmt.Errorf("adding rows to %s: its rows were measured under other conditions than these:\n%s\nmeasure all rows, or write another file", path, want)
	}
	lines := map[string]line{}
	for text := range strings.Lines(string(text)) {
		inner, isRow := strings.CutPrefix(strings.TrimSpace(text), "| ")
		if cells := strings.Split(strings.TrimSuffix(inner, " |"), " | "); isRow && len(cells) == len(columns) {
			lines[cells[0]] = cells
		}
	}
	return lines, nil
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
		fmt.Sprintf("%s, %s/%s, %d cores, %s", processor(), runtime.GOOS, runtime.GOARCH, l.cores, runtime.Version()),
		fmt.Sprintf("ONNX Runtime %s; %s, BLAS: %s", l.library.Version, torch, blas()),
	}
}

// processor names the machine's processor where Linux tells.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	var name, vectors string
	for line := range strings.Lines(string(info)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			name = strings.TrimSpace(value)
		case "flags":
			for _, flag := range strings.Fields(value) {
				if flag == "avx2" || flag == "avx512f" {
					vectors = " with " + strings.ToUpper(strings.TrimSuffix(flag, "f"))
				}
			}
		}
	}
	return name + vectors
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
