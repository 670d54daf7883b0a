package projection

import (
	"math"
	"strings"
	"testing"
)

// TestGrowthIsThatOfProject compares the errors with one projection for each number of filters.
func TestGrowthIsThatOfProject(t *testing.T) {
	for _, c := range []struct{ o, j, n, step int }{{5, 12, 20, 3}, {5, 20, 20, 4}, {1, 7, 9, 2}, {4, 3, 300, 1}, {2, 150, 200, 50}, {0, 3, 5, 1}} {
		w, r := random(c.o*c.n, 1), random(c.j*c.n, 2)
		if c.o == 0 { // a filter of zeros
			c.o, w = 1, make([]float64, c.n)
		}
		list, err := Growth(w, r, c.o, c.j, c.n, c.step)
		if err != nil || len(list) != c.j/c.step {
			t.Fatalf("%+v: %d errors, %v", c, len(list), err)
		}
		for i, got := range list {
			filters := (i + 1) * c.step
			want, err := project(w, r[:filters*c.n], c.o, filters, c.n)
			if err != nil || !(math.Abs(got-want.Error) <= 1e-6) {
				t.Errorf("%+v: the error with %d filters is %v, want %v, %v", c, filters, got, want.Error, err)
			}
		}
	}
	w, r := random(20, 1), random(40, 2)
	copy(r[30:40], r[:10])
	for want, err := range map[string]error{
		"linearly dependent":                   second(Growth(w, r, 2, 4, 10, 1)),
		"20 filters of 2 weights, 1 at a time": second(Growth(w[:4], r, 2, 20, 2, 1)),
		"4 filters of 10 weights, 0 at a time": second(Growth(w, r, 2, 4, 10, 0)),
		"W has 20 numbers":                     second(Growth(w, r, 3, 4, 10, 1)),
		"R has 40 numbers":                     second(Growth(w, r, 2, 3, 10, 1)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// BenchmarkGrowth plans the expansions of a 3×3 layer with 256 channels.
func BenchmarkGrowth(b *testing.B) {
	w, r := random(256*2304, 1), random(2304*2304, 2)
	for b.Loop() {
		if _, err := Growth(w, r, 256, 2304, 2304, 256); err != nil {
			b.Fatal(err)
		}
	}
}
