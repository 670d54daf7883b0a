package jpeg

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// scan is what one scan holds of the components: in progressive JPEGs a band of coefficients and some of their bits.
type scan struct {
	components  []*component
	first, last int  // of the coefficients, in zigzag order
	high, low   uint // the bit above and the lowest bit that are known after; high is 0 in a band's first scan
}

// mostScans limits the number of scans of a file, because a progressive scan of all pixels can take only a few bytes. Encoders
// write about ten.
const mostScans = 100

func (d *decoder) readScan(segment []byte) error {
	if d.scans++; d.scans > mostScans {
		return fmt.Errorf("it has more than %d scans, more than any encoder writes: save the image again", mostScans)
	}
	s, err := d.scanHead(segment)
	if err != nil {
		return err
	}
	for _, c := range s.components {
		if err := d.begin(c); err != nil {
			return err
		}
	}
	across, down := ceil(d.width, 8*d.maxH), ceil(d.height, 8*d.maxV)
	if len(s.components) == 1 { // then a unit is one block, and there are none that only fill up
		c := s.components[0]
		across, down = ceil(c.width, 8), ceil(c.height, 8)
	}
	if err := d.nextData(s); err != nil {
		return err
	}
	for unit := range across * down {
		if d.interval > 0 && unit > 0 && unit%d.interval == 0 {
			if err := d.restart(s, unit/d.interval-1); err != nil {
				return err
			}
		}
		if err := d.unit(s, unit%across, unit/across); err != nil {
			return err
		}
	}
	return nil
}

// scanHead reads what a scan is about.
func (d *decoder) scanHead(segment []byte) (scan, error) {
	s := scan{last: 63}
	if d.components == nil {
		return s, errors.New("a scan comes before the frame")
	}
	if len(segment) < 1 || segment[0] < 1 || len(segment) != 4+2*int(segment[0]) {
		return s, errors.New("a scan's head has a wrong length")
	}
	n := int(segment[0])
	blocks := 0
	for i := range n {
		id, tables := segment[1+2*i], segment[2+2*i]
		at := slices.IndexFunc(d.components, func(c *component) bool { return c.id == id && !slices.Contains(s.components, c) })
		if at < 0 {
			return s, fmt.Errorf("a scan has data of component %d, which does not exist or is there twice", id)
		}
		c := d.components[at]
		if tables>>4 > 3 || tables&15 > 3 {
			return s, errors.New("a scan refers to an invalid Huffman table")
		}
		c.dc, c.ac = cmp.Or(d.dc[tables>>4], standard().dc[tables>>4]), cmp.Or(d.ac[tables&15], standard().ac[tables&15])
		s.components = append(s.components, c)
		blocks += c.h * c.v
	}
	if n > 1 && blocks > 10 {
		return s, fmt.Errorf("a scan has %d blocks in a unit: JPEG allows 10", blocks)
	}
	if d.progressive {
		at := segment[1+2*n:]
		s.first, s.last, s.high, s.low = int(at[0]), int(at[1]), uint(at[2]>>4), uint(at[2]&15)
		if s.last > 63 || s.first > s.last || s.first == 0 && s.last > 0 || s.first > 0 && n > 1 || s.low > 13 || s.high > 0 && s.high != s.low+1 {
			return s, errors.New("a progressive scan has an invalid band of coefficients")
		}
	}
	for _, c := range s.components {
		needsDC, needsAC := s.first == 0 && s.high == 0, s.last > 0
		if needsDC && c.dc == nil || needsAC && c.ac == nil {
			return s, errors.New("a scan needs a Huffman table that is not in the file")
		}
	}
	return s, nil
}

// begin prepares a component for its first scan.
func (d *decoder) begin(c *component) error {
	if c.quant != nil {
		return nil
	}
	if c.quant = d.quant[c.quantizer]; c.quant == nil {
		return errors.New("a component needs a quantization table that is not in the file")
	}
	c.samples = make([]uint8, c.stride*8*d.lines(c))
	if d.progressive {
		c.coefficients = make([][64]int16, c.blocks*d.lines(c))
	}
	return nil
}

// nextData gathers the compressed data up to the next marker, and starts to read it.
func (d *decoder) nextData(s scan) error {
	b := &d.bits
	b.data = b.data[:0]
	for {
		i := bytes.IndexByte(d.data[d.pos:], 0xff)
		if i < 0 || d.pos+i+1 == len(d.data) {
			b.data = append(b.data, d.data[d.pos:]...)
			d.pos = len(d.data)
			break
		}
		if d.data[d.pos+i+1] != 0 {
			b.data = append(b.data, d.data[d.pos:d.pos+i]...)
			d.pos += i
			if d.data[d.pos+1] != 0xff {
				break
			}
			d.pos++ // fills up before a marker
			continue
		}
		b.data = append(b.data, d.data[d.pos:d.pos+i+1]...)
		d.pos += i + 2
	}
	b.end = len(b.data)
	b.data = append(b.data, make([]byte, padding)...)
	b.pos, b.next, b.n = 0, 0, 0
	d.endOfBand = 0
	for _, c := range s.components {
		c.prediction = 0
	}
	return nil
}

// restart passes the number-th restart of a scan.
func (d *decoder) restart(s scan, number int) error {
	marker, err := d.marker()
	if err != nil {
		return err
	}
	if marker != restart0+byte(number%8) {
		return fmt.Errorf("marker %#x where restart %d should be: the file is damaged", marker, number%8)
	}
	return d.nextData(s)
}

// unit decodes the blocks of a unit.
func (d *decoder) unit(s scan, x, y int) error {
	if len(s.components) == 1 {
		return d.block(s, s.components[0], x, y)
	}
	for _, c := range s.components {
		for j := range c.v {
			for i := range c.h {
				if err := d.block(s, c, x*c.h+i, y*c.v+j); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// block decodes the block at x, y of a component.
func (d *decoder) block(s scan, c *component, x, y int) error {
	if d.progressive {
		err := d.refine(s, c, &c.coefficients[y*c.blocks+x])
		return cmp.Or(d.bits.check(), err)
	}
	var block [64]int32
	last, err := d.sequential(c, &block)
	if err := cmp.Or(d.bits.check(), err); err != nil {
		return err
	}
	inverse(&block, last, c.samples[8*(y*c.stride+x):], c.stride)
	return nil
}

// sequential decodes a block, times the quantization, and returns the last coefficient's place in zigzag order.
func (d *decoder) sequential(c *component, block *[64]int32) (last int, err error) {
	b, quant := &d.bits, c.quant
	change, err := b.change(c.dc)
	if err != nil {
		return 0, err
	}
	c.prediction += change
	block[0] = c.prediction * quant[0]
	ac := c.ac
	for k := 1; k < 64; k++ {
		b.fill()
		if e := ac.whole[b.next>>(64-lookBits)]; e != 0 {
			length := uint(e & 0xff)
			b.next <<= length
			b.n -= length
			if k += int(e >> 8 & 0xff); k > 63 {
				return 0, errCode
			}
			at := zigzag[k]
			block[at] = e >> 16 * quant[at]
			last = k
			continue
		}
		symbol, err := b.symbol(ac)
		if err != nil {
			return 0, err
		}
		k += int(symbol >> 4)
		if symbol&15 == 0 {
			if symbol>>4 < 15 {
				break
			}
			continue
		}
		if k > 63 {
			return 0, errCode
		}
		at := zigzag[k]
		block[at] = b.number(symbol&15) * quant[at]
		last = k
	}
	return last, nil
}
