package report

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// curve is the accuracy of a run on the images that it measures after each epoch; before training, the epoch is 0.
type curve struct {
	Folder string    `json:"folder"`
	Top1   []float64 `json:"top1"` // by epoch
}

// curves holds the curves of the runs that finished.
type curves struct {
	list   []curve
	faults []error // why some are missing
}

func readCurves(folder string, rows []compare.Row) curves {
	var c curves
	for _, r := range rows {
		if r.Failed != "" {
			continue
		}
		metrics, err := train.Folder(filepath.Join(folder, r.Folder)).Metrics()
		read := curve{Folder: r.Folder}
		for _, m := range metrics {
			if math.IsNaN(m.TestTop1) || math.IsInf(m.TestTop1, 0) {
				err = fmt.Errorf("reading metrics of %s: the accuracy after epoch %d is %v", r.Folder, m.Epoch, m.TestTop1)
			}
			read.Top1 = append(read.Top1, m.TestTop1)
		}
		if err != nil {
			c.faults = append(c.faults, err)
			continue
		}
		c.list = append(c.list, read)
	}
	return c
}

// of returns the accuracies of a run by epoch, nil if they are missing.
func (c curves) of(r compare.Row) []float64 {
	for _, one := range c.list {
		if one.Folder == r.Folder {
			return one.Top1
		}
	}
	return nil
}
