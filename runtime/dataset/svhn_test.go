package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/peer"
)

// matElement returns an element of a MAT file: a tag, and the data, filled up to 8 bytes; or both in 8 bytes if the data are short.
func matElement(kind uint32, data []byte) []byte {
	if len(data) > 0 && len(data) <= 4 {
		out := binary.LittleEndian.AppendUint32(nil, uint32(len(data))<<16|kind)
		return append(append(out, data...), make([]byte, 4-len(data))...)
	}
	out := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, kind), uint32(len(data)))
	return append(append(out, data...), make([]byte, -len(data)&7)...)
}

// matArray returns a variable of a class, with its numbers as elements of the given type.
func matArray(name string, class byte, kind uint32, data []byte, dims ...int32) []byte {
	size, _ := binary.Append(nil, binary.LittleEndian, dims)
	return matElement(matMatrix, slices.Concat(matElement(matUint32, []byte{class, 0, 0, 0, 0, 0, 0, 0}), matElement(matInt32, size), matElement(matInt8, []byte(name)), matElement(kind, data)))
}

// matPacked compresses a variable, as save -v7 does. Such elements are not filled up.
func matPacked(variable []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	w.Write(variable)
	w.Close()
	head := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, matCompressed), uint32(out.Len()))
	return append(head, out.Bytes()...)
}

// matFile returns a file of variables.
func matFile(variables ...[]byte) []byte {
	header := make([]byte, 128)
	copy(header, "MATLAB 5.0 MAT-file")
	copy(header[124:], "\x00\x01IM")
	return append(header, slices.Concat(variables...)...)
}

const (
	matDouble = 9 // the type of numbers
	mxDouble  = 6 // classes of variables
	mxUint8   = 9
)

// svhnX returns images whose pixels count, column by column.
func svhnX(n int) []byte { return matArray("X", mxUint8, 2, counting(0, n*3072), 32, 32, 3, int32(n)) }

func svhnY(labels ...byte) []byte { return matArray("y", mxDouble, 2, labels, int32(len(labels)), 1) }

// writeSVHN writes three training images, of the digits 1, 0 and 9, in a compressed file, and one test image.
func writeSVHN(t testing.TB, folder string) {
	t.Helper()
	write(t, filepath.Join(folder, "train_32x32.mat"), matFile(matPacked(svhnX(3)), matPacked(svhnY(1, 10, 9))))
	write(t, filepath.Join(folder, "test_32x32.mat"), matFile(svhnX(1), svhnY(10)))
}

// svhnPixels returns what is image i of svhnX, row by row.
func svhnPixels(i int) []byte {
	out := make([]byte, 0, 3072)
	for c := range 3 {
		for y := range 32 {
			for x := range 32 {
				out = append(out, byte((i*3072+c*1024+x*32+y)%251))
			}
		}
	}
	return out
}

// TestSVHN opens files in the forms that programs write: compressed or not, labels as numbers of any type.
func TestSVHN(t *testing.T) {
	labels := func(kind uint32, numbers any, dims ...int32) []byte {
		data, _ := binary.Append(nil, binary.LittleEndian, numbers)
		return matArray("y", mxDouble, kind, data, dims...)
	}
	y := labels(matDouble, []float64{10, 1, 9}, 3, 1)
	text := matArray("made", 4, 4, []byte("h\x00i\x00"), 1, 2)
	for name, c := range map[string]struct {
		data   []byte
		labels []int64
	}{
		"plain":                 {matFile(svhnX(3), y), []int64{0, 1, 9}},
		"compressed":            {matFile(matPacked(svhnX(3)), matPacked(y)), []int64{0, 1, 9}},
		"labels first":          {matFile(y, matPacked(svhnX(3))), []int64{0, 1, 9}},
		"labels as bytes":       {matFile(svhnX(3), svhnY(10, 1, 9)), []int64{0, 1, 9}},
		"many labels as bytes":  {matFile(svhnX(7), svhnY(10, 1, 9, 2, 3, 4, 5)), []int64{0, 1, 9, 2, 3, 4, 5}},
		"labels as int32":       {matFile(svhnX(3), labels(5, []int32{10, 1, 9}, 3, 1)), []int64{0, 1, 9}},
		"labels as float32":     {matFile(svhnX(3), labels(7, []float32{10, 1, 9}, 3, 1)), []int64{0, 1, 9}},
		"labels in a row":       {matFile(svhnX(3), labels(3, []int16{10, 1, 9}, 1, 3)), []int64{0, 1, 9}},
		"one image":             {matFile(svhnX(1), svhnY(7)), []int64{7}},
		"one image, three dims": {matFile(matArray("X", mxUint8, 2, counting(0, 3072), 32, 32, 3), svhnY(7)), []int64{7}},
		"other variables":       {matFile(text, svhnX(3), matPacked(text), y), []int64{0, 1, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "test_32x32.mat"), c.data)
			d := mustOpen(t, dir, Options{Split: Test, Classes: 10})
			if d.Format != "svhn" || d.Shape != (Shape{3, 32, 32}) || !slices.Equal(d.labels, c.labels) {
				t.Fatalf("format %s, %v, labels %v; want %v", d.Format, d.Shape, d.labels, c.labels)
			}
			got := make([]byte, 3072)
			for i := range d.Len() {
				if err := d.Pixels(i, got); err != nil || !slices.Equal(got, svhnPixels(i)) {
					t.Errorf("image %d: %v (%v)", i, got[:40], err)
				}
			}
		})
	}
	dir := t.TempDir()
	writeSVHN(t, dir)
	write(t, filepath.Join(dir, svhnExtra), nil)
	if d := mustOpen(t, dir, Options{}); d.Split != Train || !strings.Contains(strings.Join(d.Notes, ""), "extra_32x32.mat is passed over") {
		t.Errorf("opened %s with the notes %q", d.Split, d.Notes)
	}
	if d := mustOpen(t, dir, Options{Split: Val}); d.Split != Test || len(d.Notes) > 0 {
		t.Errorf("opened %s with the notes %q", d.Split, d.Notes)
	}
}

// TestSciPy opens files that SciPy writes, compressed and not.
func TestSciPy(t *testing.T) {
	python := peer.Python(t, "numpy", "scipy.io")
	dir := t.TempDir()
	for _, compress := range []string{"False", "True"} {
		script := `import numpy, scipy.io, sys
n = 40
x = (numpy.arange(n * 3072) % 251).astype("uint8").reshape((32, 32, 3, n), order="F")
y = (numpy.arange(n) % 10 + 1).reshape(n, 1)
scipy.io.savemat(sys.argv[1], {"X": x, "y": y}, do_compression=` + compress + `)`
		path := filepath.Join(dir, "train_32x32.mat")
		if out, err := exec.Command(python, "-c", script, path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		d := mustOpen(t, dir, Options{})
		got := make([]byte, 3072)
		for i := range 40 {
			if err := d.Pixels(i, got); err != nil || !slices.Equal(got, svhnPixels(i)) || d.Label(i) != int64(i+1)%10 {
				t.Errorf("compressed %s: image %d differs, or its label %d (%v)", compress, i, d.Label(i), err)
			}
		}
		os.Remove(path)
	}
}
