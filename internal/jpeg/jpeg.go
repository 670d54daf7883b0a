/*
Package jpeg decodes JPEG images to the very pixels that libjpeg-turbo gives with its default settings, and so Pillow and
torchvision. The standard library's decoder differs: it takes for each pixel the nearest stored color, where libjpeg mixes
the nearest two or four ("fancy upsampling"), and it refuses some ways to store colors.

It reads baseline, extended and progressive JPEGs of 8 bits with Huffman coding; grayscale, YCbCr, RGB, CMYK and YCCK; and
every whole ratio between the components' sizes. It refuses JPEGs with arithmetic coding, of 12 bits, and without loss, as well as
damaged and truncated ones. Metadata does not change the pixels: an orientation that EXIF tells is not applied.

The format is ITU-T T.81, with JFIF's and Adobe's conventions about colors.
*/
package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The markers that matter, each after a byte 0xff.
const (
	startOfFrame0   = 0xc0 // baseline
	startOfFrame1   = 0xc1 // extended
	startOfFrame2   = 0xc2 // progressive
	startOfFrame15  = 0xcf
	huffmanTables   = 0xc4
	reserved        = 0xc8
	arithmetic      = 0xcc
	restart0        = 0xd0
	restart7        = 0xd7
	startOfImage    = 0xd8
	endOfImage      = 0xd9
	startOfScan     = 0xda
	quantization    = 0xdb
	numberOfLines   = 0xdc
	restartInterval = 0xdd
	app0            = 0xe0
	app14           = 0xee
	temporary       = 0x01
)

// Prefix is how every JPEG begins.
const Prefix = "\xff\xd8"

var errTruncated = errors.New("the file ends too early: it is truncated")

// Image is a decoded image, whose components may still be stored at different sizes.
type Image struct {
	width, height int
	components    []*component
	colors        colors
}

// Size returns how many pixels wide and high the image is.
func (m *Image) Size() (width, height int) { return m.width, m.height }

// component is one of the planes that an image is stored as: luminance, a color difference, or a color.
type component struct {
	id            byte
	h, v          int // how many blocks of it there are in a unit (MCU) of the image, across and down
	quantizer     byte
	width, height int // in samples, without what fills up the last blocks
	acrossX, down int // how many pixels have a sample in common
	blocks        int // in a line of blocks
	stride        int
	samples       []uint8
	quant         *[64]int32 // by which coefficients are multiplied, in natural order; nil before the first scan
	coefficients  [][64]int16
	prediction    int32 // of the next block's mean
	dc, ac        *huffman
}

// decoder reads the segments of a file.
type decoder struct {
	Image
	data        []byte
	pos         int
	allow       func(width, height int, memory int64) error
	progressive bool
	maxH, maxV  int // the largest of the components' h and v
	quant       [4]*[64]int32
	dc, ac      [4]*huffman
	interval    int // of restarts, in units; 0 for none
	jfif        bool
	adobe       bool
	transform   byte // of colors, as Adobe's segment tells
	bits        bits
	scans       int
	endOfBand   int // how many further blocks have no more coefficients in a progressive scan
}

// Decode decodes a file. Before it allocates memory for the pixels, it calls allow with the size of the image and about how many
// bytes it needs. If allow returns an error, Decode returns it.
func Decode(data []byte, allow func(width, height int, memory int64) error) (*Image, error) {
	d := &decoder{data: data, allow: allow}
	if !bytes.HasPrefix(data, []byte(Prefix)) {
		return nil, errors.New("not a JPEG: it does not begin with ff d8")
	}
	d.pos = len(Prefix)
	for {
		marker, err := d.marker()
		if err != nil {
			return nil, err
		}
		if marker == endOfImage {
			break
		}
		if restart0 <= marker && marker <= restart7 || marker == temporary {
			continue // they have no content; a restart that is left over does no harm
		}
		segment, err := d.segment()
		if err != nil {
			return nil, err
		}
		if err := d.read(marker, segment); err != nil {
			return nil, err
		}
	}
	return d.finish()
}

// marker returns the next marker. Like all decoders, it skips bytes that belong to nothing.
func (d *decoder) marker() (byte, error) {
	for {
		i := bytes.IndexByte(d.data[d.pos:], 0xff)
		if i < 0 || d.pos+i+1 == len(d.data) {
			return 0, errTruncated
		}
		d.pos += i + 1
		if m := d.data[d.pos]; m != 0 && m != 0xff {
			d.pos++
			return m, nil
		}
	}
}

// segment returns the content of the segment whose marker was read.
func (d *decoder) segment() ([]byte, error) {
	rest := d.data[d.pos:]
	if len(rest) < 2 {
		return nil, errTruncated
	}
	n := int(binary.BigEndian.Uint16(rest))
	switch {
	case n < 2:
		return nil, errors.New("a segment is shorter than its head")
	case n > len(rest):
		return nil, errTruncated
	}
	d.pos += n
	return rest[2:n], nil
}

func (d *decoder) read(marker byte, segment []byte) error {
	switch marker {
	case startOfFrame0, startOfFrame1, startOfFrame2:
		d.progressive = marker == startOfFrame2
		return d.readFrame(segment)
	case huffmanTables:
		return d.readHuffman(segment)
	case quantization:
		return d.readQuantization(segment)
	case startOfScan:
		return d.readScan(segment)
	case numberOfLines:
		return errors.New("a JPEG that gives its height at the end (DNL), which is not supported: save it again")
	case restartInterval:
		if len(segment) != 2 {
			return errors.New("the restart interval has a wrong length")
		}
		d.interval = int(binary.BigEndian.Uint16(segment))
	case app0:
		d.jfif = d.jfif || len(segment) >= 14 && bytes.HasPrefix(segment, []byte("JFIF\x00"))
	case app14:
		if len(segment) >= 12 && bytes.HasPrefix(segment, []byte("Adobe")) {
			d.adobe, d.transform = true, segment[11]
		}
	case arithmetic:
		return errors.New("a JPEG with arithmetic coding, which is not supported: save it with Huffman coding")
	default:
		if startOfFrame0 <= marker && marker <= startOfFrame15 && marker != reserved {
			return fmt.Errorf("a %s JPEG (frame %#x), which is not supported: save it as a baseline or progressive JPEG", kindOfFrame(marker), marker)
		}
	}
	return nil
}

// kindOfFrame says what a frame is that is not read.
func kindOfFrame(marker byte) string {
	switch low := marker & 3; {
	case low == 3:
		return "lossless"
	case marker < reserved:
		return "hierarchical"
	}
	return "arithmetically coded"
}

func (d *decoder) readFrame(segment []byte) error {
	if d.components != nil {
		return errors.New("it has two frames")
	}
	if len(segment) < 6 || len(segment) != 6+3*int(segment[5]) {
		return errors.New("the frame's head has a wrong length")
	}
	if segment[0] != 8 {
		return fmt.Errorf("a JPEG of %d bits per sample, which is not supported: save it with 8", segment[0])
	}
	d.height, d.width = int(binary.BigEndian.Uint16(segment[1:])), int(binary.BigEndian.Uint16(segment[3:]))
	if d.height == 0 || d.width == 0 {
		return fmt.Errorf("an image of %d×%d (height×width), which has no pixels", d.height, d.width)
	}
	n := int(segment[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("a JPEG of %d components: needs 1, 3 or 4", n)
	}
	for i := range n {
		at := segment[6+3*i:]
		c := &component{id: at[0], h: int(at[1] >> 4), v: int(at[1] & 15), quantizer: at[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quantizer > 3 {
			return fmt.Errorf("component %d has sampling factors %d×%d and quantization table %d: needs 1 to 4, and 0 to 3", i+1, c.h, c.v, c.quantizer)
		}
		d.components = append(d.components, c)
	}
	if n == 1 {
		d.components[0].h, d.components[0].v = 1, 1 // a single component has nothing to be sampled more coarsely than
	}
	return d.layOut()
}

// layOut settles how large the components are.
func (d *decoder) layOut() error {
	for _, c := range d.components {
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
	}
	all := 0
	for i, c := range d.components {
		if d.maxH%c.h != 0 || d.maxV%c.v != 0 {
			return fmt.Errorf("component %d has %d×%d samples for %d×%d of another, which is not a whole ratio: save the image again", i+1, c.h, c.v, d.maxH, d.maxV)
		}
		c.acrossX, c.down = d.maxH/c.h, d.maxV/c.v
		c.width, c.height = ceil(d.width, c.acrossX), ceil(d.height, c.down)
		c.blocks = ceil(d.width, 8*d.maxH) * c.h
		c.stride = 8 * c.blocks
		all += c.blocks * ceil(d.height, 8*d.maxV) * c.v
	}
	memory := 64 * int64(all)
	if d.progressive {
		memory += 128 * int64(all) // coefficients, of two bytes
	}
	if err := d.allow(d.width, d.height, memory); err != nil {
		return err
	}
	if all/8 > len(d.data) { // every block takes a bit at least
		return errTruncated
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// lines returns how many lines of blocks a component has.
func (d *decoder) lines(c *component) int { return ceil(d.height, 8*d.maxV) * c.v }

func (d *decoder) readQuantization(segment []byte) error {
	for len(segment) > 0 {
		table, wide := segment[0]&15, segment[0]>>4
		size := 64 * (1 + int(wide))
		if table > 3 || wide > 1 || len(segment) < 1+size {
			return errors.New("a quantization table is damaged")
		}
		var q [64]int32
		for i := range q {
			v := int32(segment[1+i*int(1+wide)])
			if wide == 1 {
				v = v<<8 | int32(segment[2+2*i])
			}
			q[zigzag[i]] = v
		}
		d.quant[table] = &q
		segment = segment[1+size:]
	}
	return nil
}

// finish returns the image after its last segment.
func (d *decoder) finish() (*Image, error) {
	if d.components == nil {
		return nil, errors.New("it has no frame")
	}
	for i, c := range d.components {
		if c.quant == nil {
			return nil, fmt.Errorf("component %d of %d has no data", i+1, len(d.components))
		}
		if d.progressive {
			d.transformAll(c)
		}
	}
	d.colors = d.storedColors()
	return &d.Image, nil
}
