package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// script is a contestant that takes the times it is told, one after the other, and again from the first.
type script struct {
	times []float64
	next  int
}

func (s *script) do(n int) ([]float64, error) {
	var taken []float64
	for range n {
		taken = append(taken, s.times[s.next%len(s.times)])
		s.next++
	}
	return taken, nil
}

func (s *script) peak() (float64, error) { return slices.Max(s.times), nil }
func (s *script) close() error           { return nil }

func entrantOf(name string, times ...float64) entrant {
	return entrant{name, func(context.Context, *lab) (contestant, error) { return &script{times: times}, nil }}
}

func missing(name string) entrant {
	return entrant{name, func(context.Context, *lab) (contestant, error) { return nil, errNotInstalled }}
}

// TestRows checks ratio and verdict of every kind of row. Times are so long that a turn does the work leastWork times,
// after one time that does not count.
func TestRows(t *testing.T) {
	const long = 1e6
	cases := []struct {
		name    string
		row     row
		ratio   float64
		verdict string
		err     error
	}{
		{"ahead", row{ours: entrantOf("a", 2*long), peer: entrantOf("b", 4*long), must: 0.6, of: duration}, 0.5, "kept", nil},
		{"behind", row{ours: entrantOf("a", 5*long), peer: entrantOf("b", 4*long), must: 1.2, of: duration}, 1.25, "missed", nil},
		{"the first of a turn does not count", row{ours: entrantOf("a", 90*long, long, long, long), peer: entrantOf("b", long), must: 1, of: duration}, 1, "kept", nil},
		{"a bound in milliseconds", row{ours: entrantOf("a", 3*long), must: 3 * long, of: duration}, 3 * long, "kept", nil},
		{"memory", row{ours: entrantOf("a", long, 3*long), peer: entrantOf("b", 6*long), must: 0.4, of: memory}, 0.5, "missed", nil},
		{"no peer", row{ours: entrantOf("a", long), peer: missing("b"), must: 1, of: duration}, 0, "", errNotInstalled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := c.row.run(context.Background(), nil, 3)
			if !errors.Is(r.err, c.err) {
				t.Fatalf("got error %v, want %v", r.err, c.err)
			}
			if c.err != nil {
				if text := document([]section{{lines: []line{r.line(time.Now())}}}); !strings.Contains(text, "b: not installed") {
					t.Errorf("the table does not say that the peer is missing:\n%s", text)
				}
				return
			}
			if math.Abs(r.ratio()-c.ratio) > 1e-9*c.ratio || r.verdict() != c.verdict {
				t.Errorf("got ratio %v, %s; want %v, %s", r.ratio(), r.verdict(), c.ratio, c.verdict)
			}
		})
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}} {
		if got := median(c.of); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.of, got, c.want)
		}
	}
}
