package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func TestBadInput(t *testing.T) {
	rgb := Options{Shape: Shape{3, 2, 2}}
	folder := func(t testing.TB, dir string) { writeFolder(t, dir) }
	oneNPZ := func(images, labels []byte) func(t testing.TB, dir string) {
		return func(t testing.TB, dir string) {
			npz(t, filepath.Join(dir, "set.npz"), map[string][]byte{"images": images, "labels": labels})
		}
	}
	goodLabels := npy("|u1", "(2,)", []byte{0, 1})
	tests := []struct {
		name    string
		write   func(t testing.TB, dir string)
		file    string // path to open, in the folder
		options Options
		want    []string // in the message
	}{
		{"no such path", nil, "none", Options{}, []string{"none", "no such file"}},
		{"nothing known", func(t testing.TB, dir string) { write(t, dir+"/a.txt", nil) }, "", Options{}, []string{"no known format", "data_batch_1.bin", "idx3", ".npz", "one folder of PNG"}},
		{"unknown format", nil, "", Options{Format: "tfrecord"}, []string{`"tfrecord"`, "auto, idx, cifar10"}},
		{"unknown split", nil, "", Options{Split: "all"}, []string{`"all"`, "train", "val", "test"}},
		{"negative shape", nil, "", Options{Shape: Shape{3, -1, 2}}, []string{"3×-1×2"}},
		{"two formats", func(t testing.TB, dir string) { writeIDX(t, dir, 1, 1, 1); writeCIFAR100(t, dir) }, "", Options{}, []string{"several", "idx, cifar100"}},

		{"all missing files", func(t testing.TB, dir string) { write(t, dir+"/data_batch_1.bin", cifarRecords(1, 1)) }, "", Options{},
			[]string{"batches.meta.txt, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin"}},
		{"missing labels", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			os.Remove(dir + "/train-labels-idx1-ubyte")
		}, "", Options{}, []string{"missing", "train-labels-idx1-ubyte"}},
		{"wrong magic", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-images-idx3-ubyte", idx(idxLabels, []uint32{2, 2, 2}, make([]byte, 8)))
		}, "", Options{}, []string{"train-images-idx3-ubyte", "0x00000801", "0x00000803"}},
		{"wrong magic of labels", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-labels-idx1-ubyte", idx(idxImages, []uint32{2, 1, 1}, make([]byte, 2)))
		}, "", Options{}, []string{"train-labels-idx1-ubyte", "0x00000803", "0x00000801"}},
		{"idx header cut short", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-images-idx3-ubyte", idx(idxImages, []uint32{2}, nil))
		}, "", Options{}, []string{"train-images-idx3-ubyte", "header is cut short"}},
		{"idx data cut short", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-images-idx3-ubyte", idx(idxImages, []uint32{2, 2, 2}, make([]byte, 7)))
		}, "", Options{}, []string{"train-images-idx3-ubyte", "promises 8 bytes", "has 7"}},
		{"idx data too long", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-images-idx3-ubyte", idx(idxImages, []uint32{2, 2, 2}, make([]byte, 9)))
		}, "", Options{}, []string{"longer than the 8 bytes"}},
		{"idx header asks for terabytes", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-images-idx3-ubyte", idx(idxImages, []uint32{1 << 20, 1 << 10, 1 << 9}, make([]byte, 8)))
		}, "", Options{}, []string{"promises 549755813888 bytes", "has 8"}},
		{"idx header overflows", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-images-idx3-ubyte", idx(idxImages, []uint32{1 << 31, 1 << 31, 1 << 31}, make([]byte, 8)))
		}, "", Options{}, []string{"impossible dims"}},
		{"idx without samples", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-images-idx3-ubyte", idx(idxImages, []uint32{0, 2, 2}, nil))
		}, "", Options{}, []string{"impossible dims [0 2 2]"}},
		{"gzip cut short", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			data := gzipped(idx(idxImages, []uint32{2, 2, 2}, make([]byte, 8)))
			write(t, dir+"/train-images-idx3-ubyte", data[:len(data)-9])
		}, "", Options{}, []string{"train-images-idx3-ubyte", "unexpected EOF"}},
		{"images and labels differ in number", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			write(t, dir+"/train-labels-idx1-ubyte", idx(idxLabels, []uint32{3}, make([]byte, 3)))
		}, "", Options{}, []string{"2 images", "3 labels", "train-labels-idx1-ubyte"}},
		{"idx labels outside the classes", func(t testing.TB, dir string) { writeIDX(t, dir, 30, 1, 1) }, "", Options{Classes: 2},
			[]string{"10 of 30 samples", "2 classes (0 to 1)", "sample 2: label 2", "sample 14: label 2", "…"}},

		{"cifar cut short", func(t testing.TB, dir string) {
			writeCIFAR10(t, dir)
			write(t, dir+"/data_batch_3.bin", make([]byte, 3072))
		}, "", Options{}, []string{"data_batch_3.bin", "3072 bytes", "3073"}},
		{"cifar file without a byte", func(t testing.TB, dir string) {
			writeCIFAR10(t, dir)
			write(t, dir+"/data_batch_3.bin", nil)
		}, "", Options{}, []string{"data_batch_3.bin", "0 bytes", "3073"}},
		{"npz of images alone", func(t testing.TB, dir string) {
			npz(t, filepath.Join(dir, "set.npz"), map[string][]byte{"images": npy("|u1", "(2, 2, 2)", make([]byte, 8))})
		}, "set.npz", Options{}, []string{"no arrays of the train split", "has images"}},
		{"npz of labels alone", func(t testing.TB, dir string) {
			npz(t, filepath.Join(dir, "set.npz"), map[string][]byte{"labels": goodLabels})
		}, "set.npz", Options{}, []string{"no arrays of the train split", "has labels"}},
		{"npz of training images alone", func(t testing.TB, dir string) {
			npz(t, filepath.Join(dir, "set.npz"), map[string][]byte{"x_train": npy("|u1", "(2, 2, 2)", make([]byte, 8)), "y_test": goodLabels})
		}, "set.npz", Options{}, []string{"no arrays of the train split", "has x_train, y_test"}},
		{"npy of five bytes", oneNPZ([]byte("\x93NUMP"), goodLabels), "set.npz", Options{}, []string{"images", "header is cut short"}},
		{"npy without the header's length", oneNPZ([]byte("\x93NUMPY\x01\x00\x09"), goodLabels), "set.npz", Options{}, []string{"images", "header is cut short"}},
		{"npy without its header", oneNPZ([]byte("\x93NUMPY\x01\x00\x09\x00{"), goodLabels), "set.npz", Options{}, []string{"images", "header is cut short"}},
		{"cifar label outside the classes", func(t testing.TB, dir string) {
			writeCIFAR10(t, dir)
			write(t, dir+"/data_batch_5.bin", cifarRecords(1, 1, 10))
		}, "", Options{}, []string{"1 of 10 samples", "data_batch_5.bin, sample 1: label 10"}},
		{"cifar class names", func(t testing.TB, dir string) {
			writeCIFAR10(t, dir)
			write(t, dir+"/batches.meta.txt", []byte("a\nb"))
		}, "", Options{},
			[]string{"batches.meta.txt", "2 class names, needs 10"}},
		{"model with other classes", func(t testing.TB, dir string) { writeCIFAR10(t, dir) }, "", Options{Classes: 1000}, []string{"10 classes", "1000", "--num-classes 10"}},
		{"model of another size", func(t testing.TB, dir string) { writeCIFAR10(t, dir) }, "", Options{Shape: Shape{3, 28, 24}}, []string{"28×24", "32×32", "--resize"}},
		{"model with other channels and size", func(t testing.TB, dir string) { writeIDX(t, dir, 1, 28, 28) }, "", Options{Shape: Shape{3, 32, 32}},
			[]string{"3-channel images, the data set has 1-channel images", "--resize"}},
		{"short side too short", func(t testing.TB, dir string) { writeCIFAR10(t, dir) }, "", Options{Shape: Shape{3, 16, 16}, Resize: true, ShortSide: 12}, []string{"12×12", "16×16", "larger short side"}},

		{"class folders without images", func(t testing.TB, dir string) {
			writeFolder(t, dir)
			os.MkdirAll(dir+"/train/dog", 0o755)
			write(t, dir+"/train/emu/x.txt", nil)
		}, "", rgb, []string{"train/dog", "train/emu", "without a PNG or JPEG"}},
		{"a class folder without images", func(t testing.TB, dir string) {
			writeFolder(t, dir)
			write(t, dir+"/train/emu/x.txt", nil)
		}, "", rgb, []string{"train/emu", "without a PNG or JPEG"}},
		{"folders without images", func(t testing.TB, dir string) { write(t, dir+"/emu/x.txt", nil); write(t, dir+"/ape/near/x.txt", nil) }, "", rgb, []string{"no known format"}},
		{"image folder without folders", func(t testing.TB, dir string) { write(t, dir+"/x.png", nil) }, "", Options{Format: "imagefolder", Shape: rgb.Shape}, []string{"no samples"}},
		{"class that train lacks", func(t testing.TB, dir string) {
			writeFolder(t, dir)
			write(t, dir+"/val/zebra/x.png", nil)
		}, "", Options{Split: Test, Shape: rgb.Shape}, []string{"zebra", "train"}},
		{"no such split", func(t testing.TB, dir string) { writeFolder(t, dir); os.RemoveAll(dir + "/val") }, "", Options{Split: Test, Shape: rgb.Shape}, []string{"no test split", "which has train", "test or testing"}},
		{"folder with four channels", folder, "", Options{Shape: Shape{4, 2, 2}}, []string{"not 4"}},
		{"folder without a size", folder, "", Options{Shape: Shape{3, 0, 0}}, []string{"may differ in size"}},
		{"folder without a height", folder, "", Options{Shape: Shape{3, 0, 2}}, []string{"may differ in size"}},
		{"folder without a width", folder, "", Options{Shape: Shape{3, 2, 0}}, []string{"may differ in size"}},
		{"one wide image to cut out, too low", func(t testing.TB, dir string) { writeIDX(t, dir, 1, 4, 8) }, "", Options{Shape: Shape{1, 6, 6}, ShortSide: 5}, []string{"is 5×10", "6×6"}},
		{"one high image to cut out, too narrow", func(t testing.TB, dir string) { writeIDX(t, dir, 1, 8, 4) }, "", Options{Shape: Shape{1, 6, 6}, ShortSide: 5}, []string{"is 10×5", "6×6"}},

		{"not an archive", func(t testing.TB, dir string) { write(t, dir+"/set.npz", []byte("hello")) }, "set.npz", Options{}, []string{"set.npz", "zip"}},
		{"other arrays", func(t testing.TB, dir string) {
			npz(t, dir+"/set.npz", map[string][]byte{"x_train": goodLabels, "y_train": goodLabels})
		}, "set.npz", Options{Split: Test}, []string{"x_test with y_test", "images with labels", "has x_train, y_train"}},
		{"npz rank", oneNPZ(npy("|u1", "(2, 3)", make([]byte, 6)), goodLabels), "set.npz", Options{}, []string{"images", "[2 3]", "[N H W]"}},
		{"npz channels either way", oneNPZ(npy("|u1", "(2, 3, 1, 3)", make([]byte, 18)), goodLabels), "set.npz", Options{}, []string{"[2 3 1 3]", "equally long"}},
		{"npz out of [0,1]", oneNPZ(npy("<f8", "(2, 1, 1)", slices.Concat(make([]byte, 8), []byte{0, 0, 0, 0, 0, 0, 0x08, 0x40})), goodLabels), "set.npz", Options{}, []string{"sample 1 has the value 3", "[0,1]"}},
		{"npz not a number", oneNPZ(npy("<f4", "(2, 1, 1)", []byte{0, 0, 0xc0, 0x7f, 0, 0, 0, 0}), goodLabels), "set.npz", Options{}, []string{"sample 0 has the value NaN"}},
		{"npz out of 255", oneNPZ(npy("<i2", "(2, 1, 1)", []byte{0, 1, 0, 0}), goodLabels), "set.npz", Options{}, []string{"the value 256", "0 to 255"}},
		{"npz cut short", oneNPZ(npy("|u1", "(2, 2, 2)", make([]byte, 5)), goodLabels), "set.npz", Options{}, []string{"array images", "promises 8 bytes", "has 5"}},
		{"npz labels cut short", oneNPZ(npy("|u1", "(2, 1, 1)", make([]byte, 2)), npy("|u1", "(2,)", []byte{1})), "set.npz", Options{}, []string{"array labels"}},
		{"npz one-hot", oneNPZ(npy("|u1", "(2, 1, 1)", make([]byte, 2)), npy("|u1", "(2, 10)", make([]byte, 20))), "set.npz", Options{}, []string{"labels", "[2 10]", "argmax"}},
		{"npz numbers differ", oneNPZ(npy("|u1", "(3, 1, 1)", make([]byte, 3)), goodLabels), "set.npz", Options{}, []string{"3 images", "2 labels"}},
		{"npz real label", oneNPZ(npy("|u1", "(1, 1, 1)", make([]byte, 1)), npy("<f4", "(1,)", []byte{0, 0, 0x80, 0x3e})), "set.npz", Options{}, []string{"label 0 is 0.25"}},
		{"npz negative label", oneNPZ(npy("|u1", "(1, 1, 1)", make([]byte, 1)), npy("|i1", "(1,)", []byte{0xff})), "set.npz", Options{}, []string{"array images, sample 0: label -1"}},
		{"npz type", oneNPZ(npy("<c8", "(2, 1, 1)", make([]byte, 16)), goodLabels), "set.npz", Options{}, []string{`"<c8"`, "<f4", "|u1"}},
		{"npz order", oneNPZ(bytes.Replace(npy("|u1", "(2, 1, 1)", make([]byte, 2)), []byte("False"), []byte("True"), 1), goodLabels), "set.npz", Options{}, []string{"ascontiguousarray"}},
		{"npz shape", oneNPZ(npy("|u1", "(2, x)", make([]byte, 2)), goodLabels), "set.npz", Options{}, []string{"(2, x)"}},
		{"npz without shape", oneNPZ(bytes.Replace(goodLabels, []byte("shape"), []byte("sharp"), 1), goodLabels), "set.npz", Options{}, []string{"does not describe"}},
		{"npz header size", oneNPZ([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), goodLabels), "set.npz", Options{}, []string{"header of 4294967295 bytes"}},
		{"not a npy", oneNPZ([]byte("hello, world"), goodLabels), "set.npz", Options{}, []string{"not a NumPy array"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.write != nil {
				test.write(t, dir)
			}
			_, err := Open(filepath.Join(dir, test.file), test.options)
			if err == nil {
				t.Fatal("opened without an error")
			}
			for _, want := range test.want {
				if !strings.Contains(filepath.ToSlash(err.Error()), want) {
					t.Errorf("%q is not in the message:\n%v", want, err)
				}
			}
		})
	}
}

func TestBadImage(t *testing.T) {
	whole, photo := pngFile(t, plain(9, 9, color.White)), jpegFile(t, plain(9, 9, color.White))
	huge := slices.Clone(whole)
	copy(huge[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65536 × 65536
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"not an image":     {[]byte("hello"), "not a PNG or JPEG"},
		"cut short":        {whole[:len(whole)-20], "decoding a PNG image"},
		"claims too much":  {huge, "65536×65536"},
		"a JPEG cut short": {photo[:len(photo)-20], "decoding a JPEG image: the file ends too early"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "cat", "x.png")
		write(t, path, test.data)
		d := mustOpen(t, dir, Options{Shape: Shape{1, 4, 4}, AnyClasses: true})
		err := d.Pixels(0, make([]uint8, 16))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q and %q in it", name, err, test.want, path)
		}
	}
}
