package dataset

import (
	"fmt"
	"math"
	"sync"
)

// resampler scales planes of one size so that they cover another, and cuts out the middle. Each output
// pixel is a weighted mean under a triangle as wide as two pixels of the coarser of the two grids, which is
// bilinear interpolation when enlarging and antialiased when shrinking. Columns are scaled first and
// rounded, then rows, with weights in fixed point: that gives the pixels of Pillow, and so those of
// torchvision's Resize and CenterCrop, on every platform.
type resampler struct {
	rows, columns []taps
	inH, inW      int
	buffers       sync.Pool // of *[]uint8: a plane with its columns scaled
}

// taps are the weights of consecutive input positions for one output position, in units of 2^-weightBits;
// they sum to 1.
type taps struct {
	first   int
	weights []int32
}

// weightBits lets a sum of pixels times weights, below 2^8 · 2^22, fit an int32.
const weightBits = 22

// newResampler scales an inH×inW image so that its shorter side becomes shortSide, then keeps the middle
// outH×outW. A shortSide of 0 takes the smallest that covers the output.
func newResampler(inH, inW, outH, outW, shortSide int) (*resampler, error) {
	short := min(inH, inW)
	if shortSide == 0 {
		shortSide = coveringSide(short, inH, inW, outH, outW)
	}
	scaledH, scaledW := inH*shortSide/short, inW*shortSide/short
	if scaledH < outH || scaledW < outW {
		return nil, fmt.Errorf("an image of %d×%d with its short side scaled to %d is %d×%d, less than the %d×%d to cut out: "+
			"choose a larger short side", inH, inW, shortSide, scaledH, scaledW, outH, outW)
	}
	return &resampler{
		rows:    axisTaps(inH, scaledH, outH),
		columns: axisTaps(inW, scaledW, outW),
		inH:     inH, inW: inW,
	}, nil
}

// coveringSide returns the smallest length of the short side at which inH×inW covers outH×outW.
func coveringSide(short, inH, inW, outH, outW int) int {
	ceil := func(a, b int) int { return (a + b - 1) / b }
	return max(ceil(outH*short, inH), ceil(outW*short, inW))
}

// axisTaps returns the taps of the middle out of scaled positions, to which in positions are scaled.
func axisTaps(in, scaled, out int) []taps {
	step := float64(in) / float64(scaled)
	radius := max(step, 1)
	offset := int(math.RoundToEven(float64(scaled-out) / 2))
	axis := make([]taps, out)
	for o := range axis {
		centre := (float64(o+offset) + 0.5) * step
		first := max(int(centre-radius+0.5), 0)
		end := min(int(centre+radius+0.5), in)
		weights := make([]float64, end-first)
		sum := 0.0
		for i := range weights {
			distance := math.Abs(float64(first+i)+0.5-centre) / radius
			weights[i] = max(1-distance, 0)
			sum += weights[i]
		}
		axis[o] = taps{first, make([]int32, len(weights))}
		for i, w := range weights {
			axis[o].weights[i] = int32(w/sum*(1<<weightBits) + 0.5)
		}
	}
	return axis
}

// image scales every plane of src into dst. It may be called from several goroutines.
func (r *resampler) image(dst, src []uint8) {
	buffer, _ := r.buffers.Get().(*[]uint8)
	if buffer == nil {
		buffer = new(make([]uint8, r.inH*len(r.columns)))
	}
	defer r.buffers.Put(buffer)
	in, out := r.inH*r.inW, len(r.rows)*len(r.columns)
	for ; len(src) >= in && len(dst) >= out; src, dst = src[in:], dst[out:] {
		r.scaleColumns(*buffer, src)
		r.scaleRows(dst, *buffer)
	}
}

func (r *resampler) scaleColumns(dst, src []uint8) {
	last := r.rows[len(r.rows)-1]
	for y := r.rows[0].first; y < last.first+len(last.weights); y++ {
		row, out := src[y*r.inW:][:r.inW], dst[y*len(r.columns):][:len(r.columns)]
		for x, t := range r.columns {
			sum := int32(1 << (weightBits - 1)) // rounds to the nearest
			for i, pixel := range row[t.first:][:len(t.weights)] {
				sum += int32(pixel) * t.weights[i]
			}
			out[x] = uint8(sum >> weightBits)
		}
	}
}

func (r *resampler) scaleRows(dst, src []uint8) {
	width := len(r.columns)
	for y, t := range r.rows {
		for x := range width {
			sum := int32(1 << (weightBits - 1)) // rounds to the nearest
			for i, w := range t.weights {
				sum += int32(src[(t.first+i)*width+x]) * w
			}
			dst[y*width+x] = uint8(sum >> weightBits)
		}
	}
}
