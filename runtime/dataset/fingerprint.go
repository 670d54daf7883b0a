package dataset

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// tastedImages is how many images, spread evenly over the data set, a fingerprint reads as the model gets them.
const tastedImages = 16

// Fingerprint returns a SHA-256, in hexadecimal digits, of what the model gets of the data set: shape, classes, labels and
// pixels. Of images in files of their own it takes the files' names below Path and their sizes, and the pixels of a few:
// reading all of them would take too long. The error says which file cannot be read.
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
	if err := d.content(w); err != nil {
		return err
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

// bytesContent returns a content function for pixels in memory.
func bytesContent(pieces ...[]byte) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, piece := range pieces {
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}
}

// filesContent returns a content function for images in files below a folder.
func filesContent(folder string, files []string) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(folder, file)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%q %d\n", filepath.ToSlash(name), info.Size()); err != nil {
				return err
			}
		}
		return nil
	}
}
