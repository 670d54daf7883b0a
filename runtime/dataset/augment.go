package dataset

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Augmentation is a random change of a training image. It changes the raw pixels, before normalization.
type Augmentation struct {
	text string
	// apply writes the changed src to dst; both are planar and of shape s. It draws random numbers only from r, always the same
	// number of them.
	apply func(r *rand.Rand, s Shape, dst, src []uint8)
}

// String returns the form that [ParseAugmentations] reads.
func (a Augmentation) String() string { return a.text }

// augmentations are the kinds that ParseAugmentations knows.
var augmentations = []struct {
	name  string
	usage string
	parse func(argument string) (func(r *rand.Rand, s Shape, dst, src []uint8), error)
}{
	{"pad-crop", "pad-crop=4: pad by 4 zero pixels on each side, then crop the old size at random", parsePadCrop},
	{"flip", "flip=0.5: mirror left and right with probability 0.5", parseFlip},
}

// ParseAugmentations reads a list such as "pad-crop=4,flip=0.5", applied in this order. An empty text means none.
func ParseAugmentations(text string) ([]Augmentation, error) {
	var list []Augmentation
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		a, err := parseAugmentation(part)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func parseAugmentation(text string) (Augmentation, error) {
	name, argument, _ := strings.Cut(text, "=")
	var usages []error
	for _, kind := range augmentations {
		if kind.name == name {
			apply, err := kind.parse(argument)
			if err != nil {
				return Augmentation{}, fmt.Errorf("augmentation %q: %w; write %s", text, err, kind.usage)
			}
			return Augmentation{text, apply}, nil
		}
		usages = append(usages, errors.New("  "+kind.usage))
	}
	return Augmentation{}, errors.Join(fmt.Errorf("unknown augmentation %q; the augmentations are", name), errors.Join(usages...))
}

func parsePadCrop(argument string) (func(*rand.Rand, Shape, []uint8, []uint8), error) {
	pad, err := strconv.Atoi(argument)
	if err != nil || pad < 1 || pad > 1<<16 {
		return nil, fmt.Errorf("%q is not a number of pixels above 0", argument)
	}
	return func(r *rand.Rand, s Shape, dst, src []uint8) {
		down, right := r.IntN(2*pad+1)-pad, r.IntN(2*pad+1)-pad
		for c := range s.Channels {
			from := c * s.plane()
			shift(dst[from:][:s.plane()], src[from:][:s.plane()], s.Width, down, right)
		}
	}, nil
}

// shift writes to dst the part of the plane src in a window that is moved down and right. Pixels outside src are zero.
func shift(dst, src []uint8, width, down, right int) {
	height := len(src) / width
	left, end := max(0, -right), min(width, width-right) // the columns of dst inside src
	for y := range height {
		row := dst[y*width:][:width]
		from := y + down
		if from < 0 || from >= height || left >= end {
			clear(row)
			continue
		}
		clear(row[:left])
		copy(row[left:end], src[from*width+left+right:])
		clear(row[end:])
	}
}

func parseFlip(argument string) (func(*rand.Rand, Shape, []uint8, []uint8), error) {
	probability, err := strconv.ParseFloat(argument, 64)
	if err != nil || !(probability >= 0 && probability <= 1) {
		return nil, fmt.Errorf("%q is not a probability from 0 to 1", argument)
	}
	return func(r *rand.Rand, s Shape, dst, src []uint8) {
		if r.Float64() >= probability {
			copy(dst, src)
			return
		}
		for y := 0; y < len(src); y += s.Width {
			from, to := src[y:][:s.Width], dst[y:][:s.Width]
			for x, v := range from {
				to[len(to)-1-x] = v
			}
		}
	}, nil
}
