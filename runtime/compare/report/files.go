package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// drawn is a figure with its picture.
type drawn struct {
	figure
	picture []byte // SVG
}

func draw(all []figure) ([]drawn, error) {
	var list []drawn
	for _, f := range all {
		picture, err := f.svg()
		if err != nil {
			return nil, err
		}
		list = append(list, drawn{f, picture})
	}
	return list, nil
}

// writeFigures writes each figure as SVG, and its data. It removes other figures, which an earlier report left.
func writeFigures(folder string, all []drawn) error {
	var made []string
	for _, f := range all {
		if len(made) == 0 {
			if err := atomicfile.MakeFolder(folder); err != nil {
				return err
			}
		}
		data, err := f.csv()
		if err != nil {
			return err
		}
		for _, file := range []struct {
			name string
			data []byte
		}{{f.name + ".svg", f.picture}, {f.name + ".csv", data}} {
			if err := writeFile(filepath.Join(folder, file.name), file.data); err != nil {
				return err
			}
			made = append(made, file.name)
		}
	}
	for _, name := range figureNames {
		for _, file := range []string{name + ".svg", name + ".csv"} {
			if slices.Contains(made, file) {
				continue
			}
			if err := atomicfile.Remove(filepath.Join(folder, file)); err != nil {
				return err
			}
		}
	}
	return nil
}

// csv returns the data of a figure: a row for each run and place, and one for each mean.
func (f figure) csv() ([]byte, error) {
	var out bytes.Buffer
	c := csv.NewWriter(&out)
	c.Write([]string{"line", f.x, "seed", "percent"})
	for _, l := range f.lines {
		row := func(x float64, seed string, percent float64) {
			place := number(x)
			if l.level {
				place = ""
			}
			c.Write([]string{l.label, place, seed, fmt.Sprintf("%.4f", percent)})
		}
		for _, d := range l.dots {
			row(d.x, strconv.FormatUint(d.seed, 10), d.y)
		}
		for _, p := range l.points() {
			row(p.x, "mean", p.mean)
		}
	}
	c.Flush()
	return out.Bytes(), c.Error()
}

// number writes a number in full.
func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
