package dataset

import (
	"fmt"
	"os"
	"strings"
)

// cifar is one of the two CIFAR binary forms: records of labelBytes label bytes, the last of which counts,
// and a planar 3×32×32 image.
type cifar struct {
	labelBytes int
	classes    int
	names      string // the file of class names, one a line
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
	names, err := c.classNames(files[0])
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", files[0], err)
	}
	all, err := c.readRecords(files[1:])
	if err != nil {
		return nil, err
	}
	d := &Dataset{Path: path, Split: split, Classes: names, Shape: cifarShape, named: true}
	var records [][]byte
	for _, f := range all {
		records = append(records, f.data)
		for r := c.labelBytes - 1; r < len(f.data); r += c.stride() {
			d.labels = append(d.labels, int64(f.data[r]))
		}
	}
	d.read = func(i int, dst []uint8) error {
		f, i := c.locate(all, i)
		copy(dst, f.data[i*c.stride()+c.labelBytes:][:cifarShape.Size()])
		return nil
	}
	d.content = bytesContent(records...)
	d.sample = func(i int) string {
		f, i := c.locate(all, i)
		return fmt.Sprintf("%s, sample %d", f.path, i)
	}
	return d, nil
}

// stride returns the bytes of a record.
func (c cifar) stride() int { return c.labelBytes + cifarShape.Size() }

// cifarFile is a file's records.
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

func (c cifar) readRecords(paths []string) ([]cifarFile, error) {
	var files []cifarFile
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if len(data) == 0 || len(data)%c.stride() != 0 {
			return nil, fmt.Errorf("reading %s: %d bytes are not a whole number of records of %d bytes (%d for labels, then %v pixels): "+
				"the file is cut short or of another format", path, len(data), c.stride(), c.labelBytes, cifarShape)
		}
		files = append(files, cifarFile{path, data})
	}
	return files, nil
}

func (c cifar) classNames(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(text))
	if len(names) != c.classes {
		return nil, fmt.Errorf("%d class names, needs %d", len(names), c.classes)
	}
	return names, nil
}
