package report

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/compare"
)

// TestDifference tells over how many seeds a difference is, if not over all.
func TestDifference(t *testing.T) {
	group := func(v string, seeds ...uint64) compare.Group {
		g := compare.Group{}
		for _, s := range seeds {
			r := compare.Row{Cell: compare.Cell{Seed: s}}
			if v == "better" {
				r.Top1 = 0.25 + 0.01*float64(s)
			}
			g.Runs = append(g.Runs, r)
		}
		return g
	}
	for _, c := range []struct {
		a, b []uint64
		want string
	}{
		{[]uint64{1, 3}, []uint64{1, 3}, "+27.00 ± 1.41"},
		{[]uint64{1, 3, 5}, []uint64{1, 3}, "+27.00 ± 1.41 (2 of 3 seeds)"},
		{[]uint64{1, 3}, []uint64{3, 4}, "+28.00 (1 of 2 seeds)"},
		{[]uint64{1}, []uint64{1, 2}, "+26.00"},
		{[]uint64{1}, []uint64{2}, "–"},
	} {
		if got := difference(group("better", c.a...), group("", c.b...), false); got != c.want {
			t.Errorf("%v minus %v: %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

func TestRoundNumbers(t *testing.T) {
	for _, c := range []struct {
		low, high, least float64
		want             []float64
	}{
		{0, 100, 0, []float64{0, 20, 40, 60, 80, 100}},
		{23, 81, 0, []float64{20, 30, 40, 50, 60, 70, 80, 90}},
		{1, 3, 1, []float64{1, 2, 3}},
		{0, 75, 1, []float64{0, 20, 40, 60, 80}},
		{59448, 61706, 0, []float64{59000, 59500, 60000, 60500, 61000, 61500, 62000}},
		{97.5, 98, 0, []float64{97.5, 97.6, 97.7, 97.8, 97.9, 98}},
	} {
		got := roundNumbers(c.low, c.high, c.least)
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("from %g to %g: %v, want %v", c.low, c.high, got, c.want)
		}
	}
	if got := roundRatios(60, 1500); !slices.Equal(got, []float64{10, 20, 50, 100, 200, 500, 1000, 2000}) {
		t.Errorf("ratios %v", got)
	}
}

// TestPossibleAccuracies keeps areas and axes, which go one standard deviation beyond means, between 0 and 100 percent.
func TestPossibleAccuracies(t *testing.T) {
	l := line{dots: []dot{{0, 0, 1}, {0, 4, 2}, {1, 40, 1}, {1, 60, 2}, {2, 100, 1}, {2, 96, 2}}}
	for i, want := range [][3]float64{{0, 2 + math.Sqrt(8), 0}, {1, 50 + math.Sqrt(200), 50 - math.Sqrt(200)}, {2, 100, 98 - math.Sqrt(8)}} {
		x, upper, lower := l.band().GetBoundedValues(i)
		if x != want[0] || math.Abs(upper-want[1]) > 1e-9 || math.Abs(lower-want[2]) > 1e-9 {
			t.Errorf("the area at %g is from %g to %g, want %v", x, lower, upper, want)
		}
	}
	if y := (figure{lines: []line{l}}).yAxis(); y.Min != 0 || y.Max != 100 {
		t.Errorf("the axis is from %g to %g", y.Min, y.Max)
	}
	same := figure{lines: []line{{dots: []dot{{1, 100, 1}, {2, 100, 1}}}}}
	if y := same.yAxis(); !(y.Min < 100) || y.Max != 100 {
		t.Errorf("the axis of equal numbers is from %g to %g", y.Min, y.Max)
	}
}

// TestDotsAreInTheirPlaces reads the circles of pictures: their places are in proportion to the numbers, on an axis of ratios to the
// logarithms.
func TestDotsAreInTheirPlaces(t *testing.T) {
	folder := t.TempDir()
	r := made(t, folder)
	for _, f := range r.figures(readCurves(folder, r.Rows)) {
		if f.curves {
			continue
		}
		picture, err := f.svg()
		if err != nil {
			t.Fatal(err)
		}
		var dots []dot
		for _, l := range f.lines {
			if !l.level {
				dots = append(dots, l.dots...)
			}
		}
		circles := parse(t, picture).all("circle")
		if len(circles) != len(dots) {
			t.Fatalf("%s: %d circles of %d dots", f.name, len(circles), len(dots))
		}
		check := func(axis, attribute string, of func(dot) float64) {
			at := func(i int) (place float64) {
				fmt.Sscan(circles[i].attr[attribute], &place)
				return place
			}
			low, high := 0, 0
			for i, d := range dots {
				if of(d) < of(dots[low]) {
					low = i
				}
				if of(d) > of(dots[high]) {
					high = i
				}
			}
			if math.Abs(at(high)-at(low)) < 100 {
				t.Errorf("%s: the dots take %g pixels of the %s axis", f.name, math.Abs(at(high)-at(low)), axis)
			}
			for i, d := range dots {
				want := at(low) + (at(high)-at(low))*(of(d)-of(dots[low]))/(of(dots[high])-of(dots[low]))
				if math.Abs(at(i)-want) > 1.5 { // they are whole pixels
					t.Errorf("%s: dot %+v is at %g of the %s axis, want %g", f.name, d, at(i), axis, want)
				}
			}
		}
		check("x", "cx", func(d dot) float64 { return math.Log2(d.x) })
		check("y", "cy", func(d dot) float64 { return d.y })
	}
}
