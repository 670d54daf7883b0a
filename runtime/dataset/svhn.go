package dataset

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// svhnFiles has the file of cropped digits for each split. There is also extra_32x32.mat, of easier images.
var svhnFiles = map[Split]string{Train: "train_32x32.mat", Test: "test_32x32.mat"}

const svhnExtra = "extra_32x32.mat"

// svhnShape is that of the images. In the files, X has the dims height, width, channels and images, and the first runs fastest.
var svhnShape = Shape{3, 32, 32}

func detectSVHN(path string) bool {
	return findFile(path, []string{svhnFiles[Train], svhnFiles[Test]}) != ""
}

// openSVHN opens the cropped digits of Street View House Numbers (Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers).
func openSVHN(path string, o Options) (*Dataset, error) {
	split := o.Split.among(Train, Test)
	files, err := findFiles(path, []string{svhnFiles[split]})
	if err != nil {
		return nil, err
	}
	d, err := readSVHN(files[0], o.Limits)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", files[0], err)
	}
	d.Path, d.Split = path, split
	if split == Train && findFile(path, []string{svhnExtra}) != "" {
		d.Notes = append(d.Notes, fmt.Sprintf("%s is passed over: only %s trains", svhnExtra, svhnFiles[Train]))
	}
	return d, nil
}

func readSVHN(path string, limits Limits) (*Dataset, error) {
	f, info, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	variables, err := readMAT(f, info.Size())
	if err != nil {
		return nil, err
	}
	return takeSVHN(variables, path, limits)
}

// takeSVHN makes a data set of the variables of a file.
func takeSVHN(variables []*matVariable, path string, limits Limits) (*Dataset, error) {
	images, err := findVariable(variables, "X")
	labels, wrong := findVariable(variables, "y")
	if err := errors.Join(err, wrong); err != nil {
		return nil, err
	}
	dims := images.dims
	if len(dims) == 3 { // MATLAB leaves out last dims of 1
		dims = append(dims, 1)
	}
	want := []int64{int64(svhnShape.Height), int64(svhnShape.Width), int64(svhnShape.Channels)}
	if images.dtype.name != "|u1" || len(dims) != 4 || !slices.Equal(dims[:3], want) {
		return nil, fmt.Errorf("X has shape %v and elements of type %s: needs [32 32 3 N] and |u1 (uint8)", images.dims, images.dtype.name)
	}
	if n := dims[3]; labels.count != n || len(labels.dims) != 2 || n != max(labels.dims[0], labels.dims[1]) {
		return nil, fmt.Errorf("X has %d images, so y needs shape [%[1]d 1], but has %v", n, labels.dims)
	}
	if err := limits.checkArrays(images.array.size() + labelBytes*labels.count); err != nil {
		return nil, fmt.Errorf("%d images of %v: %w", labels.count, svhnShape, err)
	}
	for _, v := range []*matVariable{images, labels} {
		if err := v.read(); err != nil {
			return nil, err
		}
	}
	labels.dims = []int64{labels.count}
	numbers, err := integers(labels.array)
	if err != nil {
		return nil, fmt.Errorf("y: %w", err)
	}
	d := &Dataset{
		Shape:   svhnShape,
		labels:  numbers,
		read:    inMemory(images.data, svhnShape.Size()),
		content: bytesContent(images.data, svhnShape.Size()),
		sample:  func(i int) string { return fmt.Sprintf("%s, sample %d", path, i) },
	}
	rowsFirst(images.data)
	return d, d.setDigits()
}

// setDigits turns labels, which are 1 to 10, into digits: 10 stands for 0.
func (d *Dataset) setDigits() error {
	var wrong []int
	for i, label := range d.labels {
		switch {
		case label < 1 || label > 10:
			wrong = append(wrong, i)
		case label == 10:
			d.labels[i] = 0
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d labels in y are outside 1 to 10 (10 stands for the digit 0): the first is %d, of sample %d", len(wrong), d.labels[wrong[0]], wrong[0])
	}
	return nil
}

// rowsFirst turns planes of pixels that are stored column by column, in place.
func rowsFirst(pixels []uint8) {
	h, w := svhnShape.Height, svhnShape.Width
	plane := make([]uint8, svhnShape.plane())
	for ; len(pixels) > 0; pixels = pixels[len(plane):] {
		copy(plane, pixels)
		for y := range h {
			for x := range w {
				pixels[y*w+x] = plane[x*h+y]
			}
		}
	}
}
