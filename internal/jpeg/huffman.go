package jpeg

import (
	"encoding/binary"
	"errors"
)

// lookBits is how many bits a Huffman code may have to be found in a table at once.
const lookBits = 9

// huffman is a Huffman code for bytes.
type huffman struct {
	// look maps the next lookBits bits to the code at their beginning: its length times 256, plus its byte; 0 for longer codes.
	look [1 << lookBits]uint16
	// whole has for the next lookBits bits, if a code for a coefficient and the coefficient are among them: the coefficient
	// times 2^16, the zeros before times 2^8, and the length of both; else 0.
	whole [1 << lookBits]int32
	// after has, for each length, the first number of 16 bits that does not begin with a code of this length or a shorter one.
	after  [18]uint32
	offset [17]int32 // of the values of a length: what to add to a code
	values []byte
}

var errCode = errors.New("the compressed data has an invalid code: the file is damaged")

func (d *decoder) readHuffman(segment []byte) error {
	for len(segment) > 0 {
		if len(segment) < 17 {
			return errors.New("a Huffman table is damaged")
		}
		kind, table := segment[0]>>4, segment[0]&15
		total := 0
		for _, n := range segment[1:17] {
			total += int(n)
		}
		if kind > 1 || table > 3 || total > 256 || len(segment) < 17+total {
			return errors.New("a Huffman table is damaged")
		}
		h, err := newHuffman(segment[1:17], segment[17:17+total])
		if err != nil {
			return err
		}
		if kind == 0 {
			d.dc[table] = h
		} else {
			d.ac[table] = h
		}
		segment = segment[17+total:]
	}
	return nil
}

// newHuffman makes a Huffman code. counts says how many codes have 1, 2, … 16 bits; they stand for the values in order.
func newHuffman(counts, values []byte) (*huffman, error) {
	h := &huffman{values: values}
	code, used := uint32(0), int32(0)
	for length := 1; length <= 16; length++ {
		h.offset[length] = used - int32(code)
		for range counts[length-1] {
			if code >= 1<<length {
				return nil, errors.New("a Huffman table has too many codes")
			}
			if length <= lookBits {
				for i := range uint32(1) << (lookBits - length) {
					h.look[code<<(lookBits-length)|i] = uint16(length)<<8 | uint16(values[used])
				}
			}
			code++
			used++
		}
		h.after[length] = code << (16 - length)
		code <<= 1
	}
	h.after[17] = 1 << 16
	h.findWhole()
	return h, nil
}

func (h *huffman) findWhole() {
	for i, entry := range h.look {
		length, zeros, size := int(entry>>8), int32(entry>>4&15), int(entry&15)
		if length == 0 || size == 0 || length+size > lookBits {
			continue
		}
		v := extend(int32(i>>(lookBits-length-size))&(1<<size-1), uint(size))
		h.whole[i] = v<<16 | zeros<<8 | int32(length+size)
	}
}

// extend converts v, which has size bits, to its number: if the highest bit is 0, the number is negative.
func extend(v int32, size uint) int32 {
	if v < 1<<(size-1) {
		return v - 1<<size + 1
	}
	return v
}

// bits reads the bits of the compressed data between two markers.
type bits struct {
	data []byte // with padding behind, and without the zeros that are stuffed in after 0xff
	end  int    // of data, without the padding
	pos  int
	next uint64 // the next bits, from the highest on; those behind the n-th are of bytes that are not counted yet
	n    uint   // at least 56 after fill
}

// padding is more bytes than a block can need: 64 codes of 16 bits with numbers of 16 bits, and bits that are read ahead.
const padding = 64*4 + 16

func (b *bits) fill() {
	b.next |= binary.BigEndian.Uint64(b.data[b.pos:]) >> b.n
	b.pos += int(63-b.n) >> 3
	b.n |= 56
}

// check returns an error if more bits were read than there are.
func (b *bits) check() error {
	if 8*b.pos-int(b.n) > 8*b.end {
		return errTruncated
	}
	return nil
}

// take returns the next size bits, 16 at most, as a number; fill must have been called.
func (b *bits) take(size uint) int32 {
	v := int32(b.next >> 1 >> (63 - size))
	b.next <<= size
	b.n -= size
	return v
}

// symbol returns the byte that the next code stands for, and fills up to at least 40 bits after it.
func (b *bits) symbol(h *huffman) (byte, error) {
	b.fill()
	if e := h.look[b.next>>(64-lookBits)]; e != 0 {
		b.next <<= e >> 8
		b.n -= uint(e >> 8)
		return byte(e), nil
	}
	code := uint32(b.next >> 48)
	length := uint(lookBits + 1)
	for code >= h.after[length] {
		length++
	}
	if length > 16 {
		return 0, errCode
	}
	b.next <<= length
	b.n -= length
	return h.values[int32(code>>(16-length))+h.offset[length]], nil
}

// number returns the number of so many bits, 15 at most, that comes next; of none it is 0.
func (b *bits) number(size byte) int32 { return extend(b.take(uint(size)), uint(size)) }

// change returns by how much the next block's mean is another than the one before.
func (b *bits) change(h *huffman) (int32, error) {
	size, err := b.symbol(h)
	if err != nil {
		return 0, err
	}
	if size > 15 {
		return 0, errCode
	}
	return b.number(size), nil
}
