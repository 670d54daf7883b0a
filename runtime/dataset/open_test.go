package dataset

import (
	"encoding/binary"
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/peer"
)

// channelsOf interleaves planar bytes in reverse: element i of the result is that of [H,W,C] seen as [C,H,W].
func channelsOf(data []byte, channels int) []byte {
	var out []byte
	for c := range channels {
		for i := c; i < len(data); i += channels {
			out = append(out, data[i])
		}
	}
	return out
}

func TestOpen(t *testing.T) {
	digits := numberNames(10)
	cifarNames := strings.Fields("airplane automobile bird cat deer dog frog horse ship truck")
	redPixels := slices.Concat(slices.Repeat([]byte{200}, 6), make([]byte, 12))
	bluePixels := slices.Concat(make([]byte, 12), slices.Repeat([]byte{100}, 6))
	pixels := map[int]string{2: "(2, 2, 3)", 3: "(2, 2, 3, 3)"}
	tests := []struct {
		name    string
		write   func(t testing.TB, dir string) (path string)
		options Options
		format  string
		classes []string
		shape   Shape
		labels  []int64
		last    []byte // pixels of the last sample
	}{
		{"idx", func(t testing.TB, dir string) string {
			writeIDX(t, dir, 4, 2, 3)
			return dir
		}, Options{Classes: 10}, "idx", digits, Shape{1, 2, 3}, []int64{0, 1, 2, 0}, counting(18, 6)},
		{"idx, dotted and gzipped, classes from the labels", func(t testing.TB, dir string) string {
			write(t, filepath.Join(dir, "t10k-images.idx3-ubyte.gz"), gzipped(idx(idxImages, []uint32{2, 2, 3}, counting(0, 12))))
			write(t, filepath.Join(dir, "t10k-labels-idx1-ubyte.gz"), idx(idxLabels, []uint32{2}, []byte{5, 1})) // unpacked, the name kept
			return dir
		}, Options{Split: Test}, "idx", numberNames(6), Shape{1, 2, 3}, []int64{5, 1}, counting(6, 6)},
		{"idx, resized", func(t testing.TB, dir string) string {
			write(t, filepath.Join(dir, "train-images-idx3-ubyte"), idx(idxImages, []uint32{2, 1, 2}, []byte{9, 9, 0, 200}))
			write(t, filepath.Join(dir, "train-labels-idx1-ubyte"), idx(idxLabels, []uint32{2}, []byte{0, 1}))
			return dir
		}, Options{Shape: Shape{0, 2, 4}, Resize: true}, "idx", digits[:2], Shape{1, 2, 4}, []int64{0, 1}, []byte{0, 50, 150, 200, 0, 50, 150, 200}},
		{"idx, the middle of a larger scaling", func(t testing.TB, dir string) string {
			write(t, filepath.Join(dir, "train-images-idx3-ubyte"), idx(idxImages, []uint32{2, 2, 2}, []byte{9, 9, 9, 9, 0, 200, 0, 200}))
			write(t, filepath.Join(dir, "train-labels-idx1-ubyte"), idx(idxLabels, []uint32{2}, []byte{0, 1}))
			return dir
		}, Options{Shape: Shape{0, 2, 2}, ShortSide: 4}, "idx", digits[:2], Shape{1, 2, 2}, []int64{0, 1}, []byte{50, 150, 50, 150}},
		{"cifar10 train", func(t testing.TB, dir string) string { writeCIFAR10(t, dir); return dir },
			Options{Classes: 10, Shape: Shape{3, 32, 32}}, "cifar10", cifarNames, Shape{3, 32, 32}, []int64{0, 9, 1, 8, 2, 7, 3, 6, 4, 5}, counting(1, 3072)},
		{"cifar10 test", func(t testing.TB, dir string) string { writeCIFAR10(t, dir); return dir },
			Options{Split: Test}, "cifar10", cifarNames, Shape{3, 32, 32}, []int64{3}, counting(0, 3072)},
		{"cifar100", func(t testing.TB, dir string) string { writeCIFAR100(t, dir); return dir },
			Options{}, "cifar100", numberNames(100), Shape{3, 32, 32}, []int64{99, 5}, counting(1, 3072)},
		{"npz [N,H,W]", func(t testing.TB, dir string) string {
			path := filepath.Join(dir, "set.npz")
			npz(t, path, map[string][]byte{"images": npy("|u1", pixels[2], counting(0, 12)), "labels": npy("<i8", "(2,)", slices.Concat([]byte{1}, make([]byte, 15)))})
			return path
		}, Options{}, "npz", []string{"0", "1"}, Shape{1, 2, 3}, []int64{1, 0}, counting(6, 6)},
		{"npz of whole numbers in more bytes, [N,1] labels", func(t testing.TB, dir string) string {
			path := filepath.Join(dir, "set.npz")
			npz(t, path, map[string][]byte{"train_images": npy("<i2", "(1, 1, 2)", []byte{255, 0, 7, 0}), "train_labels": npy("|u1", "(1, 1)", []byte{4})})
			return path
		}, Options{Classes: 5}, "npz", numberNames(5), Shape{1, 1, 2}, []int64{4}, []byte{255, 7}},
		{"npz of one class", func(t testing.TB, dir string) string {
			path := filepath.Join(dir, "SET.NPZ")
			npz(t, path, map[string][]byte{"IMAGES": npy("|u1", "(1, 1, 2)", []byte{3, 4}), "Labels": npy("|u1", "(1,)", []byte{0})})
			return path
		}, Options{}, "npz", []string{"0"}, Shape{1, 1, 2}, []int64{0}, []byte{3, 4}},
		{"npz by NumPy, [N,H,W,C]", func(testing.TB, string) string { return "testdata/numpy.npz" },
			Options{Classes: 10}, "npz", digits, Shape{3, 5, 6}, []int64{0, 1, 2, 0}, channelsOf(counting(270, 90), 3)},
		{"npz by NumPy, float32 [N,C,H,W]", func(testing.TB, string) string { return "testdata/numpy.npz" },
			Options{Split: Test}, "npz", digits[:2], Shape{3, 5, 6}, []int64{0, 1}, counting(90, 90)},
		{"svhn", func(t testing.TB, dir string) string { writeSVHN(t, dir); return dir },
			Options{Classes: 10, Shape: Shape{3, 32, 32}}, "svhn", digits, Shape{3, 32, 32}, []int64{1, 0, 9}, svhnPixels(2)},
		{"svhn, test, classes from the labels", func(t testing.TB, dir string) string { writeSVHN(t, dir); return dir },
			Options{Split: Test}, "svhn", digits[:1], Shape{3, 32, 32}, []int64{0}, svhnPixels(0)},
		{"a tar file", func(t testing.TB, dir string) string {
			writeShards(t, dir, map[string][]int{"set.tar": {2, 0, 2, 1}})
			return filepath.Join(dir, "set.tar")
		}, Options{Shape: Shape{3, 2, 3}}, "webdataset", numberNames(3), Shape{3, 2, 3}, []int64{2, 0, 2, 1}, bluePixels},
		{"tar files, for a model that names its classes", func(t testing.TB, dir string) string {
			writeShards(t, dir, map[string][]int{"train-0.tar": {2, 0}, "train-1.tar": {1}, "test-0.tar": {0}})
			return dir
		}, Options{Shape: Shape{3, 2, 3}, Classes: 3, ClassNames: []string{"ape", "bee", "cat"}}, "webdataset", []string{"ape", "bee", "cat"}, Shape{3, 2, 3}, []int64{2, 0, 1}, redPixels},
		{"image folder", func(t testing.TB, dir string) string { writeFolder(t, dir); return dir },
			Options{Shape: Shape{3, 2, 3}}, "imagefolder", []string{"10", "9", "cat"}, Shape{3, 2, 3}, []int64{0, 1, 1, 2}, bluePixels},
		{"image folder, test with the classes of train", func(t testing.TB, dir string) string { writeFolder(t, dir); return dir },
			Options{Split: Test, Shape: Shape{3, 2, 3}, Classes: 3}, "imagefolder", []string{"10", "9", "cat"}, Shape{3, 2, 3}, []int64{0, 2}, redPixels},
		{"image folder in gray, without splits, a class called train", func(t testing.TB, dir string) string {
			write(t, filepath.Join(dir, "train/x.jpg"), jpegFile(t, plain(8, 8, color.Gray{90})))
			write(t, filepath.Join(dir, "ship/x.jpeg"), jpegFile(t, plain(8, 8, color.Gray{40})))
			write(t, filepath.Join(dir, "train/y.png"), pngFile(t, plain(8, 8, color.NRGBA{200, 100, 50, 255}))) // 0.299 of red, 0.587, 0.114
			write(t, filepath.Join(dir, ".cache/x.txt"), nil)
			return dir
		}, Options{Shape: Shape{1, 2, 2}}, "imagefolder", []string{"ship", "train"}, Shape{1, 2, 2}, []int64{0, 1, 1}, []byte{124, 124, 124, 124}},
		{"image folder for a model of any number of channels", func(t testing.TB, dir string) string { writeFolder(t, dir); return dir },
			Options{Shape: Shape{0, 2, 3}}, "imagefolder", []string{"10", "9", "cat"}, Shape{3, 2, 3}, []int64{0, 1, 1, 2}, bluePixels},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := test.write(t, t.TempDir())
			d := mustOpen(t, path, test.options)
			test.options.Format = test.format
			if named := mustOpen(t, path, test.options); !slices.Equal(named.labels, d.labels) || named.Format != test.format {
				t.Errorf("with its format named: %s, labels %v", named.Format, named.labels)
			}
			if asRGB := strings.Contains(strings.Join(d.Notes, "\n"), "read as RGB, with 3"); asRGB != (test.format == "imagefolder" && test.options.Shape.Channels == 0) {
				t.Errorf("notes %q", d.Notes)
			}
			if d.Format != test.format || !slices.Equal(d.Classes, test.classes) || d.Shape != test.shape {
				t.Errorf("format %s, classes %v, shape %v; want %s, %v, %v", d.Format, d.Classes, d.Shape, test.format, test.classes, test.shape)
			}
			if inFiles := test.format == "imagefolder" || test.format == "webdataset"; d.Decodes() != inFiles {
				t.Errorf("decodes image files: %v", d.Decodes())
			}
			var labels []int64
			for i := range d.Len() {
				labels = append(labels, d.Label(i))
			}
			if !slices.Equal(labels, test.labels) {
				t.Errorf("labels %v, want %v", labels, test.labels)
			}
			got := make([]byte, d.Shape.Size())
			if err := d.Pixels(d.Len()-1, got); err != nil || !slices.Equal(got, test.last) {
				t.Errorf("last sample %v, error %v; want %v", got[:min(20, len(got))], err, test.last[:min(20, len(test.last))])
			}
		})
	}
}

func TestSplitAndNotes(t *testing.T) {
	dir := t.TempDir()
	writeFolder(t, dir)
	write(t, filepath.Join(dir, "train/9/old.webp"), nil)
	real := filepath.Join(dir, "real.npz")
	npz(t, real, map[string][]byte{"images": npy("<f4", "(1, 1, 1)", []byte{0, 0, 0x80, 0x3e}), "labels": npy("|u1", "(1,)", []byte{0})}) // 0.25
	tests := []struct {
		path      string
		split, is Split
		note      string
	}{
		{dir, Train, Train, "passed over 1 files"},
		{dir, Val, Val, "no images of 9"},
		{filepath.Join(dir, "val"), Train, All, ""},
		{real, Test, All, "rounded to 256 levels"},
		{"testdata/numpy.npz", Test, Test, ""},
		{"testdata/numpy.npz", Val, Test, ""},
	}
	for _, test := range tests {
		d := mustOpen(t, test.path, Options{Split: test.split, Shape: Shape{map[bool]int{true: 1, false: 3}[test.path == real], 0, 0}.or(Shape{0, 5, 6}), Resize: true})
		if d.Split != test.is {
			t.Errorf("%s %s: opened %s, want %s", test.path, test.split, d.Split, test.is)
		}
		if notes := fmt.Sprint(d.Notes); (test.note == "") != (len(d.Notes) == 0) || !strings.Contains(notes, test.note) {
			t.Errorf("%s %s: notes %s, want %q", test.path, test.split, notes, test.note)
		}
	}
}

// TestNPZTypes opens images and labels of every type of numbers: integers are pixels as they are, real numbers in [0,1] the share
// of 255 that they are, and labels are class numbers.
func TestNPZTypes(t *testing.T) {
	for dtype, encode := range map[string]func(v float64) any{
		"|u1": func(v float64) any { return uint8(v) },
		"|i1": func(v float64) any { return int8(min(v, 127)) },
		"<u2": func(v float64) any { return uint16(v) },
		"<i2": func(v float64) any { return int16(v) },
		"<u4": func(v float64) any { return uint32(v) },
		"<i4": func(v float64) any { return int32(v) },
		"<u8": func(v float64) any { return uint64(v) },
		"<i8": func(v float64) any { return int64(v) },
		"<f4": func(v float64) any { return float32(v) },
		"<f8": func(v float64) any { return v },
	} {
		isReal := strings.Contains(dtype, "f")
		var pixels, labels []byte
		var want []uint8
		for _, v := range []float64{255, 0, 1, 128, 127, 254} {
			if dtype == "|i1" {
				v = min(v, 127)
			}
			want = append(want, uint8(v))
			if isReal {
				v /= 255
			}
			pixels, _ = binary.Append(pixels, binary.LittleEndian, encode(v))
		}
		for _, v := range []float64{3, 0, 120} {
			labels, _ = binary.Append(labels, binary.LittleEndian, encode(v))
		}
		path := filepath.Join(t.TempDir(), "set.npz")
		npz(t, path, map[string][]byte{"images": npy(dtype, "(3, 1, 2)", pixels), "labels": npy(dtype, "(3,)", labels)})
		d := mustOpen(t, path, Options{})
		got := make([]uint8, 6)
		for i := range d.Len() {
			if err := d.Pixels(i, got[2*i:][:2]); err != nil {
				t.Errorf("%s: %v", dtype, err)
			}
		}
		if !slices.Equal(got, want) || !slices.Equal(d.labels, []int64{3, 0, 120}) || len(d.Notes) > 0 {
			t.Errorf("%s: pixels %v, labels %v, notes %q; want %v, labels 3, 0, 120", dtype, got, d.labels, d.Notes, want)
		}
		arrays, err := Arrays(path, Limits{})
		if err != nil || len(arrays) != 2 {
			t.Fatalf("%s: %d arrays, %v", dtype, len(arrays), err)
		}
		if numbers, err := arrays["labels"].Float64s(); err != nil || !slices.Equal(numbers, []float64{3, 0, 120}) {
			t.Errorf("%s: as an array the labels are %v, %v", dtype, numbers, err)
		}
	}
}

// TestNPZRounds opens arrays of real numbers between the 256 levels: each becomes the nearest.
func TestNPZRounds(t *testing.T) {
	const levels = 5
	var single, double []byte
	var want []uint8
	for i := range levels {
		for _, v := range []struct {
			at   float64
			near int
		}{{0, 0}, {0.4, 0}, {0.49, 0}, {0.51, 1}, {0.9, 1}, {0.999, 1}} {
			k := i * 254 / (levels - 1)
			x := (float64(k) + v.at) / 255
			single = binary.LittleEndian.AppendUint32(single, math.Float32bits(float32(x)))
			double = binary.LittleEndian.AppendUint64(double, math.Float64bits(x))
			want = append(want, uint8(k+v.near))
		}
	}
	for dtype, data := range map[string][]byte{"<f4": single, "<f8": double} {
		path := filepath.Join(t.TempDir(), "set.npz")
		npz(t, path, map[string][]byte{"images": npy(dtype, "(1, 5, 6)", data), "labels": npy("|u1", "(1,)", []byte{0})})
		got := make([]uint8, len(want))
		if err := mustOpen(t, path, Options{}).Pixels(0, got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: pixels %v (%v), want %v", dtype, got, err, want)
		}
	}
}

// TestFashionMNIST reads the real data set that Debian's dataset-fashion-mnist has.
func TestFashionMNIST(t *testing.T) {
	path := peer.FashionMNIST(t)
	for split, want := range map[Split]int{Train: 60000, Test: 10000} {
		d := mustOpen(t, path, Options{Split: split, Classes: 10})
		if d.Len() != want || d.Shape != (Shape{1, 28, 28}) {
			t.Errorf("%s: %d samples of %v, want %d of 1×28×28", split, d.Len(), d.Shape, want)
		}
		counts := make([]int, 10)
		for i := range d.Len() {
			counts[d.Label(i)]++
		}
		if slices.Min(counts) != want/10 || slices.Max(counts) != want/10 {
			t.Errorf("%s: samples per class %v, want %d each", split, counts, want/10)
		}
		if split == Train {
			got, err := MeanStd(t.Context(), d, 0)
			named, _ := NamedNormalization("fashion-mnist")
			if err != nil || !near(got.Mean, named.Mean, 1e-4) || !near(got.Std, named.Std, 1e-4) {
				t.Errorf("measured %v, error %v; the named normalization is %v", got, err, named)
			}
		}
	}
}
