package dataset

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"slices"
)

// resampler scales planes so that they cover another size, and crops them at the center. Each output pixel is a mean with
// triangular weights, and the triangle is as wide as two pixels of the coarser grid. This is bilinear interpolation when
// enlarging, and antialiased when shrinking. Columns are scaled first and rounded, then rows, with weights in fixed point. The
// result has exactly the pixels of Pillow, and so of torchvision's Resize and CenterCrop, on every platform.
type resampler struct {
	rows, columns axis // rows are counted from top
	top           int  // the first row of the source that is read
	inH, inW      int
}

// axis describes the scaling along one axis: each output position is a weighted sum of consecutive input positions.
type axis struct {
	first   []int      // the first input position of each output position
	span    int        // number of input positions in each sum: a multiple of 4, padded with weights of 0
	weights [][]uint64 // for each output position, in units of 2^-weightBits; their sum is 1
	end     int        // one after the last input position that has a weight
}

// weightBits is chosen so that a sum of pixels times weights, below 2^8 · 2^22, fits into half of a uint64.
const weightBits = 22

// newResampler scales an inH×inW image so that its shorter side becomes shortSide, then keeps the middle outH×outW. A shortSide
// of 0 means the smallest that covers the output.
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
	r := &resampler{
		rows:    newAxis(inH, scaledH, outH),
		columns: newAxis(inW, scaledW, outW),
		inH:     inH, inW: inW,
	}
	r.top = r.rows.first[0]
	for o := range r.rows.first {
		r.rows.first[o] -= r.top
	}
	r.rows.end -= r.top
	return r, nil
}

// coveringSide returns the smallest length of the short side at which inH×inW covers outH×outW.
func coveringSide(short, inH, inW, outH, outW int) int {
	ceil := func(a, b int) int { return (a + b - 1) / b }
	return max(ceil(outH*short, inH), ceil(outW*short, inW))
}

// newAxis scales in positions to scaled positions, and returns the sums for the out positions in the middle.
func newAxis(in, scaled, out int) axis {
	step := float64(in) / float64(scaled)
	radius := max(step, 1)
	offset := int(math.RoundToEven(float64(scaled-out) / 2))
	center := func(o int) float64 { return (float64(o+offset) + 0.5) * step }
	a := axis{first: make([]int, out), weights: make([][]uint64, out)}
	for o := range out {
		a.first[o] = max(int(center(o)-radius+0.5), 0)
		a.end = min(int(center(o)+radius+0.5), in)
		a.span = max(a.span, a.end-a.first[o])
	}
	a.span = (a.span + 3) / 4 * 4
	all := make([]uint64, out*a.span)
	for o, first := range a.first {
		a.weights[o] = all[o*a.span:][:a.span]
		end := min(int(center(o)+radius+0.5), in)
		weight := func(i int) float64 { return max(1-math.Abs(float64(i)+0.5-center(o))/radius, 0) }
		sum := 0.0
		for i := first; i < end; i++ {
			sum += weight(i)
		}
		for i := first; i < end; i++ {
			a.weights[o][i-first] = uint64(weight(i)/sum*(1<<weightBits) + 0.5)
		}
	}
	return a
}

// window returns the pixels that image reads.
func (r *resampler) window() image.Rectangle {
	return image.Rect(r.columns.first[0], r.top, r.columns.end, r.top+r.rows.end)
}

// room returns how many more bytes must follow the planes that image scales, because it reads two lines at a time, and pixels
// with a weight of 0.
func (r *resampler) room() int { return r.inW + r.columns.span }

// image scales every plane of src into dst. src must have room more bytes. Several goroutines may call image.
func (r *resampler) image(dst, src []uint8) {
	height, width := len(r.rows.first), len(r.columns.first)
	in, out, lines := r.inH*r.inW, height*width, r.rows.end
	turned := borrow(width*lines + lines + r.rows.span) // only the lines that are read: in a long strip, these are few
	defer turned.giveBack()
	for ; len(dst) > 0; src, dst = src[in:], dst[out:] {
		r.columns.scale(turned.data, src[r.top*r.inW:], lines, r.inW)
		r.rows.scale(dst, turned.data, width, lines)
	}
}

// Two lines are scaled at a time, one in each half of a uint64. No sum overflows its half.
const (
	bothPixels = 0xff<<32 | 0xff
	bothHalves = 1<<(32+weightBits-1) | 1<<(weightBits-1) // for rounding to nearest
)

// scale scales the lines of src, which have the given length, and writes them as columns of dst: element o of line y becomes
// dst[o·lines + y].
func (a *axis) scale(dst, src []uint8, lines, length int) {
	halves := slices.Repeat([]uint64{bothHalves}, (lines+1)/2)
	sums := make([]uint64, len(halves))
	last := a.span - 4
	for o, first := range a.first {
		before, at := halves, src[first:]
		for i := 0; i < last; i += 4 {
			addFour(sums, before, at[i:], length, (*[4]uint64)(a.weights[o][i:]))
			before = sums
		}
		writeFour(dst[o*lines:][:lines], before, at[last:], length, (*[4]uint64)(a.weights[o][last:]))
	}
}

// addFour computes sums for each two lines of src: the sums before, plus the first four pixels of the lines times the weights.
func addFour(sums, before []uint64, src []uint8, length int, weights *[4]uint64) {
	before = before[:len(sums)]
	at := 0
	for k := range sums {
		sums[k] = before[k] + weighFour(src, at, length, weights)
		at += 2 * length
	}
}

// writeFour adds the last four pixels of each line to the sums before, and writes the resulting pixels.
func writeFour(out []uint8, before []uint64, src []uint8, length int, weights *[4]uint64) {
	at := 0
	for k, sum := range before {
		sum += weighFour(src, at, length, weights)
		if 2*k+1 == len(out) {
			out[2*k] = uint8(sum >> weightBits)
			break
		}
		binary.LittleEndian.PutUint16(out[2*k:], uint16(uint8(sum>>weightBits))|uint16(uint8(sum>>(32+weightBits)))<<8)
		at += 2 * length
	}
}

// weighFour returns the sum of four pixels times the weights: for one line in the lower half, and for the next line in the upper
// half.
func weighFour(src []uint8, at, length int, w *[4]uint64) uint64 {
	v := uint64(binary.LittleEndian.Uint32(src[at:])) | uint64(binary.LittleEndian.Uint32(src[at+length:]))<<32
	return (v&bothPixels)*w[0] + (v>>8&bothPixels)*w[1] + (v>>16&bothPixels)*w[2] + (v>>24&bothPixels)*w[3]
}
