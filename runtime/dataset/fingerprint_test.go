package dataset

import (
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFingerprint writes a data set of each format twice, into two folders: the fingerprints agree. Then it changes something
// about the second, a pixel that is not tasted included: they no longer do.
func TestFingerprint(t *testing.T) {
	patch := func(name string, change func([]byte) []byte) func(t *testing.T, folder string, o *Options) {
		return func(t *testing.T, folder string, o *Options) {
			path := filepath.Join(folder, name)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, change(data))
		}
	}
	bump := func(fromEnd int) func([]byte) []byte {
		return func(data []byte) []byte { data[len(data)-fromEnd]++; return data }
	}
	repaint := func(data []byte) []byte { // to a file of the same size
		other := pngFile(t, plain(5, 7, color.NRGBA{9, 9, 9, 255}))
		if len(other) > len(data) {
			t.Fatalf("a picture of %d bytes cannot be one of %d", len(other), len(data))
		}
		return append(other, make([]byte, len(data)-len(other))...)
	}
	rename := func(from, to string) func(t *testing.T, folder string, o *Options) {
		return func(t *testing.T, folder string, o *Options) {
			if err := os.Rename(filepath.Join(folder, from), filepath.Join(folder, to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	option := func(change func(o *Options)) func(t *testing.T, folder string, o *Options) {
		return func(_ *testing.T, _ string, o *Options) { change(o) }
	}
	writeNPZ := func(last byte) func(t *testing.T, folder string) {
		return func(t *testing.T, folder string) {
			npz(t, filepath.Join(folder, "data.npz"), map[string][]byte{
				"images": npy("|u1", "(40, 2, 2)", append(make([]byte, 159), last)), "labels": npy("|u1", "(40,)", make([]byte, 40)),
			})
		}
	}
	folders := Options{Shape: Shape{3, 4, 4}}
	picture := string(pngFile(t, plain(5, 7, red))) + "1234"
	for name, c := range map[string]struct {
		write  func(t *testing.T, folder string)
		path   string
		o      Options
		change func(t *testing.T, folder string, o *Options)
	}{
		"idx, a pixel":      {func(t *testing.T, f string) { writeIDX(t, f, 100, 3, 3) }, "", Options{}, patch("train-images-idx3-ubyte", bump(3*9))},
		"idx, a label":      {func(t *testing.T, f string) { writeIDX(t, f, 100, 3, 3) }, "", Options{}, patch("train-labels-idx1-ubyte", func(b []byte) []byte { b[len(b)-1] = 2; return b })},
		"idx, more classes": {func(t *testing.T, f string) { writeIDX(t, f, 100, 3, 3) }, "", Options{}, option(func(o *Options) { o.Classes = 5 })},
		"idx, resized":      {func(t *testing.T, f string) { writeIDX(t, f, 20, 8, 8) }, "", Options{Shape: Shape{1, 4, 4}, Resize: true}, option(func(o *Options) { o.ShortSide = 6 })},
		"cifar10, a pixel":  {func(t *testing.T, f string) { writeCIFAR10(t, f) }, "", Options{}, patch("data_batch_3.bin", bump(1))},
		"cifar10, far behind": {func(t *testing.T, f string) {
			writeCIFAR10(t, f)
			write(t, f+"/data_batch_3.bin", cifarRecords(1, make([]byte, 100)...))
		}, "", Options{}, patch("data_batch_3.bin", bump(30*3073+5))},
		"cifar10, a name":   {func(t *testing.T, f string) { writeCIFAR10(t, f) }, "", Options{}, patch("batches.meta.txt", func(b []byte) []byte { b[0] = 'b'; return b })},
		"cifar100, a label": {func(t *testing.T, f string) { writeCIFAR100(t, f) }, "", Options{}, patch("train.bin", func(b []byte) []byte { b[1] = 3; return b })},
		"svhn, a pixel": {func(t *testing.T, f string) { writeSVHN(t, f) }, "", Options{}, func(t *testing.T, f string, _ *Options) {
			write(t, f+"/train_32x32.mat", matFile(matArray("X", mxUint8, 2, counting(1, 3*3072), 32, 32, 3, 3), svhnY(1, 10, 9)))
		}},
		"npz, a pixel":     {writeNPZ(1), "data.npz", Options{}, func(t *testing.T, f string, _ *Options) { writeNPZ(2)(t, f) }},
		"shards, a label":  {func(t *testing.T, f string) { writeShards(t, f, map[string][]int{"a.tar": {0, 1}}) }, "", folders, func(t *testing.T, f string, _ *Options) { writeShards(t, f, map[string][]int{"a.tar": {0, 2}}) }},
		"shards, a shard":  {func(t *testing.T, f string) { writeShards(t, f, map[string][]int{"a.tar": {0, 1}}) }, "", folders, rename("a.tar", "b.tar")},
		"shards, an entry": {func(t *testing.T, f string) { write(t, f+"/a.tar", tarOf("a.png", picture, "a.cls", "0")) }, "a.tar", folders, func(t *testing.T, f string, _ *Options) { write(t, f+"/a.tar", tarOf("b.png", picture, "b.cls", "0")) }},
		"shards, a size": {func(t *testing.T, f string) { write(t, f+"/a.tar", tarOf("a.png", picture, "a.cls", "0")) }, "a.tar", folders, func(t *testing.T, f string, _ *Options) {
			write(t, f+"/a.tar", tarOf("a.png", picture+"x", "a.cls", "0"))
		}},
		"shards, pixels": {func(t *testing.T, f string) { write(t, f+"/a.tar", tarOf("a.png", picture, "a.cls", "0")) }, "a.tar", folders, func(t *testing.T, f string, _ *Options) {
			write(t, f+"/a.tar", tarOf("a.png", string(repaint([]byte(picture))), "a.cls", "0"))
		}},
		"folders, a file":     {func(t *testing.T, f string) { writeFolder(t, f) }, "", folders, rename("train/9/b.PNG", "train/9/g.png")},
		"folders, a size":     {func(t *testing.T, f string) { writeFolder(t, f) }, "", folders, patch("train/9/b.PNG", func(b []byte) []byte { return append(b, 0) })},
		"folders, pixels":     {func(t *testing.T, f string) { writeFolder(t, f) }, "", folders, patch("train/9/b.PNG", repaint)},
		"folders, last image": {func(t *testing.T, f string) { writeFolder(t, f) }, "", folders, patch("train/cat/d.png", repaint)},
		"folders, a class":    {func(t *testing.T, f string) { writeFolder(t, f) }, "", folders, rename("train/cat", "train/dog")},
		"folders, image size": {func(t *testing.T, f string) { writeFolder(t, f) }, "", folders, option(func(o *Options) { o.Shape = Shape{3, 5, 5} })},
	} {
		t.Run(name, func(t *testing.T) {
			fingerprint := func(folder string, o Options) string {
				s, err := mustOpen(t, filepath.Join(folder, c.path), o).Fingerprint()
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			one, other := t.TempDir(), t.TempDir()
			c.write(t, one)
			c.write(t, other)
			first := fingerprint(one, c.o)
			if fingerprint(other, c.o) != first {
				t.Error("the same data in another folder has another fingerprint")
			}
			o := c.o
			c.change(t, other, &o)
			if fingerprint(other, o) == first {
				t.Error("other data have the same fingerprint")
			}
		})
	}
}

// TestFingerprintErrors has data sets of which something cannot be read: the error names the file.
func TestFingerprintErrors(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"gone":    os.Remove,
		"damaged": func(path string) error { return os.Truncate(path, 40) },
	} {
		folder := t.TempDir()
		writeTree(t, folder, "a", "b")
		d := mustOpen(t, folder, Options{Shape: Shape{3, 2, 2}})
		path := filepath.Join(folder, "b", "x.png")
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Fingerprint(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "identifying the data set "+folder) {
			t.Errorf("%s: error %v, want one that names %s", name, err, path)
		}
	}
}
