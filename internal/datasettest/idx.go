package datasettest

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// WriteIDX writes one split of a data set in MNIST's format: square images of the given side, whose pixels it asks for
// row by row. The prefix is train or t10k.
func WriteIDX(t testing.TB, folder, prefix string, side int, labels []byte, pixel func(i, x, y int) byte) {
	t.Helper()
	images := binary.BigEndian.AppendUint32(nil, 0x803)
	for _, n := range []int{len(labels), side, side} {
		images = binary.BigEndian.AppendUint32(images, uint32(n))
	}
	for i := range labels {
		for y := range side {
			for x := range side {
				images = append(images, pixel(i, x, y))
			}
		}
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), uint32(len(labels)))
	for name, data := range map[string][]byte{"-images-idx3-ubyte": images, "-labels-idx1-ubyte": append(head, labels...)} {
		if err := os.WriteFile(filepath.Join(folder, prefix+name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
