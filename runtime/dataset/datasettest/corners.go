// Package datasettest makes small data sets for tests.
package datasettest

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// Side is the height and width of the images in pixels, and Classes the number of classes.
const (
	Side    = 12
	Classes = 4
)

// Corners writes a data set as IDX files into a folder of its own, and returns the folder. The image of
// class k is noise with a brighter square in corner k: easy to learn, and not at once.
func Corners(t testing.TB, training, test int) string {
	t.Helper()
	folder := t.TempDir()
	writeIDX(t, folder, "train", training)
	writeIDX(t, folder, "t10k", test)
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

func writeIDX(t testing.TB, folder, prefix string, count int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(count), 1))
	images := binary.BigEndian.AppendUint32(nil, 0x803)
	labels := binary.BigEndian.AppendUint32(nil, 0x801)
	for _, n := range []uint32{uint32(count), Side, Side} {
		images = binary.BigEndian.AppendUint32(images, n)
	}
	labels = binary.BigEndian.AppendUint32(labels, uint32(count))
	for i := range count {
		class := i % Classes
		labels = append(labels, byte(class))
		top, left := class/2*Side/2, class%2*Side/2
		for y := range Side {
			for x := range Side {
				v := rng.IntN(120)
				if y > top && y < top+5 && x > left && x < left+5 {
					v += 100
				}
				images = append(images, byte(v))
			}
		}
	}
	for name, data := range map[string][]byte{"-images-idx3-ubyte": images, "-labels-idx1-ubyte": labels} {
		if err := os.WriteFile(filepath.Join(folder, prefix+name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
