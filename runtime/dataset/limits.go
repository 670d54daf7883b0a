package dataset

import (
	"cmp"
	"fmt"
	"math"

	"github.com/rcfreeze/rcfreeze/internal/budget"
)

// Limits holds upper limits for the sizes that files declare, so that a damaged or malicious file does not use up all memory.
// They are checked before memory is allocated.
type Limits struct {
	Pixels int64 // of an image file; 0 means DefaultPixels
	Bytes  int64 // of memory for the arrays of a split in IDX, CIFAR, SVHN and npz files; 0 means DefaultBytes
}

// NoLimit turns a limit off.
const NoLimit = math.MaxInt64

const (
	// DefaultPixels is Pillow's limit (Image.MAX_IMAGE_PIXELS).
	DefaultPixels = 89_478_485
	// DefaultBytes is the memory that arrays may take: 4 GB.
	DefaultBytes = 4_000_000_000
)

// checkImage returns an error if an image has too many pixels.
func (l Limits) checkImage(width, height int) error {
	most := cmp.Or(l.Pixels, DefaultPixels)
	if width < 1 || height < 1 {
		return fmt.Errorf("an image of %d×%d (height×width), which has no pixels", height, width)
	}
	if int64(width) > most/int64(height) {
		return fmt.Errorf("an image of %d×%d (height×width), which is more than the limit of %d pixels: --max-image-pixels raises it", height, width, most)
	}
	return nil
}

// checkFile returns an error if an image file has more bytes than an image of the largest size needs.
func (l Limits) checkFile(size int64) error {
	const perPixel, rest = 8, 1 << 24 // four channels of two bytes; and metadata
	most := cmp.Or(l.Pixels, DefaultPixels)
	if size-rest > perPixel*min(most, NoLimit/perPixel) {
		return fmt.Errorf("a file of %d bytes, which is more than the limit of %d pixels needs: --max-image-pixels raises it", size, most)
	}
	return nil
}

// checkArrays returns an error if arrays take too many bytes.
func (l Limits) checkArrays(bytes int64) error {
	if most := cmp.Or(l.Bytes, DefaultBytes); bytes > most {
		return fmt.Errorf("it takes %d bytes of memory, which is more than the limit of %d: --max-array-size raises it", bytes, most)
	}
	return nil
}

// decoding is the memory budget for image files that are decoded at the same time. An image that needs more is decoded alone.
var decoding = budget.NewMemory(2 << 30)
