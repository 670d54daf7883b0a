package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image/color"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// allocated returns how many bytes f takes, in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// claimed returns a zip file with an array whose directory entry claims another size than it has.
func claimed(t testing.TB, method uint16, size uint64, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range []string{"images.npy", "labels.npy"} {
		f, err := w.CreateRaw(&zip.FileHeader{Name: name, Method: method, CompressedSize64: uint64(len(data)), UncompressedSize64: size})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(data)
	}
	w.Close()
	return out.Bytes()
}

// deflated returns a compressed zip file with arrays of zeros.
func deflated(t testing.TB, shape string, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, data := range map[string][]byte{"images.npy": npy("|u1", shape, make([]byte, size)), "labels.npy": npy("|u1", "(2,)", make([]byte, 2))} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(data)
	}
	w.Close()
	return out.Bytes()
}

// manyFiles returns a zip file with so many empty files.
func manyFiles(t testing.TB, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for range n {
		if _, err := w.CreateRaw(&zip.FileHeader{Name: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return out.Bytes()
}

// pngOf returns a small PNG whose head claims another size.
func pngOf(t testing.TB, height, width uint32) []byte {
	t.Helper()
	data := pngFile(t, plain(9, 9, color.White))
	binary.BigEndian.PutUint32(data[16:], width)
	binary.BigEndian.PutUint32(data[20:], height)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

// jpegOf returns a small JPEG whose frame claims another size.
func jpegOf(t testing.TB, height, width uint16) []byte {
	t.Helper()
	data := jpegFile(t, plain(9, 9, color.White))
	frame := bytes.Index(data, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(data[frame+5:], height)
	binary.BigEndian.PutUint16(data[frame+7:], width)
	return data
}

// TestHugeClaims opens small files that claim to hold much, and reads their first sample: they are refused before memory is
// taken, with what they claim.
func TestHugeClaims(t *testing.T) {
	const images, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	fewLabels := idx(idxLabels, []uint32{2}, []byte{0, 1})
	const mega = 1 << 20
	zeros := make([]byte, mega)
	for _, c := range []struct {
		name   string
		files  map[string][]byte
		path   string
		limits Limits
		want   []string
	}{
		{"idx", map[string][]byte{images: idx(idxImages, []uint32{1 << 20, 1 << 10, 1 << 9}, zeros[:8]), labels: fewLabels}, "", Limits{},
			[]string{images, "promises 549755813888 bytes", "has 8"}},
		{"idx, no limit", map[string][]byte{images: idx(idxImages, []uint32{1 << 31, 1 << 31, 1 << 31}, zeros[:8]), labels: fewLabels}, "", Limits{Bytes: NoLimit},
			[]string{images, "[2147483648 2147483648 2147483648]"}},
		{"idx labels", map[string][]byte{images: idx(idxImages, []uint32{2, 1, 1}, zeros[:2]), labels: idx(idxLabels, []uint32{1 << 31}, nil)}, "", Limits{},
			[]string{labels, "promises 2147483648 bytes", "has 0"}},
		{"idx.gz", map[string][]byte{images: gzipped(idx(idxImages, []uint32{1 << 20, 1 << 10, 1 << 9}, zeros)), labels: fewLabels}, "", Limits{Bytes: NoLimit},
			[]string{images, "claims 549755813888 bytes", "compressed bytes"}},
		{"idx.gz that expands", map[string][]byte{images: gzipped(idx(idxImages, []uint32{2, 1 << 10, 1 << 9}, zeros)), labels: fewLabels}, "", Limits{Bytes: mega},
			[]string{images, "2 images of 1024×512", "1048608 bytes", "limit of 1048576", "--max-array-size"}},
		{"cifar", map[string][]byte{"train.bin": zeros[:3074*300], "test.bin": zeros[:3074], "fine_label_names.txt": []byte(strings.Join(numberNames(100), "\n"))}, "", Limits{Bytes: mega / 2},
			[]string{"train.bin", "927000 bytes", "limit of 524288", "--max-array-size"}},
		{"cifar names", map[string][]byte{"train.bin": zeros[:3074], "test.bin": zeros[:3074], "fine_label_names.txt": bytes.Repeat(zeros, 17)}, "", Limits{},
			[]string{"fine_label_names.txt", "17825792 bytes", "at most 16777216"}},
		{"npz", map[string][]byte{"set.npz": deflated(t, "(1000000, 1000, 1000)", 12)}, "set.npz", Limits{Bytes: NoLimit},
			[]string{"array images", "promises 1000000000000 bytes", "has 12"}},
		{"npz that overflows", map[string][]byte{"set.npz": deflated(t, "(3037000500, 3037000500, 8)", 12)}, "set.npz", Limits{Bytes: NoLimit}, []string{"array images", "impossible dims"}},
		{"npz beyond int64", map[string][]byte{"set.npz": deflated(t, "(9223372036854775808, 1, 1)", 12)}, "set.npz", Limits{Bytes: NoLimit}, []string{"array images", "9223372036854775808"}},
		{"npz below 0", map[string][]byte{"set.npz": deflated(t, "(-2, -1, 6)", 12)}, "set.npz", Limits{Bytes: NoLimit}, []string{"array images", "impossible dims"}},
		{"npz that expands", map[string][]byte{"set.npz": deflated(t, "(2, 1024, 512)", mega)}, "set.npz", Limits{Bytes: mega},
			[]string{"array images", "[2 1024 512]", "1048608 bytes", "limit of 1048576", "--max-array-size"}},
		{"npz with a false directory", map[string][]byte{"set.npz": claimed(t, zip.Store, 1e12+128, npy("|u1", "(1000000, 1000, 1000)", nil))}, "set.npz", Limits{Bytes: NoLimit},
			[]string{"images.npy", "1000000000128"}},
		{"npz with a false directory, compressed", map[string][]byte{"set.npz": claimed(t, zip.Deflate, 1e12+128, zeros[:100])}, "set.npz", Limits{Bytes: NoLimit},
			[]string{"images.npy", "claims 1000000000128 bytes", "100 compressed bytes"}},
		{"npz of many files", map[string][]byte{"set.npz": manyFiles(t, 100000)}, "set.npz", Limits{}, []string{"set.npz", "list of files has more than 4194304 bytes"}},
		{"npy header", map[string][]byte{"set.npz": claimed(t, zip.Store, 12, []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"))}, "set.npz", Limits{}, []string{"header of 4294967295 bytes"}},
		{"PNG", map[string][]byte{"cat/a.png": pngOf(t, 100000, 100000)}, "", Limits{},
			[]string{"a.png", "100000×100000 (height×width)", "limit of 89478485 pixels", "--max-image-pixels"}},
		{"PNG, no limit", map[string][]byte{"cat/a.png": pngOf(t, 100000, 100000)}, "", Limits{Pixels: NoLimit}, []string{"a.png", "100000×100000", "claims 30000000000 bytes"}},
		{"PNG of the largest numbers", map[string][]byte{"cat/a.png": pngOf(t, 1<<31-1, 1<<31-1)}, "", Limits{Pixels: NoLimit}, []string{"a.png", "2147483647×2147483647"}},
		{"PNG within the limit", map[string][]byte{"cat/a.png": pngOf(t, 9000, 9000)}, "", Limits{}, []string{"a.png", "9000×9000", "claims 243000000 bytes"}},
		{"JPEG", map[string][]byte{"cat/a.jpg": jpegOf(t, 65535, 65535)}, "", Limits{},
			[]string{"a.jpg", "65535×65535 (height×width)", "limit of 89478485 pixels", "--max-image-pixels"}},
		{"JPEG, no limit", map[string][]byte{"cat/a.jpg": jpegOf(t, 65535, 65535)}, "", Limits{Pixels: NoLimit}, []string{"a.jpg", "truncated"}},
		{"JPEG within the limit", map[string][]byte{"cat/a.jpg": jpegOf(t, 9000, 9000)}, "", Limits{}, []string{"a.jpg", "truncated"}},
		{"mat", map[string][]byte{"train_32x32.mat": matFile(matSize(matArray("X", mxUint8, 2, zeros[:8], 1<<30, 1<<30, 3, 1), 1<<31))}, "", Limits{}, []string{"train_32x32.mat", "promises", "bytes of data, it has 64"}},
		{"mat, compressed", map[string][]byte{"train_32x32.mat": matFile(matPacked(matSize(svhnX(1), 1<<31)))}, "", Limits{Bytes: NoLimit}, []string{"train_32x32.mat", "claims 2147486784 bytes", "compressed bytes"}},
		{"mat that overflows", map[string][]byte{"train_32x32.mat": matFile(matArray("X", mxUint8, 2, zeros[:8], 1<<31-1, 1<<31-1, 1<<31-1, 1<<31-1))}, "", Limits{Bytes: NoLimit}, []string{"impossible dims"}},
		{"mat that expands", map[string][]byte{"train_32x32.mat": matFile(matPacked(matArray("X", mxUint8, 2, zeros[:3072*300], 32, 32, 3, 300)), matArray("y", mxDouble, 2, zeros[:300], 300, 1))}, "", Limits{Bytes: mega / 2},
			[]string{"300 images of 3×32×32", "926400 bytes", "limit of 524288", "--max-array-size"}},
		{"an entry of a tar file", map[string][]byte{"set.tar": ended(slices.Concat(tarEntry('0', "a.cls", []byte("0")), tarHeader('0', "a.png", "77777777777")))}, "set.tar", Limits{},
			[]string{"set.tar", "the entry a.png claims 8589934591 bytes, but only 1024 are left"}},
		{"an entry of the largest number", map[string][]byte{"set.tar": ended(tarHeader('0', "a.png", "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"))}, "set.tar", Limits{},
			[]string{"set.tar", "the entry a.png claims 9223372036854775807 bytes"}},
		{"an entry below 0", map[string][]byte{"set.tar": ended(tarHeader('0', "a.png", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"))}, "set.tar", Limits{}, []string{"set.tar", "invalid tar header"}},
		{"an entry's long name", map[string][]byte{"set.tar": ended(tarHeader('L', "././@LongLink", "77777777777"))}, "set.tar", Limits{}, []string{"set.tar", "after 0 bytes"}},
		{"an entry's size in a record", map[string][]byte{"set.tar": slices.Concat(tarEntry('x', "pax", []byte("28 size=9223372036854775807\n")), tarOf("a.png", "x"))}, "set.tar", Limits{}, []string{"set.tar", "the entry a.png claims 9223372036854775807 bytes"}},
		{"a label of a tar file", map[string][]byte{"set.tar": tarOf("a.png", "x", "a.json", string(zeros)+" ")}, "set.tar", Limits{}, []string{"entry a.json (1048577 bytes)"}},
		{"PNG in a tar file", map[string][]byte{"set.tar": tarOf("a.png", string(pngOf(t, 100000, 100000)), "a.cls", "0")}, "set.tar", Limits{},
			[]string{"set.tar, entry a.png", "100000×100000 (height×width)", "limit of 89478485 pixels", "--max-image-pixels"}},
		{"a large image in a tar file", map[string][]byte{"set.tar": tarOf("a.jpg", string(jpegOf(t, 9, 9))+string(bytes.Repeat(zeros, 17)), "a.cls", "0")}, "set.tar", Limits{Pixels: 1000},
			[]string{"set.tar, entry a.jpg", "limit of 1000 pixels", "--max-image-pixels"}},
		{"an image file with more behind it", map[string][]byte{"cat/a.jpg": append(jpegOf(t, 9, 9), bytes.Repeat(zeros, 17)...)}, "", Limits{Pixels: 1000},
			[]string{"a.jpg", "limit of 1000 pixels", "--max-image-pixels"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range c.files {
				write(t, filepath.Join(dir, name), data)
			}
			var err error
			const most = 32 << 20 // bytes: compression and lists of files take some
			if got := allocated(func() {
				var d *Dataset
				if d, err = Open(filepath.Join(dir, c.path), Options{Shape: Shape{0, 4, 4}, Resize: true, AnyClasses: true, Limits: c.limits}); err == nil {
					err = d.Pixels(0, make([]uint8, d.Shape.Size()))
				}
			}); got > most {
				t.Errorf("took %d bytes", got)
			}
			if err == nil {
				t.Fatal("was read")
			}
			for _, want := range c.want {
				if !strings.Contains(filepath.ToSlash(err.Error()), want) {
					t.Errorf("%q is not in the message:\n%v", want, err)
				}
			}
		})
	}
}

// TestWithinLimits opens what is just as large as allowed.
func TestWithinLimits(t *testing.T) {
	dir := t.TempDir()
	const need = 2*3*5 + 2*labelBytes
	writeIDX(t, dir+"/idx", 2, 3, 5)
	write(t, dir+"/set.npz", deflated(t, "(2, 3, 5)", 30))
	write(t, dir+"/folder/cat/a.png", pngFile(t, plain(30, 20, red)))
	write(t, dir+"/folder/dog/a.jpg", jpegFile(t, plain(30, 20, red)))
	write(t, dir+"/set.tar", tarOf("a.png", string(pngFile(t, plain(30, 20, red))), "a.cls", "0"))
	writeSVHN(t, dir+"/svhn")
	for path, limits := range map[string][2]Limits{
		"set.tar": {{Pixels: 600}, {Pixels: 599}}, "svhn": {{Bytes: 3 * (3072 + labelBytes)}, {Bytes: 3*(3072+labelBytes) - 1}},
		"idx": {{Bytes: need}, {Bytes: need - 1}}, "set.npz": {{Bytes: need}, {Bytes: need - 1}}, "folder": {{Pixels: 600}, {Pixels: 599}},
	} {
		for i, l := range limits {
			d, err := Open(filepath.Join(dir, path), Options{Shape: Shape{0, 3, 5}, Resize: true, AnyClasses: true, Limits: l})
			for sample := 0; err == nil && sample < d.Len(); sample++ {
				err = d.Pixels(sample, make([]uint8, d.Shape.Size()))
			}
			if (err != nil) != (i == 1) {
				t.Errorf("%s with %+v: error %v", path, l, err)
			}
		}
	}
}

// TestLongStrip scales an image of a single column: memory is not taken for lines of the result that are cut away.
func TestLongStrip(t *testing.T) {
	const length = 1 << 20
	path := filepath.Join(t.TempDir(), "a.png")
	write(t, path, pngFile(t, plain(length, 1, blue)))
	shape := Shape{3, 224, 224}
	got := make([]uint8, shape.Size())
	if n := allocated(func() {
		if err := readImage(path, shape, Options{}, got); err != nil {
			t.Fatal(err)
		}
	}); n > 40*length {
		t.Errorf("took %d bytes for %d pixels", n, length)
	}
	want := slices.Concat(make([]uint8, 2*shape.plane()), slices.Repeat([]uint8{100}, shape.plane()))
	if !slices.Equal(got, want) {
		t.Error("the pixels are other ones")
	}
}

// TestArraysWithinLimits reads arrays that are as large as allowed together, and one byte more.
func TestArraysWithinLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inputs.npz")
	npz(t, path, map[string][]byte{"a": npy("|u1", "(3,)", make([]byte, 3)), "b": npy("<f8", "(2, 2)", make([]byte, 32))})
	const need = (3 + 4) * 16
	if arrays, err := Arrays(path, Limits{Bytes: need}); err != nil || len(arrays) != 2 {
		t.Errorf("%d arrays, error %v", len(arrays), err)
	}
	if _, err := Arrays(path, Limits{Bytes: need - 1}); err == nil || !strings.Contains(err.Error(), "--max-array-size") {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(path, deflated(t, "(1000000, 1000, 1000)", 12), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Arrays(path, Limits{Bytes: NoLimit}); err == nil || !strings.Contains(err.Error(), "promises 1000000000000 bytes") {
		t.Errorf("error %v", err)
	}
}
