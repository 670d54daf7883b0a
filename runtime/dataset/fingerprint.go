package dataset

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// tastedImages is how many images a fingerprint reads as the model gets them. They are spread evenly over the data set.
const tastedImages = 16

// Fingerprint returns a SHA-256, in hexadecimal digits, of the data that a model gets from the data set: shape, classes, labels
// and pixels. For images in separate files, it uses the names of the files below Path, their sizes, and the pixels of a few,
// because reading all of them would take too long. The error names a file that cannot be read.
func (d *Dataset) Fingerprint() (string, error) {
	h := sha256.New()
	if err := d.identify(h); err != nil {
		return "", fmt.Errorf("identifying the data set %s: %w", d.Path, err)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func (d *Dataset) identify(w io.Writer) error {
	if err := json.NewEncoder(w).Encode([]any{d.Shape, d.Classes, d.labels}); err != nil {
		return err
	}
	for i := range d.Len() {
		if err := d.content(w, i); err != nil {
			return err
		}
	}
	pixels := make([]uint8, d.Shape.Size())
	n := min(tastedImages, d.Len())
	for i := range n {
		if err := d.Pixels(i*d.Len()/n, pixels); err != nil {
			return err
		}
		if _, err := w.Write(pixels); err != nil {
			return err
		}
	}
	return nil
}

// bytesContent returns a content function for pixels in memory, in which the samples follow one another.
func bytesContent(pixels []byte, size int) func(io.Writer, int) error {
	return func(w io.Writer, i int) error {
		_, err := w.Write(pixels[i*size:][:size])
		return err
	}
}

// filesContent returns a content function for images in files below a folder.
func filesContent(folder string, files []string) func(io.Writer, int) error {
	return func(w io.Writer, i int) error {
		info, err := os.Stat(files[i])
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, files[i])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%q %d\n", filepath.ToSlash(name), info.Size())
		return err
	}
}
