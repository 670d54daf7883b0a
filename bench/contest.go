package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// entrant is a contestant that is not there yet.
type entrant struct {
	name string
	open func(ctx context.Context, l *lab) (contestant, error)
}

// contestant does one piece of work as often as it is asked to.
type contestant interface {
	// do does the work n times and returns how long each took, in milliseconds.
	do(n int) ([]float64, error)
	// peak returns the most memory that it had so far, in megabytes.
	peak() (float64, error)
	close() error
}

// errNotInstalled is the error of an entrant that this machine does not have.
var errNotInstalled = errors.New("not installed")

// result is a row with its figures.
type result struct {
	row
	ours, peer figure
	ratios     []float64 // one per round, sorted; empty if there is no peer
	err        error
}

// figure is the median of what one contestant reached.
type figure float64

// ratio returns the median of the paired ratios, or, where the bound is absolute, the figure.
func (r result) ratio() float64 {
	if r.row.peer.open == nil {
		return float64(r.ours)
	}
	return median(r.ratios)
}

func (r result) String() string {
	if r.err != nil {
		return r.err.Error()
	}
	return fmt.Sprintf("%.4g %s, %s %.4g: %.3g, must be at most %.3g", r.ours, r.of, r.row.peer.name, r.peer, r.ratio(), r.must)
}

// run lets the contestants take turns.
func (r row) run(ctx context.Context, l *lab, rounds int) result {
	res := result{row: r}
	res.err = func() error {
		ours, err := r.ours.open(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", r.ours.name, err)
		}
		defer ours.close()
		if r.peer.open == nil {
			taken, err := series(ctx, ours, rounds)
			res.ours = figure(median(taken))
			return err
		}
		peer, err := r.peer.open(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", r.peer.name, err)
		}
		defer peer.close()
		return res.compete(ctx, ours, peer, rounds)
	}()
	return res
}

func (r *result) compete(ctx context.Context, ours, peer contestant, rounds int) error {
	contestants := []contestant{ours, peer}
	figures := make([][]float64, 2)
	for range rounds {
		for i, c := range contestants {
			v, err := r.turn(ctx, c)
			if err != nil {
				return err
			}
			figures[i] = append(figures[i], v)
		}
	}
	for i := range figures[0] {
		r.ratios = append(r.ratios, figures[0][i]/figures[1][i])
	}
	slices.Sort(r.ratios)
	r.ours, r.peer = figure(median(figures[0])), figure(median(figures[1]))
	return nil
}

// turn is one turn of one contestant: the median time, or the peak of memory after it.
func (r *result) turn(ctx context.Context, c contestant) (float64, error) {
	taken, err := series(ctx, c, 1)
	if err != nil || r.of == duration {
		return median(taken), err
	}
	return c.peak()
}

// A turn takes about turnTime milliseconds, and does the work at least leastWork times, or once if it takes longer than so many turns:
// the first after a pause is slower.
const (
	turnTime  = 2000
	leastWork = 3
)

// series does the work for a number of turns.
func series(ctx context.Context, c contestant, turns int) ([]float64, error) {
	var all []float64
	for range turns {
		time.Sleep(50 * time.Millisecond) // until the threads of the other have gone to sleep
		start := time.Now()
		if _, err := c.do(1); err != nil {
			return nil, err
		}
		times := max(leastWork, min(40, int(turnTime/milliseconds(time.Since(start)))))
		if milliseconds(time.Since(start)) > leastWork*turnTime {
			times = 1
		}
		taken, err := c.do(times)
		if err != nil {
			return nil, err
		}
		all = append(all, taken...)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return all, nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
