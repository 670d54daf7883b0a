package main

import (
	"testing"
	"time"
)

// TestSingleRows measures one row after all were, on the same machine and on another: only that row changes, where the same
// conditions were, and gets a table of its own where others were.
func TestSingleRows(t *testing.T) {
	old, fresh := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	lineOf := func(r row, ratio float64, day time.Time) line {
		return result{row: r, ours: 1, peer: 2, ratios: []float64{ratio}}.line(day)
	}
	var before []line
	for _, r := range rows {
		before = append(before, lineOf(r, 0.5, old))
	}
	const machine, other = "a machine  \nits libraries", "another machine  \nits libraries"
	removed := lineOf(row{work: "a row that is there no longer"}, 1, old)
	earlier := document([]section{{machine, append(before[:len(before):len(before)], removed)}})
	changed := lineOf(rows[1], 7, fresh)
	for name, c := range map[string]struct {
		conditions string
		want       []section
	}{
		"same machine":  {machine, []section{{machine, append([]line{before[0], changed}, before[2:]...)}}},
		"other machine": {other, []section{{machine, append(before[:len(before):len(before)], removed)}, {other, []line{changed}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := document(merged(section{c.conditions, []line{changed}}, read(earlier)))
			if want := document(c.want); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}
