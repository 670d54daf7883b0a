package dataset

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tests write small files of each format by hand, so that reader and writer share nothing.

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// counting returns n bytes, byte i is start+i modulo 251, a prime, so that no two samples are alike.
func counting(start, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte((start + i) % 251)
	}
	return out
}

func idx(magic uint32, dims []uint32, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	return append(out, data...)
}

func gzipped(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(data)
	w.Close()
	return out.Bytes()
}

// cifarRecords returns records with the given labels; the image of record i counts from i.
func cifarRecords(labelBytes int, labels ...byte) []byte {
	var out []byte
	for i, label := range labels {
		out = append(out, bytes.Repeat([]byte{77}, labelBytes-1)...)
		out = append(append(out, label), counting(i, 3072)...)
	}
	return out
}

func npy(dtype, shape string, data []byte) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", dtype, shape)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(out, header...), data...)
}

func npz(t testing.TB, path string, arrays map[string][]byte) {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, data := range arrays {
		f, err := w.Create(name + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		f.Write(data)
	}
	w.Close()
	write(t, path, out.Bytes())
}

func pngFile(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func jpegFile(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func plain(height, width int, c color.Color) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, c)
		}
	}
	return img
}

// writeIDX writes a train split of samples images, whose labels are 0, 1, 2, 0, …
func writeIDX(t testing.TB, folder string, samples, height, width int) {
	t.Helper()
	labels := make([]byte, samples)
	for i := range labels {
		labels[i] = byte(i % 3)
	}
	n := uint32(samples)
	write(t, filepath.Join(folder, "train-images-idx3-ubyte"),
		idx(idxImages, []uint32{n, uint32(height), uint32(width)}, counting(0, samples*height*width)))
	write(t, filepath.Join(folder, "train-labels-idx1-ubyte"), idx(idxLabels, []uint32{n}, labels))
}

// writeCIFAR10 writes both splits: two samples in each of five files, and one.
func writeCIFAR10(t testing.TB, folder string) {
	t.Helper()
	write(t, filepath.Join(folder, "batches.meta.txt"), []byte("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"))
	for i := range 5 {
		write(t, filepath.Join(folder, fmt.Sprintf("data_batch_%d.bin", i+1)), cifarRecords(1, byte(i), byte(9-i)))
	}
	write(t, filepath.Join(folder, "test_batch.bin"), cifarRecords(1, 3))
}

func writeCIFAR100(t testing.TB, folder string) {
	t.Helper()
	write(t, filepath.Join(folder, "fine_label_names.txt"), []byte(strings.Join(numberNames(100), "\n")))
	write(t, filepath.Join(folder, "train.bin"), cifarRecords(2, 99, 5))
	write(t, filepath.Join(folder, "test.bin"), cifarRecords(2, 7))
}

var (
	red  = color.NRGBA{200, 0, 0, 255}
	blue = color.NRGBA{0, 0, 100, 255}
)

// writeFolder writes train with classes "10" (1 image), "9" (2), "cat" (1), and val without "9".
func writeFolder(t testing.TB, folder string) {
	t.Helper()
	for name, c := range map[string]color.Color{
		"train/10/a.png": red, "train/9/b.PNG": blue, "train/9/deep/c.png": red, "train/cat/d.png": blue,
		"val/10/e.png": blue, "val/cat/f.png": red,
	} {
		write(t, filepath.Join(folder, name), pngFile(t, plain(5, 7, c)))
	}
}

func mustOpen(t testing.TB, path string, o Options) *Dataset {
	t.Helper()
	d, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
