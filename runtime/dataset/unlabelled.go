package dataset

import (
	"errors"
	"fmt"
	"os"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// OpenImages opens image files, and all images in folders and the folders below them, as a data set without labels: all labels
// are 0. It scales images as in an image folder. Of the options, it uses only Shape, ShortSide and Limits. The error lists all
// paths that do not exist or have no images.
func OpenImages(paths []string, o Options) (*Dataset, error) {
	d := &Dataset{Format: "images", Split: All}
	if err := d.scaleTo(o.Shape); err != nil {
		return nil, fmt.Errorf("opening images: %w", err)
	}
	var files []string
	var faults []error
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if !info.IsDir() {
			files, faults = append(files, path), append(faults, plainfile.Check(path, info))
			continue
		}
		images, others, err := filesBelow(path)
		switch {
		case err != nil:
			faults = append(faults, err)
		case len(images) == 0:
			faults = append(faults, fmt.Errorf("%s holds no PNG or JPEG file", path))
		case len(others) > 0:
			d.Notes = append(d.Notes, fmt.Sprintf("passed over %d files that are not named as PNG or JPEG, the first is %s", len(others), others[0]))
		}
		files = append(files, images...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("opening images: %w", err)
	}
	d.labels = make([]int64, len(files))
	d.sample = func(i int) string { return files[i] }
	d.read = func(i int, dst []uint8) error { return readImage(files[i], d.Shape, o, dst) }
	return d, nil
}

// Name returns a name of sample i: its file, and its index in the file if that has several samples.
func (d *Dataset) Name(i int) string { return d.sample(i) }
