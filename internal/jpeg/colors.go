package jpeg

import "image"

// colors says what the components stand for.
type colors int

const (
	grayscale colors = iota
	yCbCr
	rgb
	cmyk // 255 is no ink, as Adobe stores it
	ycck // CMYK whose first three are stored as the YCbCr of 255 less each
)

// storedColors returns what the components stand for, by JFIF's and Adobe's segments, or what they are called.
func (d *decoder) storedColors() colors {
	switch {
	case len(d.components) == 1:
		return grayscale
	case len(d.components) == 4 && d.adobe && d.transform != 0:
		return ycck
	case len(d.components) == 4:
		return cmyk
	case d.jfif:
		return yCbCr
	case d.adobe && d.transform == 0:
		return rgb
	case !d.adobe && d.components[0].id == 'R' && d.components[1].id == 'G' && d.components[2].id == 'B':
		return rgb
	}
	return yCbCr
}

// RGB writes the pixels of a window to their places in planes of the image's size.
func (m *Image) RGB(red, green, blue []uint8, window image.Rectangle) {
	var room, rows [4][]uint8
	for i := range m.components {
		room[i] = make([]uint8, m.width)
	}
	for y := window.Min.Y; y < window.Max.Y; y++ {
		for i, c := range m.components {
			rows[i] = m.row(c, y, room[i])[window.Min.X:window.Max.X]
		}
		from, to := y*m.width+window.Min.X, y*m.width+window.Max.X
		m.colors.convert(rows, red[from:to], green[from:to], blue[from:to])
	}
}

// convert turns a line of the components into red, green and blue.
func (s colors) convert(in [4][]uint8, red, green, blue []uint8) {
	switch s {
	case grayscale:
		in[1], in[2] = in[0], in[0]
		fallthrough
	case rgb, cmyk:
		copy(red, in[0])
		copy(green, in[1])
		copy(blue, in[2])
	case yCbCr, ycck:
		convertYCbCr(in[0], in[1], in[2], red, green, blue)
	}
	for i, k := range in[3] {
		if s == ycck {
			red[i], green[i], blue[i] = 255-red[i], 255-green[i], 255-blue[i]
		}
		red[i], green[i], blue[i] = leave(red[i], k), leave(green[i], k), leave(blue[i], k)
	}
}

// convertYCbCr is JFIF's conversion, in units of 2^-16 and rounded to the nearest:
//
//	R = Y + 1.402·(Cr-128);  G = Y - 0.34414·(Cb-128) - 0.71414·(Cr-128);  B = Y + 1.772·(Cb-128)
func convertYCbCr(luma, blueness, redness, red, green, blue []uint8) {
	n := len(luma)
	blueness, redness, red, green, blue = blueness[:n], redness[:n], red[:n], green[:n], blue[:n]
	for i, y := range luma {
		cb, cr, v := int32(blueness[i])-128, int32(redness[i])-128, int32(y)<<16+1<<15
		red[i], green[i], blue[i] = whole(v+91881*cr), whole(v-22554*cb-46802*cr), whole(v+116130*cb)
	}
}

// whole returns the whole part of v / 2^16, or the nearest that is a pixel.
func whole(v int32) uint8 {
	if uint32(v)>>24 == 0 {
		return uint8(v >> 16)
	}
	return uint8(^(v >> 31)) // 0 or 255
}

// leave returns what light is left of a color by black ink, both as they are stored: as Pillow's conversion from CMYK has it.
func leave(color, black uint8) uint8 {
	t := int(255-color)*int(black) + 128
	return uint8(max(int(black)-(t>>8+t)>>8, 0))
}
