package rcfreeze_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// stripesFolder holds the data set that examples train on, in MNIST's format.
const stripesFolder = "testdata/stripes"

// stripes returns the files of the data set before compression: ten classes of images of 28×28 pixels, each a bright stripe on dark
// ground that turns with the class, and moves and thickens with the image.
func stripes() map[string][]byte {
	const side, classes = 28, 10
	slope := [classes][2]int{{1, 0}, {3, 1}, {3, 2}, {1, 1}, {1, 2}, {0, 1}, {-1, 2}, {-1, 1}, {-3, 2}, {-3, 1}}
	files := map[string][]byte{}
	for prefix, count := range map[string]int{"train": 200, "t10k": 100} {
		images := binary.BigEndian.AppendUint32(nil, 0x803)
		labels := binary.BigEndian.AppendUint32(nil, 0x801)
		for _, n := range []int{count, side, side} {
			images = binary.BigEndian.AppendUint32(images, uint32(n))
		}
		labels = binary.BigEndian.AppendUint32(labels, uint32(count))
		for i := range count {
			class, move, width := i%classes, i/classes%7-3, 3+i/classes%3
			labels = append(labels, byte(class))
			dy, dx := slope[class][0], slope[class][1]
			for y := range side {
				for x := range side {
					pixel := byte(16)
					if d := dy*(y-side/2-move) + dx*(x-side/2-move); d*d <= width*width*(dy*dy+dx*dx) {
						pixel = byte(255 - 8*(i/classes%4))
					}
					images = append(images, pixel)
				}
			}
		}
		files[prefix+"-images-idx3-ubyte.gz"], files[prefix+"-labels-idx1-ubyte.gz"] = images, labels
	}
	return files
}

// TestStripes makes sure that the files of the data set are those that stripes makes. With RCFREEZE_WRITE_STRIPES it writes them.
func TestStripes(t *testing.T) {
	for name, want := range stripes() {
		path := filepath.Join(stripesFolder, name)
		if os.Getenv("RCFREEZE_WRITE_STRIPES") != "" {
			var packed bytes.Buffer
			w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(want)
			w.Close()
			if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what stripes makes (%v)", path, err)
		}
	}
}
