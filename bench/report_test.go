package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSingleRows measures some rows after all were: these change in the file, the others stay, and the file is refused where
// other conditions were.
func TestSingleRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.md")
	conditions := []string{"a machine", "its libraries"}
	old, fresh := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	lineOf := func(r row, ratio float64, day time.Time) line {
		return result{row: r, ours: 1, peer: 2, ratios: []float64{ratio}}.line(day)
	}
	var before []line
	for _, r := range rows {
		before = append(before, lineOf(r, 0.5, old))
	}
	removed := lineOf(row{work: "a row that is there no longer"}, 1, old)
	if err := os.WriteFile(path, []byte(document(conditions, append(before, removed))), 0o644); err != nil {
		t.Fatal(err)
	}
	earlier, err := readLines(path, conditions)
	if err != nil {
		t.Fatal(err)
	}
	want := document(conditions, append([]line{before[0], lineOf(rows[1], 7, fresh)}, before[2:]...))
	if got := document(conditions, merged([]line{lineOf(rows[1], 7, fresh)}, earlier)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, err := readLines(path, []string{"another machine", "its libraries"}); err == nil || !strings.Contains(err.Error(), "other conditions") {
		t.Errorf("got error %v for rows of another machine", err)
	}
	if lines, err := readLines(filepath.Join(t.TempDir(), "none.md"), conditions); len(lines) > 0 || err != nil {
		t.Errorf("%d lines of no file, error %v", len(lines), err)
	}
}
