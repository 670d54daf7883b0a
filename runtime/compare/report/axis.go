package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/go-analyze/charts/chartdraw"
)

// axis is a range of numbers with labels, which a chart does not change.
type axis struct {
	chartdraw.ContinuousRange
	ticks []chartdraw.Tick
}

// GetTicks returns the labels.
func (a *axis) GetTicks(chartdraw.ValueFormatter) []chartdraw.Tick { return a.ticks }

// xAxis returns the axis for all places of a figure, of which there are at least two.
func (f figure) xAxis() *axis {
	places := f.places()
	low, high := places[0], places[len(places)-1]
	values := places
	if !f.atDots {
		values = between(low, high, f.roundNumbers(low, high))
	}
	margin := 0.03 * (f.scale(high) - f.scale(low)) // so that no dot is on the other axis
	a := &axis{ContinuousRange: chartdraw.ContinuousRange{Min: f.scale(low) - margin, Max: f.scale(high) + margin}}
	last := math.Inf(-1)
	for _, v := range values {
		if at := f.scale(v); at-last > 2.5*margin { // else labels overlap
			a.ticks = append(a.ticks, chartdraw.Tick{Value: at, Label: short(v)})
			last = at
		}
	}
	return a
}

// yAxis returns the axis for all accuracies of a figure, from one round number to another.
func (f figure) yAxis() *axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, l := range f.lines {
		for _, p := range l.points() {
			low, high = min(low, p.mean-p.std), max(high, p.mean+p.std)
		}
		for _, d := range l.dots {
			low, high = min(low, d.y), max(high, d.y)
		}
	}
	if high-low < 0.1 {
		low, high = low-0.05, high+0.05
	}
	low, high = max(low, 0), min(high, 100)
	values := roundNumbers(low, high, 0)
	a := &axis{ContinuousRange: chartdraw.ContinuousRange{Min: values[0], Max: values[len(values)-1]}}
	for _, v := range values {
		a.ticks = append(a.ticks, chartdraw.Tick{Value: v, Label: short(v)})
	}
	return a
}

// roundNumbers returns round numbers for the x axis.
func (f figure) roundNumbers(low, high float64) []float64 {
	switch {
	case f.log && high > 5*low:
		return roundRatios(low, high)
	case f.curves:
		return roundNumbers(low, high, 1) // there is no half an epoch
	}
	return roundNumbers(low, high, 0)
}

// roundNumbers returns a few round numbers in order, at equal distances of at least the given one: the first is not above low, and the last
// not below high, which is higher.
func roundNumbers(low, high, least float64) []float64 {
	const most = 6 // steps
	power := math.Pow(10, math.Floor(math.Log10((high-low)/most)))
	step := 0.0
	for _, digit := range []float64{10, 5, 2, 1} {
		if (high-low)/(digit*power) <= most {
			step = max(digit*power, least)
		}
	}
	var list []float64
	const tolerance = 1e-9 // for rounding
	for i, last := math.Floor(low/step+tolerance), math.Ceil(high/step-tolerance); i <= last; i++ {
		list = append(list, i*step)
	}
	return list
}

// roundRatios returns 1, 2 and 5 times powers of 10 in order: the first is not above low, and the last not below high.
func roundRatios(low, high float64) []float64 {
	var list []float64
	for power := math.Pow(10, math.Floor(math.Log10(low))); ; power *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			list = append(list, digit*power)
			if digit*power >= high {
				return list
			}
		}
	}
}

// between returns the values from low to high.
func between(low, high float64, values []float64) []float64 {
	var list []float64
	for _, v := range values {
		if v >= low && v <= high {
			list = append(list, v)
		}
	}
	return list
}

// short writes a number in few characters: 60 k, 1.2 M.
func short(v float64) string {
	unit := ""
	switch {
	case math.Abs(v) >= 1e6:
		v, unit = v/1e6, " M"
	case math.Abs(v) >= 1e4:
		v, unit = v/1e3, " k"
	}
	text := fmt.Sprintf("%.4f", v)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".") + unit
}
