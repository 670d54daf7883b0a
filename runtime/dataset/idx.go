package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// The first four bytes of an IDX file tell the element type (8: bytes) and the number of dims.
const (
	idxLabels = 0x00000801
	idxImages = 0x00000803
)

var idxKinds = map[uint32]string{idxLabels: "labels", idxImages: "images"}

// idxPrefix has a prefix for each split that the format knows.
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
	pixels, dims, err := readIDX(files[0], idxImages)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", files[0], err)
	}
	labels, _, err := readIDX(files[1], idxLabels)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", files[1], err)
	}
	if dims[0] != int64(len(labels)) {
		return nil, fmt.Errorf("%d images in %s, but %d labels in %s", dims[0], files[0], len(labels), files[1])
	}
	shape := Shape{1, int(dims[1]), int(dims[2])}
	return &Dataset{
		Path:    path,
		Split:   split,
		Shape:   shape,
		labels:  widen(labels),
		read:    inMemory(pixels, shape.Size()),
		content: bytesContent(pixels),
		sample:  func(i int) string { return fmt.Sprintf("%s, sample %d", files[0], i) },
	}, nil
}

// readIDX returns the elements and dims of an IDX file, gzipped or plain.
func readIDX(path string, magic uint32) ([]byte, []int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	r, err := gunzipped(file)
	if err != nil {
		return nil, nil, err
	}
	header := make([]uint32, 1+magic&0xff)
	if err := binary.Read(r, binary.BigEndian, header); err != nil {
		return nil, nil, fmt.Errorf("the header is cut short: %w", err)
	}
	if header[0] != magic {
		return nil, nil, fmt.Errorf("magic number 0x%08x, an IDX file of %s starts with 0x%08x", header[0], idxKinds[magic], magic)
	}
	dims := widen(header[1:])
	size, err := product(dims...)
	if err != nil {
		return nil, nil, err
	}
	data, err := readExactly(r, size)
	return data, dims, err
}

// gunzipped looks at the content, not the name: browsers unpack files and keep the ending.
func gunzipped(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	if start, _ := buffered.Peek(2); len(start) == 2 && start[0] == 0x1f && start[1] == 0x8b {
		return gzip.NewReader(buffered)
	}
	return buffered, nil
}

func widen[T uint8 | uint32](data []T) []int64 {
	out := make([]int64, len(data))
	for i, v := range data {
		out[i] = int64(v)
	}
	return out
}
