// Package datasettest makes small data sets for tests.
package datasettest

import (
	"math/rand/v2"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// Side is the height and width of the images in pixels, and Classes the number of classes.
const (
	Side    = 12
	Classes = 4
)

// Corners writes a data set as IDX files to a new folder, and returns the folder. An image of class k is noise with a brighter
// square in corner k. A model learns this easily, but needs more than a few steps.
func Corners(t testing.TB, training, test int) string {
	t.Helper()
	folder := t.TempDir()
	for prefix, count := range map[string]int{"train": training, "t10k": test} {
		rng := rand.New(rand.NewPCG(uint64(count), 1))
		labels := make([]byte, count)
		for i := range labels {
			labels[i] = byte(i % Classes)
		}
		WriteIDX(t, folder, prefix, Side, labels, func(i, x, y int) byte {
			v := rng.IntN(120)
			top, left := i%Classes/2*Side/2, i%Classes%2*Side/2
			if y > top && y < top+5 && x > left && x < left+5 {
				v += 100
			}
			return byte(v)
		})
	}
	return folder
}

// OpenCorners returns both splits of a data set made by Corners.
func OpenCorners(t testing.TB, training, test int) (train, held *dataset.Dataset) {
	t.Helper()
	folder := Corners(t, training, test)
	open := func(s dataset.Split) *dataset.Dataset {
		d, err := dataset.Open(folder, dataset.Options{Split: s, Classes: Classes})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	return open(dataset.Train), open(dataset.Test)
}
