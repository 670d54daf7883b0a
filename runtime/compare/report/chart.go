package report

import (
	"bytes"
	"fmt"
	"math"

	"github.com/go-analyze/charts/chartdraw"
	"github.com/go-analyze/charts/chartdraw/drawing"
)

// The size of a figure in pixels, without the legend, which has a row for each line below. Text stays readable where a telephone shows
// the figure at two thirds of its size.
const (
	width, height = 560, 412
	fontSize      = 15
	legendRow     = 24
)

// style is how a line is drawn. Lines of one kind have one color in all figures. Lines of one color have different dashes; if those do
// not suffice, they become thinner.
type style struct{ color, dash int }

// colors are those of Okabe & Ito (https://jfly.uni-koeln.de/color) that are visible on white: people who see few colors can tell
// them apart.
var colors = []string{"0072b2", "d55e00", "009e73", "cc79a7", "000000", "e69f00", "56b4e9"}

var dashes = [][]float64{nil, {9, 4}, {3, 3}, {12, 3, 3, 3}}

var (
	ink  = drawing.ColorFromHex("222222")
	gray = drawing.ColorFromHex("dddddd")
)

func (s style) hue() drawing.Color { return drawing.ColorFromHex(colors[s.color%len(colors)]) }

// stroke returns how the line itself is drawn.
func (s style) stroke() chartdraw.Style {
	n := s.color/len(colors) + s.dash
	return chartdraw.Style{StrokeColor: s.hue(), StrokeWidth: 2.5 / float64(1+n/len(dashes)), StrokeDashArray: dashes[n%len(dashes)]}
}

// svg draws a figure. Its text is in the figure's own font only for measuring: browsers may show another.
func (f figure) svg() ([]byte, error) {
	xs, ys := f.xAxis(), f.yAxis()
	label := chartdraw.Style{FontStyle: chartdraw.FontStyle{FontSize: fontSize, FontColor: ink}, StrokeColor: ink, StrokeWidth: 1}
	grid := chartdraw.Style{StrokeColor: gray, StrokeWidth: 1}
	c := chartdraw.Chart{
		Title: f.title, TitleStyle: chartdraw.Style{FontStyle: chartdraw.FontStyle{FontSize: fontSize + 2, FontColor: ink}},
		Width: width, Height: height + legendRow*len(f.lines), DPI: 72, // so that points are pixels
		Background: chartdraw.Style{FillColor: drawing.ColorWhite, Padding: chartdraw.NewBox(48, 16, 24, 28+legendRow*len(f.lines))},
		XAxis: chartdraw.XAxis{
			Name: f.x, NameStyle: label, Style: label, Range: xs,
			GridMajorStyle: chartdraw.Hidden(), GridMinorStyle: chartdraw.Hidden(),
		},
		YAxis:          chartdraw.YAxis{Style: chartdraw.Hidden(), Range: &chartdraw.ContinuousRange{Max: 1}}, // it is at the right
		YAxisSecondary: chartdraw.YAxis{Style: label, Range: ys, GridMajorStyle: grid, GridMinorStyle: grid},
		Elements:       []chartdraw.Renderable{f.legend},
	}
	for _, l := range f.lines {
		if f.curves {
			c.Series = append(c.Series, l.band())
		}
	}
	for _, l := range f.lines {
		c.Series = append(c.Series, f.series(l, xs)...)
	}
	var out bytes.Buffer
	if err := c.Render(chartdraw.SVG, &out); err != nil {
		return nil, fmt.Errorf("drawing the figure %s: %w", f.name, err)
	}
	return out.Bytes(), nil
}

// series returns the line through the means, and its dots.
func (f figure) series(l line, xs *axis) []chartdraw.Series {
	path := chartdraw.ContinuousSeries{YAxis: chartdraw.YAxisSecondary, Style: l.style.stroke()}
	for _, p := range l.points() {
		path.XValues, path.YValues = append(path.XValues, f.scale(p.x)), append(path.YValues, p.mean)
	}
	if l.level {
		path.XValues, path.YValues = []float64{xs.Min, xs.Max}, []float64{path.YValues[0], path.YValues[0]}
	}
	if f.curves || l.level {
		return []chartdraw.Series{path}
	}
	runs := chartdraw.ContinuousSeries{YAxis: chartdraw.YAxisSecondary, Style: chartdraw.Style{DotColor: l.style.hue(), DotWidth: 4, StrokeWidth: chartdraw.Disabled}}
	for _, d := range l.dots {
		runs.XValues, runs.YValues = append(runs.XValues, f.scale(d.x)), append(runs.YValues, d.y)
	}
	return []chartdraw.Series{path, runs}
}

// scale returns the place of x on the axis.
func (f figure) scale(x float64) float64 {
	if f.log {
		return math.Log2(x)
	}
	return x
}

// band is the area of one standard deviation around a line.
type band struct {
	chartdraw.ContinuousSeries // its means
	std                        []float64
}

func (l line) band() band {
	fill := l.style.hue()
	fill.A = 28
	b := band{ContinuousSeries: chartdraw.ContinuousSeries{YAxis: chartdraw.YAxisSecondary, Style: chartdraw.Style{FillColor: fill}}}
	for _, p := range l.points() {
		b.XValues, b.YValues, b.std = append(b.XValues, p.x), append(b.YValues, p.mean), append(b.std, p.std)
	}
	return b
}

// GetBoundedValues returns x and the upper and lower end of the area there, which contains no impossible accuracy.
func (b band) GetBoundedValues(i int) (x, upper, lower float64) {
	return b.XValues[i], min(b.YValues[i]+b.std[i], 100), max(b.YValues[i]-b.std[i], 0)
}

// Render draws the area.
func (b band) Render(r chartdraw.Renderer, box chartdraw.Box, xs, ys chartdraw.Range, _ chartdraw.Style) {
	chartdraw.Draw.BoundedSeries(r, box, xs, ys, b.Style, b)
}

// legend draws a row for each line below the figure.
func (f figure) legend(r chartdraw.Renderer, _ chartdraw.Box, defaults chartdraw.Style) {
	for i, l := range f.lines {
		const left, length = 16, 36
		y := height + legendRow*i
		l.style.stroke().WriteToRenderer(r)
		r.MoveTo(left, y-fontSize/3)
		r.LineTo(left+length, y-fontSize/3)
		r.Stroke()
		chartdraw.Draw.Text(r, shortened(l.label), left+length+10, y, chartdraw.Style{FontStyle: chartdraw.FontStyle{Font: defaults.Font, FontSize: fontSize, FontColor: ink}})
	}
}

// shortened cuts a label that is wider than a figure.
func shortened(label string) string {
	const most = 60
	if runes := []rune(label); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return label
}
