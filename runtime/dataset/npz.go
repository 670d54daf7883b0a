package dataset

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/archive"
)

// npzNames lists the names that a split's arrays may have, in upper or lower case. {split} stands for a name of the split.
var npzNames = []struct{ images, labels string }{
	{"x_{split}", "y_{split}"},
	{"{split}_images", "{split}_labels"},
}

// The names of the arrays in a file without splits.
const npzAllImages, npzAllLabels = "images", "labels"

func detectNPZ(path string) bool { return strings.ToLower(filepath.Ext(path)) == ".npz" }

// openNPZ opens a NumPy archive. Images are [N,H,W], [N,H,W,C] or [N,C,H,W]; see [channelAxis]. Labels are
// [N] or [N,1].
func openNPZ(path string, o Options) (*Dataset, error) {
	a, err := archive.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading it as a NumPy archive: %w", err)
	}
	defer a.Close()
	return readNPZ(a.Reader, path, o)
}

func readNPZ(z *zip.Reader, path string, o Options) (*Dataset, error) {
	members := map[string]*zip.File{}
	for _, f := range z.File {
		members[strings.ToLower(strings.TrimSuffix(f.Name, ".npy"))] = f
	}
	imagesName, labelsName, split, err := chooseArrays(members, o.Split)
	if err != nil {
		return nil, err
	}
	images, err := openMember(members[imagesName])
	if err != nil {
		return nil, fmt.Errorf("reading array %s: %w", imagesName, err)
	}
	defer images.Close()
	labels, err := openMember(members[labelsName])
	if err != nil {
		return nil, fmt.Errorf("reading array %s: %w", labelsName, err)
	}
	defer labels.Close()
	d := &Dataset{
		Path:   path,
		Split:  split,
		sample: func(i int) string { return fmt.Sprintf("%s, array %s, sample %d", path, imagesName, i) },
	}
	if err := checkArrays(images.array, labels.array, imagesName, labelsName, o.Limits); err != nil {
		return nil, err
	}
	if err := images.read(); err != nil {
		return nil, fmt.Errorf("reading array %s: %w", imagesName, err)
	}
	if err := labels.read(); err != nil {
		return nil, fmt.Errorf("reading array %s: %w", labelsName, err)
	}
	if err := d.setImages(images.array); err != nil {
		return nil, fmt.Errorf("array %s: %w", imagesName, err)
	}
	if d.labels, err = integers(labels.array); err != nil {
		return nil, fmt.Errorf("array %s: %w", labelsName, err)
	}
	return d, nil
}

// checkArrays returns an error if the sizes of the arrays are not those of images and their labels, or too large.
func checkArrays(images, labels *array, imagesName, labelsName string, limits Limits) error {
	if _, err := channelAxis(images.dims); err != nil {
		return fmt.Errorf("array %s: %w", imagesName, err)
	}
	if err := checkLabelDims(labels.dims); err != nil {
		return fmt.Errorf("array %s: %w", labelsName, err)
	}
	if labels.count != images.dims[0] {
		return fmt.Errorf("%d images in array %s, but %d labels in %s", images.dims[0], imagesName, labels.count, labelsName)
	}
	need := images.size() + labels.count*labelBytes
	if images.dtype.size > 1 {
		need += images.count // one byte per pixel
	}
	if err := limits.checkArrays(need); err != nil {
		return fmt.Errorf("array %s has shape %v: %w", imagesName, images.dims, err)
	}
	return nil
}

// chooseArrays returns the names of the arrays with images and labels to use for a split, and which split they are.
func chooseArrays(members map[string]*zip.File, asked Split) (images, labels string, is Split, err error) {
	for _, split := range instead[asked] {
		for _, name := range splitNames[split] {
			for _, names := range npzNames {
				images := strings.ReplaceAll(names.images, "{split}", name)
				labels := strings.ReplaceAll(names.labels, "{split}", name)
				if members[images] != nil && members[labels] != nil {
					return images, labels, split, nil
				}
			}
		}
	}
	if members[npzAllImages] != nil && members[npzAllLabels] != nil {
		return npzAllImages, npzAllLabels, All, nil
	}
	var wanted []string
	for _, names := range npzNames {
		wanted = append(wanted, strings.ReplaceAll(names.images+" with "+names.labels, "{split}", string(asked)))
	}
	return "", "", "", fmt.Errorf("no arrays of the %s split: needs %s, or %s with %s; has %s", asked, strings.Join(wanted, ", or "),
		npzAllImages, npzAllLabels, strings.Join(slices.Sorted(maps.Keys(members)), ", "))
}

// member is an array of an archive whose header was read.
type member struct {
	io.ReadCloser
	*array
}

// openMember reads the header of an array. It fails if the archive has less data than the header says.
func openMember(f *zip.File) (*member, error) {
	if err := archive.CheckSize(f); err != nil {
		return nil, err
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	a, err := openNPY(r, int64(f.UncompressedSize64))
	if err != nil {
		r.Close()
		return nil, err
	}
	return &member{r, a}, nil
}

// read reads the elements.
func (m *member) read() error {
	var err error
	m.data, err = archive.ReadExactly(m.ReadCloser, m.size())
	return err
}

func checkLabelDims(dims []int64) error {
	if len(dims) != 1 && !(len(dims) == 2 && dims[1] == 1) {
		return fmt.Errorf("labels have shape %v, needs [N] or [N 1] with the class numbers (of one-hot labels, save the argmax)", dims)
	}
	return nil
}

// integers returns the elements of an array as labels.
func integers(a *array) ([]int64, error) {
	out := make([]int64, a.dims[0])
	for i := range out {
		v := a.at(i)
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return nil, fmt.Errorf("label %d is %v, needs a class number", i, v)
		}
		out[i] = int64(v)
	}
	return out, nil
}

// setImages sets the read function for pixels, and their shape.
func (d *Dataset) setImages(a *array) error {
	channels, err := channelAxis(a.dims)
	if err != nil {
		return err
	}
	pixels, exact, err := toBytes(a)
	if err != nil {
		return err
	}
	if !exact {
		d.Notes = append(d.Notes, "images of real numbers were rounded to 256 levels")
	}
	switch dims := a.dims; channels {
	case 0:
		d.Shape = Shape{1, int(dims[1]), int(dims[2])}
	case 1:
		d.Shape = Shape{int(dims[1]), int(dims[2]), int(dims[3])}
	case 3:
		d.Shape = Shape{int(dims[3]), int(dims[1]), int(dims[2])}
		channelsFirst(pixels, d.Shape)
	}
	d.read, d.content = inMemory(pixels, d.Shape.Size()), bytesContent(pixels, d.Shape.Size())
	return nil
}

// channelAxis returns the axis of the channels in an array of images: the shorter one of axes 1 and 3, or 0 if the array has
// three axes, [N,H,W].
func channelAxis(dims []int64) (int, error) {
	switch {
	case len(dims) == 3:
		return 0, nil
	case len(dims) != 4:
		return 0, fmt.Errorf("images have shape %v, needs [N H W], [N H W C] or [N C H W]", dims)
	case dims[1] < dims[3]:
		return 1, nil
	case dims[3] < dims[1]:
		return 3, nil
	}
	return 0, fmt.Errorf("images have shape %v: axes 1 and 3 are equally long, so either may be the channels; "+
		"save one channel as [N H W], or more as one image folder", dims)
}

// toBytes returns elements as pixels from 0 to 255. Integers stay as they are; real numbers in [0,1] are multiplied by 255 and
// rounded. exact is true if all real numbers were pixels divided by 255, except for the rounding of their type.
func toBytes(a *array) (pixels []uint8, exact bool, err error) {
	if a.dtype.name == "|u1" {
		return a.data, true, nil
	}
	scale, limits := 255.0, "real numbers in [0,1]: divide by their maximum, or save them as uint8"
	if a.dtype.whole {
		scale, limits = 1, "integers from 0 to 255"
	}
	exact = true
	pixels = make([]uint8, len(a.data)/a.dtype.size)
	perSample := len(pixels) / int(a.dims[0])
	for i := range pixels {
		v := a.at(i)
		scaled := v * scale
		if !(scaled >= 0 && scaled <= 255) {
			return nil, false, fmt.Errorf("sample %d has the value %v, needs %s", i/perSample, v, limits)
		}
		rounded := math.Round(scaled)
		exact = exact && math.Abs(rounded-scaled) < 1e-3
		pixels[i] = uint8(rounded)
	}
	return pixels, exact, nil
}

// channelsFirst converts interleaved images [N,H,W,C] to planar ones [N,C,H,W], in place.
func channelsFirst(pixels []uint8, s Shape) {
	planar := make([]uint8, s.Size())
	for ; len(pixels) > 0; pixels = pixels[len(planar):] {
		image := pixels[:len(planar)]
		for c := range s.Channels {
			plane := planar[c*s.plane():][:s.plane()]
			for i := range plane {
				plane[i] = image[i*s.Channels+c]
			}
		}
		copy(image, planar)
	}
}
