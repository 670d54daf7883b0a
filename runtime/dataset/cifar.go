package dataset

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// cifar is one of the two CIFAR binary forms: records of labelBytes label bytes, the last of which counts,
// and a planar 3×32×32 image.
type cifar struct {
	labelBytes int
	classes    int
	names      string // the file of class names, one per line
	files      map[Split][]string
}

var cifar10 = cifar{1, 10, "batches.meta.txt", map[Split][]string{
	Train: {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
	Test:  {"test_batch.bin"},
}}

var cifar100 = cifar{2, 100, "fine_label_names.txt", map[Split][]string{
	Train: {"train.bin"},
	Test:  {"test.bin"},
}}

var cifarShape = Shape{3, 32, 32}

func (c cifar) detect(path string) bool {
	return findFile(path, append(c.files[Train][:1:1], c.files[Test]...)) != ""
}

func (c cifar) open(path string, o Options) (*Dataset, error) {
	wanted := [][]string{{c.names}}
	split := o.Split.among(Train, Test)
	for _, name := range c.files[split] {
		wanted = append(wanted, []string{name})
	}
	files, err := findFiles(path, wanted...)
	if err != nil {
		return nil, err
	}
	text, err := plainfile.Read(files[0], mostNames)
	if err != nil {
		return nil, err
	}
	names, err := c.classNames(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", files[0], err)
	}
	records, err := c.readFiles(files[1:], o.Limits)
	if err != nil {
		return nil, err
	}
	d := c.dataset(records)
	d.Path, d.Split, d.Classes = path, split, names
	return d, nil
}

// dataset returns the samples of files that have a whole number of records.
func (c cifar) dataset(files []cifarFile) *Dataset {
	d := &Dataset{Shape: cifarShape, named: true}
	for _, f := range files {
		for r := c.labelBytes - 1; r < len(f.data); r += c.stride() {
			d.labels = append(d.labels, int64(f.data[r]))
		}
	}
	d.read = func(i int, dst []uint8) error {
		f, i := c.locate(files, i)
		copy(dst, f.data[i*c.stride()+c.labelBytes:][:cifarShape.Size()])
		return nil
	}
	d.content = func(w io.Writer, i int) error {
		f, i := c.locate(files, i)
		_, err := w.Write(f.data[i*c.stride():][:c.stride()])
		return err
	}
	d.sample = func(i int) string {
		f, i := c.locate(files, i)
		return fmt.Sprintf("%s, sample %d", f.path, i)
	}
	return d
}

// stride returns the bytes of a record.
func (c cifar) stride() int { return c.labelBytes + cifarShape.Size() }

// cifarFile holds the records of a file.
type cifarFile struct {
	path string
	data []byte
}

// locate returns the file that holds sample i, and the sample's index there.
func (c cifar) locate(files []cifarFile, i int) (cifarFile, int) {
	k := 0
	for n := len(files[0].data) / c.stride(); i >= n; n = len(files[k].data) / c.stride() {
		i -= n
		k++
	}
	return files[k], i
}

// readFiles first checks that all files consist of records and are not too large, and then reads them.
func (c cifar) readFiles(paths []string, limits Limits) ([]cifarFile, error) {
	sizes := make([]int64, len(paths))
	all := int64(0)
	for i, path := range paths {
		info, err := os.Stat(path)
		if err == nil {
			err = plainfile.Check(path, info)
		}
		if err != nil {
			return nil, err
		}
		sizes[i] = info.Size()
		if err := c.checkSize(sizes[i]); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		if all += sizes[i] + sizes[i]/int64(c.stride())*labelBytes; all < 0 {
			all = math.MaxInt64
		}
	}
	if err := limits.checkArrays(all); err != nil {
		return nil, fmt.Errorf("reading %s: %w", strings.Join(paths, ", "), err)
	}
	files := make([]cifarFile, len(paths))
	for i, path := range paths {
		data, err := plainfile.Read(path, sizes[i])
		if err == nil {
			err = c.checkSize(int64(len(data)))
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		files[i] = cifarFile{path, data}
	}
	return files, nil
}

// checkSize returns an error if a file of this size does not consist of whole records.
func (c cifar) checkSize(bytes int64) error {
	if bytes == 0 || bytes%int64(c.stride()) != 0 {
		return fmt.Errorf("%d bytes are not a whole number of records of %d bytes (%d for labels, then %v pixels): "+
			"the file is cut short or of another format", bytes, c.stride(), c.labelBytes, cifarShape)
	}
	return nil
}

func (c cifar) classNames(text []byte) ([]string, error) {
	names := strings.Fields(string(text))
	if len(names) != c.classes {
		return nil, fmt.Errorf("%d class names, needs %d", len(names), c.classes)
	}
	return names, nil
}
