// Package report writes what a comparison found as one page, with a table and figures, that any browser shows without a network.
//
// The page is report.html in the comparison's folder. Its figures are also in the folder figures there, as SVG, each with its data
// as comma-separated values.
package report

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// File is the name of the page in the comparison's folder, and FiguresFolder that of the folder of its figures.
const (
	File          = "report.html"
	FiguresFolder = "figures"
)

// Report says what was compared, where, and with what results. Empty fields are left out of the page.
type Report struct {
	Program   string   // its name and version
	Command   []string // the command line
	Model     string   // the file of the source
	Machine   string   // processor, cores and system
	Runtime   string   // version of ONNX Runtime, and its provider
	Data      string   // path of the data set
	Measured  string   // which images the results are measured on
	Recipe    train.Recipe
	Normalize dataset.Normalization
	Epsilon   float64 // of the attack, 0 without
	TellsTop5 bool    // top-5 accuracy is worth telling
	compare.Table
}

// Write writes the page and its figures to the folder of a comparison, from whose runs it reads the metrics. Metrics that cannot be read
// are missing in the figures; the page says so.
func Write(folder string, r Report) error {
	c := readCurves(folder, r.Rows)
	drawn, err := draw(r.figures(c))
	if err == nil {
		err = writeFigures(filepath.Join(folder, FiguresFolder), drawn)
	}
	var page []byte
	if err == nil {
		page, err = r.page(c, drawn)
	}
	if err == nil {
		err = writeFile(filepath.Join(folder, File), page)
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func writeFile(path string, data []byte) error {
	return atomicfile.Write(path, func(w io.Writer) error { _, err := w.Write(data); return err })
}
