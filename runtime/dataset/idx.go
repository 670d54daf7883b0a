package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/rcfreeze/rcfreeze/internal/archive"
	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// The first four bytes of an IDX file say the element type (8 means bytes) and the number of dims.
const (
	idxLabels = 0x00000801
	idxImages = 0x00000803
)

var idxKinds = map[uint32]string{idxLabels: "labels", idxImages: "images"}

// idxPrefix has the prefix of file names for each split that the format has.
var idxPrefix = map[Split]string{Train: "train", Test: "t10k"}

// idxNames returns the names that a file of images or labels may have.
func idxNames(split Split, magic uint32) []string {
	kind, dims := idxKinds[magic], magic&0xff
	dash := fmt.Sprintf("%s-%s-idx%d-ubyte", idxPrefix[split], kind, dims)
	dot := fmt.Sprintf("%s-%s.idx%d-ubyte", idxPrefix[split], kind, dims)
	return []string{dash, dash + ".gz", dot, dot + ".gz"}
}

func detectIDX(path string) bool {
	return findFile(path, append(idxNames(Train, idxImages), idxNames(Test, idxImages)...)) != ""
}

func openIDX(path string, o Options) (*Dataset, error) {
	split := o.Split.among(Train, Test)
	files, err := findFiles(path, idxNames(split, idxImages), idxNames(split, idxLabels))
	if err != nil {
		return nil, err
	}
	images, err := openIDXFile(files[0], idxImages)
	if err != nil {
		return nil, err
	}
	defer images.Close()
	labels, err := openIDXFile(files[1], idxLabels)
	if err != nil {
		return nil, err
	}
	defer labels.Close()
	d, err := readIDX(images, labels, o.Limits)
	if err != nil {
		return nil, err
	}
	d.Path, d.Split = path, split
	return d, nil
}

// readIDX reads two files after their headers.
func readIDX(images, labels *idxFile, limits Limits) (*Dataset, error) {
	dims := images.dims
	if dims[0] != labels.dims[0] {
		return nil, fmt.Errorf("%d images in %s, but %d labels in %s", dims[0], images.path, labels.dims[0], labels.path)
	}
	if err := limits.checkArrays(images.size + labelBytes*dims[0]); err != nil {
		return nil, fmt.Errorf("reading %s, %d images of %d×%d (height×width): %w", images.path, dims[0], dims[1], dims[2], err)
	}
	pixels, err := images.read()
	if err != nil {
		return nil, err
	}
	numbers, err := labels.read()
	if err != nil {
		return nil, err
	}
	shape := Shape{1, int(dims[1]), int(dims[2])}
	return &Dataset{
		Shape:   shape,
		labels:  widen(numbers),
		read:    inMemory(pixels, shape.Size()),
		content: bytesContent(pixels, shape.Size()),
		sample:  func(i int) string { return fmt.Sprintf("%s, sample %d", images.path, i) },
	}, nil
}

// labelBytes is the memory for one label, in bytes: the one that was read, and the one that is kept.
const labelBytes = 8 + 8

// idxFile is an IDX file whose header was read.
type idxFile struct {
	io.Closer
	path string
	dims []int64
	size int64 // size of the elements, in bytes
	rest io.Reader
}

// openIDXFile opens an IDX file, gzipped or plain.
func openIDXFile(path string, magic uint32) (*idxFile, error) {
	file, info, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	f := &idxFile{Closer: file, path: path}
	if err := f.readHeader(file, info.Size(), magic); err != nil {
		file.Close()
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return f, nil
}

// readHeader reads the header of a file of the given bytes. It fails if the file cannot have as many elements as the header says.
func (f *idxFile) readHeader(file io.Reader, bytes int64, magic uint32) error {
	r, compressed, err := gunzipped(file)
	if err != nil {
		return err
	}
	header := make([]uint32, 1+magic&0xff)
	if err := binary.Read(r, binary.BigEndian, header); err != nil {
		return fmt.Errorf("the header is cut short: %w", err)
	}
	if header[0] != magic {
		return fmt.Errorf("magic number 0x%08x, an IDX file of %s starts with 0x%08x", header[0], idxKinds[magic], magic)
	}
	f.dims, f.rest = widen(header[1:]), r
	if f.size, err = product(f.dims...); err != nil {
		return err
	}
	switch has := bytes - 4*int64(len(header)); {
	case compressed:
		return archive.CheckDeflated(uint64(f.size), uint64(bytes))
	case has < f.size:
		return archive.CutShort(f.size, has)
	case has > f.size:
		return archive.TooLong(f.size)
	}
	return nil
}

// read returns the elements.
func (f *idxFile) read() ([]byte, error) {
	data, err := archive.ReadExactly(f.rest, f.size)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.path, err)
	}
	return data, nil
}

// gunzipped looks at the content, not at the name, because browsers unpack files and keep the ending .gz.
func gunzipped(r io.Reader) (content io.Reader, compressed bool, err error) {
	buffered := bufio.NewReader(r)
	if start, _ := buffered.Peek(2); len(start) == 2 && start[0] == 0x1f && start[1] == 0x8b {
		content, err = gzip.NewReader(buffered)
		return content, true, err
	}
	return buffered, false, nil
}

func widen[T uint8 | uint32](data []T) []int64 {
	out := make([]int64, len(data))
	for i, v := range data {
		out[i] = int64(v)
	}
	return out
}
