package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// report prints the table, and writes it to the given file unless that is "".
func report(l *lab, results []result, path string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Speed\n\n%s\n\n", strings.Join(l.conditions(), "  \n"))
	fmt.Fprintln(&b, "A ratio is the median of those of the rounds, in each of which both take a turn; below 1 rcfreeze is ahead.")
	fmt.Fprintf(&b, "\n%s\n", asTable(results).RenderMarkdown())
	if _, err := io.WriteString(os.Stdout, b.String()); err != nil || path == "" {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func asTable(results []result) table.Writer {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"work", "rcfreeze", "peer", "ratio", "lowest to highest", "bound", ""})
	for _, r := range results {
		t.AppendRow(r.cells())
	}
	return t
}

func (r result) cells() table.Row {
	switch {
	case r.err != nil:
		return table.Row{r.work, "", r.row.peer.name, "", "", r.must, r.err.Error()}
	case r.row.peer.open == nil:
		return table.Row{r.work, r.ours.with(r.of), "", "", "", r.must, r.verdict()}
	}
	return table.Row{r.work, r.ours.with(r.of), r.row.peer.name + " " + r.peer.with(r.of), fmt.Sprintf("%.3f", r.ratio()),
		fmt.Sprintf("%.3f to %.3f", r.ratios[0], r.ratios[len(r.ratios)-1]), r.must, r.verdict()}
}

func (r result) verdict() string {
	if r.ratio() <= r.must {
		return "kept"
	}
	return "missed"
}

func (f figure) with(q quantity) string { return fmt.Sprintf("%.4g %s", float64(f), q) }

// conditions says where, by what and when the figures were measured.
func (l *lab) conditions() []string {
	torch := "PyTorch " + l.torch
	if l.torch == "" {
		torch = "PyTorch: not installed"
	}
	return []string{
		fmt.Sprintf("%s: %s, %s/%s, %d cores, %s", time.Now().Format(time.DateOnly), processor(), runtime.GOOS, runtime.GOARCH, l.cores, runtime.Version()),
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
