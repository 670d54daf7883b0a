package dataset

import (
	"fmt"
	"io"
)

// Shape is the shape of one image, [C, H, W].
type Shape struct{ Channels, Height, Width int }

// Size returns the number of elements of an image.
func (s Shape) Size() int { return s.Channels * s.Height * s.Width }

// Dims returns the shape as dims of a tensor, [C, H, W].
func (s Shape) Dims() []int64 { return []int64{int64(s.Channels), int64(s.Height), int64(s.Width)} }

// Batch returns the dims of a tensor with the given number of images, [N, C, H, W].
func (s Shape) Batch(images int) []int64 { return append([]int64{int64(images)}, s.Dims()...) }

// String returns the shape as "3×32×32".
func (s Shape) String() string {
	return fmt.Sprintf("%d×%d×%d", s.Channels, s.Height, s.Width)
}

// plane returns the number of elements of one channel.
func (s Shape) plane() int { return s.Height * s.Width }

// Dataset is one split of a labeled image set. It does not change after [Open], and its methods may be
// called from several goroutines.
type Dataset struct {
	Path    string   // the file or folder that holds the split
	Format  string   // a name of [Formats]
	Split   Split    // the split that was opened, which may be another than the one asked for (see [Open])
	Classes []string // names in label order; the model's names, if known
	Shape   Shape    // shape of every sample
	Limit   int      // as in [Options]: the split may have more samples than these
	Notes   []string // sentences for the user about what was skipped or rounded

	labels []int64
	named  bool // the format names its classes; otherwise Classes are the numbers 0, 1, …
	scales bool // read scales images, which may have any size, to Shape
	// read writes the pixels of sample i, planar and as long as Shape says, to dst.
	read func(i int, dst []uint8) error
	// content writes bytes that identify the pixels of sample i, as they are in its file.
	content func(w io.Writer, i int) error
	// sample returns a name of sample i for messages: its file, and its index in the file if that has several samples.
	sample func(i int) string
}

// Len returns the number of samples.
func (d *Dataset) Len() int { return len(d.labels) }

// Decodes reports whether samples are decoded from image files whenever they are read, which takes far longer than from memory.
func (d *Dataset) Decodes() bool { return d.scales }

// ClassesHere returns how many of the classes have samples in this split.
func (d *Dataset) ClassesHere() int {
	here := map[int64]bool{}
	for _, label := range d.labels {
		here[label] = true
	}
	return len(here)
}

// Label returns the label of sample i, an index into Classes.
func (d *Dataset) Label(i int) int64 { return d.labels[i] }

// Pixels writes sample i to dst, which must have Shape.Size() elements: planar [C, H, W], 0 to 255. The
// error names the sample's file.
func (d *Dataset) Pixels(i int, dst []uint8) error {
	if err := d.read(i, dst); err != nil {
		return fmt.Errorf("reading %s: %w", d.sample(i), err)
	}
	return nil
}

// inMemory returns a read function for pixels in memory, in which the samples follow one another.
func inMemory(pixels []uint8, size int) func(i int, dst []uint8) error {
	return func(i int, dst []uint8) error {
		copy(dst, pixels[i*size:][:size])
		return nil
	}
}
