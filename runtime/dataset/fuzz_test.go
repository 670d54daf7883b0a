package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/archive"
	"github.com/rcfreeze/rcfreeze/internal/damage"
)

// The fuzz tests give each reader files that the engine damages. Nothing may panic, hang, or take memory that the limits do not
// allow; what is opened without an error must be sound.

// narrow are limits that keep a fuzz test fast.
var narrow = Limits{Pixels: 1 << 18, Bytes: 1 << 24}

// mostFuzzed bounds the inputs of fuzz tests, in bytes.
const mostFuzzed = 1 << 16

// checkOpened settles a data set for a model of 10 classes and another size, unless err, and checks what it gives.
func checkOpened(t *testing.T, d *Dataset, err error) {
	if err != nil {
		return
	}
	o := Options{Split: d.Split, Classes: 10, Shape: Shape{d.Shape.Channels, 6, 4}, Resize: true, Limits: narrow}
	if d.named {
		o.Classes = len(d.Classes)
	}
	checkSettled(t, d, d.settle(o))
}

// checkSettled reads some samples of a settled data set, unless err.
func checkSettled(t *testing.T, d *Dataset, err error) {
	if err != nil {
		return
	}
	if d.Len() < 1 || d.Shape.Size() < 1 {
		t.Fatalf("opened %d samples of %v without an error", d.Len(), d.Shape)
	}
	for i := range d.Len() {
		if label := d.Label(i); label < 0 || label >= int64(len(d.Classes)) {
			t.Fatalf("sample %d has label %d of %d classes", i, label, len(d.Classes))
		}
	}
	pixels := make([]uint8, d.Shape.Size())
	for _, i := range []int{0, d.Len() - 1} {
		if err := d.Pixels(i, pixels); err != nil && !d.scales {
			t.Fatalf("what was opened cannot be read: %v", err)
		}
		if d.Name(i) == "" {
			t.Fatalf("sample %d has no name", i)
		}
	}
}

func FuzzIDX(f *testing.F) {
	images, labels := idx(idxImages, []uint32{3, 2, 5}, counting(0, 30)), idx(idxLabels, []uint32{3}, []byte{0, 9, 1})
	f.Add(images, labels)
	f.Add(gzipped(images), gzipped(labels))
	f.Add(idx(idxImages, []uint32{1 << 31, 1 << 31, 4}, nil), labels)
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		if len(images)+len(labels) > mostFuzzed {
			return
		}
		defer damage.Watch(t, len(images)+len(labels))()
		var i, l idxFile
		if i.readHeader(bytes.NewReader(images), int64(len(images)), idxImages) != nil || l.readHeader(bytes.NewReader(labels), int64(len(labels)), idxLabels) != nil {
			return
		}
		i.path = "images"
		d, err := readIDX(&i, &l, narrow)
		checkOpened(t, d, err)
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(cifarRecords(1, 3, 9), cifarRecords(1, 0), []byte("a b c d e f g h i j"), false)
	f.Add(cifarRecords(2, 99, 5), cifarRecords(2, 0), []byte(strings.Join(numberNames(100), "\n")), true)
	f.Fuzz(func(t *testing.T, first, second, names []byte, hundred bool) {
		if len(first)+len(second)+len(names) > mostFuzzed {
			return
		}
		defer damage.Watch(t, len(first)+len(second)+len(names))()
		form := cifar10
		if hundred {
			form = cifar100
		}
		classes, err := form.classNames(names)
		if err != nil || form.checkSize(int64(len(first))) != nil || form.checkSize(int64(len(second))) != nil {
			return
		}
		d := form.dataset([]cifarFile{{"first", first}, {"second", second}})
		d.Classes = classes
		checkOpened(t, d, nil)
	})
}

// FuzzNPY damages the arrays in an archive that itself is sound.
func FuzzNPY(f *testing.F) {
	labels := npy("<i8", "(2,)", make([]byte, 16))
	f.Add(npy("|u1", "(2, 2, 3)", counting(0, 12)), labels)
	f.Add(npy("<f4", "(2, 1, 2, 3)", make([]byte, 48)), labels)
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f{}"), labels) // of the format's second version, whose header may claim more
	f.Add(npy("<i2", "(2, 4, 2, 3)", make([]byte, 96)), npy("|u1", "(2, 1)", []byte{0, 9}))
	f.Add(npy("<f8", "(1000000, 1000, 1000)", nil), npy("<u4", "()", make([]byte, 4)))
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		if len(images)+len(labels) > mostFuzzed {
			return
		}
		defer damage.Watch(t, len(images)+len(labels))()
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for name, data := range map[string][]byte{"images.npy": images, "labels.npy": labels} {
			member, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
			if err != nil {
				t.Fatal(err)
			}
			member.Write(data)
		}
		w.Close()
		fuzzArchive(t, out.Bytes())
	})
}

func FuzzNPZ(f *testing.F) {
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for name, data := range map[string][]byte{"x_train.npy": npy("|u1", "(2, 2, 3)", make([]byte, 12)), "y_train.npy": npy("|u1", "(2,)", make([]byte, 2))} {
			member, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
			if err != nil {
				f.Fatal(err)
			}
			member.Write(data)
		}
		w.Close()
		f.Add(out.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > mostFuzzed {
			return
		}
		defer damage.Watch(t, len(data))()
		fuzzArchive(t, data)
	})
}

// fuzzArchive reads an archive as a data set and as arrays.
func fuzzArchive(t *testing.T, data []byte) {
	z, err := archive.New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return
	}
	d, err := readNPZ(z, "set.npz", Options{Split: Train, Limits: narrow})
	checkOpened(t, d, err)
	tensors, err := arraysOf(z, narrow)
	if err != nil {
		return
	}
	for name, tensor := range tensors {
		n := int64(1)
		for _, dim := range tensor.Dims() {
			n *= dim
		}
		if n != tensor.Len() {
			t.Fatalf("array %q of shape %v has %d elements", name, tensor.Dims(), tensor.Len())
		}
	}
}

// FuzzImage damages image files; checksums of PNG are made right again, so that what they guard is damaged, too.
func FuzzImage(f *testing.F) {
	small := image.Rect(0, 0, 7, 5)
	palette := image.NewPaletted(small, color.Palette{color.Black, color.White, color.Transparent})
	for i := range palette.Pix {
		palette.Pix[i] = uint8(i % 3)
	}
	for _, img := range []image.Image{plain(5, 7, red), image.NewGray(small), image.NewGray16(small), image.NewNRGBA64(small), palette} {
		f.Add(pngFile(f, img), uint8(4), uint8(6))
	}
	f.Add(jpegFile(f, plain(5, 7, red)), uint8(3), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, height, width uint8) {
		if len(data) > mostFuzzed || height == 0 || width == 0 {
			return
		}
		defer damage.Watch(t, len(data))()
		rightChecksums(data)
		shape := Shape{3, int(height), int(width)}
		scaleImage(bytes.NewReader(data), int64(len(data)), shape, Options{Limits: narrow}, make([]uint8, shape.Size()))
	})
}

// rightChecksums sets the checksums of all chunks of a PNG.
func rightChecksums(data []byte) {
	if !bytes.HasPrefix(data, []byte(pngSignature)) {
		return
	}
	const head, sum = 8, 4 // bytes of a chunk before and behind its content
	for rest := data[len(pngSignature):]; len(rest) >= head+sum; {
		n := int64(binary.BigEndian.Uint32(rest))
		if n > int64(len(rest)-head-sum) {
			return
		}
		binary.BigEndian.PutUint32(rest[head+n:], crc32.ChecksumIEEE(rest[4:head+n]))
		rest = rest[head+n+sum:]
	}
}

func FuzzClassNames(f *testing.F) {
	f.Add([]byte("cat\ndog\n"))
	f.Add([]byte("\xef\xbb\xbf[\"cat\", \"dog\"]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > mostFuzzed {
			return
		}
		defer damage.Watch(t, len(text))()
		names, err := parseClassNames(text)
		if err != nil {
			return
		}
		if len(names) < 2 || len(names) > len(text) {
			t.Fatalf("%d names in %d bytes", len(names), len(text))
		}
		if slices.ContainsFunc(names, func(name string) bool { return strings.TrimSpace(name) != name || name == "" }) {
			t.Fatalf("not every class has a name: %q", names)
		}
	})
}

// FuzzImageFolder makes folders and files with the names in the input, one a line, and opens them as an image folder.
func FuzzImageFolder(f *testing.F) {
	dir := f.TempDir()
	content := pngFile(f, plain(5, 7, red))
	f.Add("train/cat/a.png\ntrain/dog/b.jpg\nval/cat/c.PNG")
	f.Add("cat/a.png\ndog/deep/b.jpeg\n.hidden/c.png\ndog/notes.txt")
	f.Add("a/cat/x.png\nb/cat/y.png\nTest_Set/cat/z.png\nvalid/x")
	f.Fuzz(func(t *testing.T, tree string) {
		const mostFiles, mostName = 8, 40
		if len(tree) > mostFiles*mostName || strings.ContainsRune(tree, 0) {
			return
		}
		root := filepath.Join(dir, "set")
		defer os.RemoveAll(root)
		for i, name := range strings.SplitN(tree, "\n", mostFiles) {
			if !filepath.IsLocal(name) || i == mostFiles-1 {
				return
			}
			path := filepath.Join(root, name)
			if os.MkdirAll(filepath.Dir(path), 0o755) != nil || os.WriteFile(path, content, 0o644) != nil {
				return // one name is a folder and a file, or is too long
			}
		}
		for _, split := range Splits() {
			o := Options{Format: "imagefolder", Split: split, Shape: Shape{3, 4, 6}, AnyClasses: true, Limits: narrow}
			d, err := Open(root, o)
			checkSettled(t, d, err)
		}
	})
}

// FuzzShard damages tar files; the checksums of headers are made right again.
func FuzzShard(f *testing.F) {
	picture := string(pngFile(f, plain(5, 7, red)))
	f.Add(tarOf("a.png", picture, "a.cls", "3", "b.png", picture, "b.json", `{"label": 1}`))
	f.Add(slices.Concat(tarEntry('5', "b/", nil), tarEntry('L', "././@LongLink", []byte("b/a.png\x00")), tarEntry('x', "pax", []byte("12 size=300\n")), tarOf("short", picture, "b/a.cls", "0")))
	f.Add(slices.Concat(tarEntry('1', "a.png", nil), tarHeader('0', "a.cls", "77777777777"), tarEntry('S', "c.png", make([]byte, 1024))))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > mostFuzzed {
			return
		}
		defer damage.Watch(t, len(data))()
		for at := 0; at+blockSize <= len(data); at += blockSize {
			rightSum(data[at:][:blockSize])
		}
		s, faults := &shard{path: "set.tar", size: int64(len(data))}, &shardFaults{}
		if s.list(bytes.NewReader(data), faults) != nil || faults.err() != nil {
			return
		}
		d := &Dataset{Path: ".", Split: All, labels: s.labels}
		if err := d.scaleTo(Shape{3, 4, 6}); err != nil {
			t.Fatal(err)
		}
		d.useShards(s.images, Options{})
		for _, i := range s.images {
			if i.offset < 0 || i.size < 0 || i.size > s.size-i.offset {
				t.Fatalf("the image %s is at %d, with %d bytes of %d", i.name, i.offset, i.size, s.size)
			}
		}
		d.read = func(i int, dst []uint8) error {
			at := s.images[i]
			return scaleImage(io.NewSectionReader(bytes.NewReader(data), at.offset, at.size), at.size, d.Shape, Options{Limits: narrow}, dst)
		}
		if len(d.labels) > 0 {
			checkOpened(t, d, nil)
		}
	})
}

// rightSum sets the checksum of a block that says that it is a header.
func rightSum(block []byte) {
	if string(block[257:262]) != "ustar" {
		return
	}
	copy(block[148:156], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// FuzzMAT damages MAT files, with the variables compressed or not.
func FuzzMAT(f *testing.F) {
	f.Add(matFile(svhnX(2), svhnY(1, 10)), false)
	f.Add(slices.Concat(svhnX(2), matArray("y", mxDouble, matDouble, make([]byte, 16), 2, 1)), true)
	f.Add(matFile(matPacked(svhnX(1)), matArray("c", 1, 14, nil, 1, 1), matPacked(svhnY(3))), false)
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if len(data) > mostFuzzed {
			return
		}
		if pack { // two variables, of which the second is small
			at := len(data) - min(len(data), 88)
			data = matFile(matPacked(data[:at]), matPacked(data[at:]))
		}
		defer damage.Watch(t, len(data))()
		variables, err := readMAT(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		d, err := takeSVHN(variables, "train_32x32.mat", narrow)
		checkOpened(t, d, err)
	})
}
