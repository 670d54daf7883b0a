package dataset

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBadInput(t *testing.T) {
	rgb := Options{Shape: Shape{3, 2, 2}}
	folder := func(t testing.TB, dir string) { writeFolder(t, dir) }
	oneNPZ := func(images, labels []byte) func(t testing.TB, dir string) {
		return func(t testing.TB, dir string) {
			npz(t, filepath.Join(dir, "set.npz"), map[string][]byte{"images": images, "labels": labels})
		}
	}
	shard := func(data []byte) func(t testing.TB, dir string) {
		return func(t testing.TB, dir string) { write(t, dir+"/set.tar", data) }
	}
	mat := func(data []byte) func(t testing.TB, dir string) {
		return func(t testing.TB, dir string) { write(t, dir+"/train_32x32.mat", data) }
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
		{"folders without images", func(t testing.TB, dir string) { write(t, dir+"/emu/x.txt", nil); write(t, dir+"/ape/near/x.txt", nil) }, "", rgb,
			[]string{"if these are folders of classes, they hold no PNG or JPEG file (.png, .jpg, .jpeg): ", "/ape/near, ", "/emu\n", "no known format"}},
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

		{"mat of nothing", mat(nil), "", Options{}, []string{"train_32x32.mat", "the header is cut short"}},
		{"no mat", mat(bytes.Repeat([]byte("hello"), 100)), "", Options{}, []string{"train_32x32.mat", "no MAT file of version 5"}},
		{"mat of version 7.3", mat(matHeader("\x00\x02IM")), "", Options{}, []string{"version 7.3", "save -v7"}},
		{"mat of another version", mat(matHeader("\x00\x03IM")), "", Options{}, []string{"version 0x0300"}},
		{"mat of the other order", mat(matHeader("\x01\x00MI")), "", Options{}, []string{"highest byte first"}},
		{"mat without variables", mat(matFile()), "", Options{}, []string{"there is no variable X", "there is no variable y"}},
		{"mat with a tag cut short", mat(matFile(svhnX(1), []byte("1234567"))), "", Options{}, []string{"tag of an element is cut short"}},
		{"mat cut short", mat(matFile(svhnY(1), svhnX(1)[:2000])), "", Options{}, []string{"promises 3128 bytes", "has 1992"}},
		{"mat that is no zlib", mat(matFile(matElement(matCompressed, []byte("hello world")))), "", Options{}, []string{"variable 1", "zlib"}},
		{"mat with compressed data cut short", mat(matFile(matCut(matPacked(svhnX(1)), 9), svhnY(1))), "", Options{}, []string{"train_32x32.mat", `"X"`, "unexpected EOF"}},
		{"mat with a wrong checksum", mat(matFile(matFlip(matPacked(svhnX(1))), svhnY(1))), "", Options{}, []string{`"X"`, "checksum"}},
		{"mat of many variables", mat(matFile(bytes.Repeat(svhnY(1), 17))), "", Options{}, []string{"more than 16 variables"}},
		{"mat with another element", mat(matFile(matElement(9, make([]byte, 8)))), "", Options{}, []string{"an element of type 9, needs an array (14)"}},
		{"mat with an array in a tag", mat(matFile(matElement(matMatrix, []byte("abc")))), "", Options{}, []string{"an element of type 14"}},
		{"mat with a long tag", mat(matFile([]byte("\x0e\x00\x05\x00abcd"))), "", Options{}, []string{"claims 5 bytes of data in itself"}},
		{"mat with short flags", mat(matFile(matElement(matMatrix, matElement(matUint32, []byte("abcd"))))), "", Options{}, []string{"flags of 4 bytes, needs 8"}},
		{"mat with other flags", mat(matFile(matElement(matMatrix, matElement(matInt32, make([]byte, 8))))), "", Options{}, []string{"flags of type 5 and 8 bytes"}},
		{"mat with many dims", mat(matFile(matArray("X", mxUint8, 2, nil, make([]int32, 40)...))), "", Options{}, []string{"dims of type 5 and 160 bytes"}},
		{"mat with dims below 0", mat(matFile(matArray("X", mxUint8, 2, make([]byte, 3072), 32, 32, -3, -1))), "", Options{}, []string{`"X"`, "impossible dims [32 32 -3 -1]"}},
		{"mat with a long name", mat(matFile(matArray(strings.Repeat("X", 2000), mxUint8, 2, make([]byte, 8), 8, 1))), "", Options{}, []string{"name of type 1 and 2000 bytes"}},
		{"mat with fewer numbers", mat(matFile(matArray("X", mxUint8, 2, make([]byte, 3071), 32, 32, 3, 1), svhnY(1))), "", Options{}, []string{`"X"`, "has 3072 bytes, not 3071"}},
		{"mat with numbers of no type", mat(matFile(matArray("X", mxUint8, 16, make([]byte, 3072), 32, 32, 3, 1), svhnY(1))), "", Options{}, []string{`"X"`, "unknown type 16"}},
		{"mat with numbers that end early", mat(matFile(matSize(svhnX(1), -800))), "", Options{}, []string{`"X"`, "promises 3072 bytes", "has 2272"}},
		{"mat with more behind the numbers", mat(matFile(matElement(matMatrix, append(svhnX(1)[8:], make([]byte, 8)...)), svhnY(1))), "", Options{}, []string{`"X"`, "longer than the 3072 bytes"}},
		{"mat with more behind a compressed variable", mat(matFile(matPacked(append(svhnX(1), 0)), svhnY(1))), "", Options{}, []string{`"X"`, "1 bytes after its numbers, needs 0"}},
		{"mat without labels", mat(matFile(svhnX(1))), "", Options{}, []string{"there is no variable y, but X"}},
		{"mat with text as labels", mat(matFile(svhnX(1), matArray("y", 4, 4, []byte("1\x00"), 1, 1))), "", Options{}, []string{"y is no array of real numbers"}},
		{"mat with complex images", mat(matFile(matComplex(svhnX(1)), svhnY(1))), "", Options{}, []string{"X is no array of real numbers"}},
		{"mat of another shape", mat(matFile(matArray("X", mxUint8, 2, make([]byte, 3072), 1, 32, 32, 3), svhnY(1, 1, 1))), "", Options{}, []string{"X has shape [1 32 32 3]", "needs [32 32 3 N]"}},
		{"mat of gray images", mat(matFile(matArray("X", mxUint8, 2, make([]byte, 2048), 32, 32, 2), svhnY(1, 1))), "", Options{}, []string{"X has shape [32 32 2]"}},
		{"mat of real images", mat(matFile(matArray("X", mxDouble, matDouble, make([]byte, 8*3072), 32, 32, 3, 1), svhnY(1))), "", Options{}, []string{"elements of type <f8"}},
		{"mat with other numbers of images and labels", mat(matFile(svhnX(2), svhnY(1, 2, 3))), "", Options{}, []string{"X has 2 images", "y needs shape [2 1], but has [3 1]"}},
		{"mat with a matrix of labels", mat(matFile(svhnX(4), matArray("y", mxDouble, 2, []byte{1, 2, 3, 4}, 2, 2))), "", Options{}, []string{"X has 4 images", "but has [2 2]"}},
		{"mat with labels out of range", mat(matFile(svhnX(4), svhnY(1, 0, 11, 10))), "", Options{}, []string{"2 labels in y are outside 1 to 10", "the first is 0, of sample 1"}},
		{"mat with a fraction as a label", mat(matFile(svhnX(1), matArray("y", mxDouble, 7, []byte{0, 0, 0x80, 0x3e}, 1, 1))), "", Options{}, []string{"y: label 0 is 0.25"}},

		{"shard of nothing", shard(nil), "set.tar", rgb, []string{"set.tar", "no end mark after its last entry, at 0 bytes"}},
		{"shard without entries", shard(ended(nil)), "set.tar", rgb, []string{"no samples"}},
		{"no tar file", shard(bytes.Repeat([]byte("hello "), 1000)), "set.tar", rgb, []string{"set.tar", "after 0 bytes", "not a tar file"}},
		{"compressed shard", shard(gzipped(tarOf("a.png", "x", "a.cls", "0"))), "set.tar", rgb, []string{"set.tar", "compressed by gzip", "gunzip"}},
		{"shard cut short in the data", shard(tarOf("a.cls", "0", "a.png", string(make([]byte, 2000)))[:2000]), "set.tar", rgb, []string{"set.tar", "the entry a.png claims 2000 bytes, but only 464 are left"}},
		{"shard cut short in a header", shard(tarOf("a.cls", "0", "a.png", "x")[:1500]), "set.tar", rgb, []string{"set.tar", "after 1024 bytes", "cut short"}},
		{"shard cut short behind a label", shard(tarOf("a.cls", "0")[:600]), "set.tar", rgb, []string{"set.tar", "no end mark after its last entry, at 1024 bytes"}},
		{"shard cut short between entries", shard(tarOf("a.cls", "0", "a.png", "x")[:2048]), "set.tar", rgb, []string{"set.tar", "no end mark", "cut short"}},
		{"shard that ends in zeros", shard(tarOf("a.cls", "0", "a.png", string(make([]byte, 512)))[:2048]), "set.tar", rgb, []string{"no end mark", "at 2048 bytes"}},
		{"joined shards", shard(append(tarOf("a.cls", "0", "a.png", "x"), tarOf("b.cls", "0", "b.png", "x")...)), "set.tar", rgb, []string{"more data", "joined"}},
		{"joined large shards", shard(append(tarOf("a.cls", "0", "a.png", "x"), make([]byte, 2<<20)...)), "set.tar", rgb, []string{"bytes more", "joined"}},
		{"shard with a damaged header", shard(bytes.Replace(tarOf("a.cls", "0", "a.png", "x"), []byte("a.png"), []byte("b.png"), 1)), "set.tar", rgb, []string{"after 1024 bytes", "invalid tar header"}},
		{"links and devices in a shard", shard(slices.Concat(tarEntry('1', "a.png", nil), tarEntry('2', "b.png", nil), tarEntry('3', "c.png", nil), tarEntry('4', "d.png", nil), tarEntry('6', "e.png", nil), tarOf("f.png", "x", "f.cls", "0"))),
			"set.tar", rgb, []string{"5 entries are not plain files", "set.tar, entry a.png, ", "entry b.png, ", "entry c.png, ", "entry d.png, ", "entry e.png: put the files themselves in"}},
		{"sparse files in a shard", shard(slices.Concat(tarEntry('x', "pax", []byte("22 GNU.sparse.major=0\n22 GNU.sparse.minor=1\n26 GNU.sparse.numblocks=2\n28 GNU.sparse.map=0,1,511,1\n23 GNU.sparse.size=512\n")), tarOf("a.png", "xy", "a.cls", "0"))), "set.tar", rgb, []string{"1 entry is not a plain file", "a sparse file"}},
		{"paths out of a shard", shard(tarOf("/a.png", "x", "../b.png", "x", "c/../../d.png", "x", "..", "x", "f.png", "x", "f.cls", "0")), "set.tar", rgb, []string{"4 entries have paths that lead out of the tar file", "entry /a.png, ", "entry ../b.png, ", "entry c/../../d.png, ", "entry ..: use names"}},
		{"entries twice in a shard", shard(tarOf("a.png", "x", "a.cls", "0", "a.cls", "0", "b.png", "x", "b.jpg", "x", "b.cls", "1", "b.json", "{}", "b.json", "{}")), "set.tar", rgb, []string{"3 entries are there twice", "entry a.cls, ", "entry b.jpg, ", "entry b.json: "}},
		{"images and labels alone in a shard", shard(tarOf("a.png", "x", "b.cls", "0", "c.json", "{\"label\": 1}", "d/a.cls", "0", "e.jpg", "x")), "set.tar", rgb, []string{"2 images have no label: ", "entry a.png, ", "entry e.jpg: each KEY.jpg", "3 labels have no image: ", "entry b.cls, ", "entry c.json, ", "entry d/a.cls: each"}},
		{"an image alone in a shard", shard(tarOf("a.png", "x", "b.png", "x", "b.cls", "1")), "set.tar", rgb, []string{"1 image has no label: ", "entry a.png: each KEY.jpg"}},
		{"wrong labels in a shard", shard(tarOf("a.png", "x", "a.cls", "cat", "b.png", "x", "b.cls", "", "c.png", "x", "c.cls", "1.5", "d.png", "x", "d.json", "{\"label\": \"cat\"}", "e.png", "x", "e.json", "{}", "f.png", "x", "f.json", "[1]", "g.png", "x", "g.cls", strings.Repeat(" ", 64)+"1", "h.png", "x", "h.json", "{\"label\": null}")),
			"set.tar", rgb, []string{"8 labels are wrong: ", `entry a.cls ("cat" is no class number), `, `entry b.cls ("" is no class number), `, `entry c.cls ("1.5"`, `entry d.json ("\"cat\"" is no class number), `, `entry e.json (there is no "label"), `, "entry f.json (json: ", "entry g.cls (65 bytes), ", "entry h.json ("}},
		{"all kinds of faults in two shards", func(t testing.TB, dir string) {
			write(t, dir+"/train-0.tar", slices.Concat(tarEntry('2', "l.png", nil), tarOf("/a.png", "x", "b.png", "x", "c.cls", "0")))
			write(t, dir+"/train-1.tar", tarOf("d.png", "x", "d.cls", "x", "e.png", "x", "e.png", "x", "e.cls", "1"))
			write(t, dir+"/train-2.tar", tarOf("f.cls", "1")[:700])
		}, "", rgb, []string{"train-0.tar, entry l.png", "train-0.tar, entry /a.png", "train-0.tar, entry b.png", "train-0.tar, entry c.cls", "train-1.tar, entry d.cls", "train-1.tar, entry e.png", "reading", "train-2.tar: it has no end mark"}},
		{"labels outside the classes in a shard", shard(tarOf("a.png", "x", "a.cls", "7", "b.png", "x", "b.cls", "-1")), "set.tar", Options{Shape: rgb.Shape, Classes: 3}, []string{"2 of 2 samples", "entry a.png: label 7", "entry b.png: label -1"}},
		{"shards of a split in two places", func(t testing.TB, dir string) {
			writeShards(t, dir, map[string][]int{"train-0.tar": {0}, "train/0.tar": {1}})
		}, "", rgb, []string{"train-0.tar and ", "train/0.tar are both of the train split"}},
		{"folders of shards of the same split", func(t testing.TB, dir string) {
			writeShards(t, dir, map[string][]int{"train/0.tar": {0}, "training/0.tar": {1}})
		}, "", rgb, []string{"train/0.tar and ", "training/0.tar are both of the train split"}},
		{"shard of two splits", func(t testing.TB, dir string) { writeShards(t, dir, map[string][]int{"train-val-0.tar": {0}}) }, "", rgb, []string{"train-val-0.tar has several splits, train and val"}},
		{"folders of shards without splits", func(t testing.TB, dir string) { writeShards(t, dir, map[string][]int{"a/0.tar": {0}, "b/0.tar": {0}}) }, "", rgb, []string{"no names of splits: a, b"}},
		{"no shards", nil, "", Options{Format: "webdataset", Shape: rgb.Shape}, []string{"no tar files"}},
		{"shard without a size", shard(tarOf("a.png", "x", "a.cls", "0")), "set.tar", Options{Shape: Shape{3, 0, 0}}, []string{"--image-size"}},

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

// matHeader is a file of no variables, with another end of its header.
func matHeader(end string) []byte { return append(matFile()[:124], end...) }

// matSize changes the size that an element claims.
func matSize(element []byte, by int) []byte {
	out := slices.Clone(element)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-matTagSize+by))
	return out
}

// matCut cuts off the end of an element.
func matCut(element []byte, bytes int) []byte { return matSize(element[:len(element)-bytes], 0) }

// matFlip changes the last byte of an element.
func matFlip(element []byte) []byte {
	element[len(element)-1] ^= 1
	return element
}

// matComplex sets the flag of complex numbers.
func matComplex(variable []byte) []byte {
	variable[17] |= 1 << 3
	return variable
}
