package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg"
	_ "image/png"
	"os"
)

// maxPixels bounds the size that an image file may claim, so that a damaged one cannot take all memory.
const maxPixels = 1 << 27

// readImage writes an image file to dst in the given shape: scaled to cover it, the middle cut out, alpha
// ignored, grayscale by the ITU-R 601 weights if one channel is wanted.
func readImage(path string, shape Shape, shortSide int, dst []uint8) error {
	img, err := decode(path)
	if err != nil {
		return err
	}
	size := img.Bounds().Size()
	r, err := newResampler(size.Y, size.X, shape.Height, shape.Width, shortSide)
	if err != nil {
		return err
	}
	src := borrow(3*size.X*size.Y + r.room())
	defer src.giveBack()
	planes := src.data[:3*size.X*size.Y]
	planar(planes, img, r.window())
	if shape.Channels == 1 {
		gray(planes)
	}
	r.image(dst, src.data)
	return nil
}

func decode(path string) (image.Image, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not a PNG or JPEG image: %w", err)
	}
	if config.Width <= 0 || config.Height <= 0 || config.Width > maxPixels/config.Height {
		return nil, fmt.Errorf("an image of %d×%d: needs 1 to %d pixels", config.Height, config.Width, maxPixels)
	}
	img, format, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("damaged %s image: %w", format, err)
	}
	return img, nil
}

// planar writes the pixels of an image that are in a window, as seen from the image's corner, to their places in three
// planes of the image's size: red, green and blue, not multiplied by alpha.
func planar(out []uint8, img image.Image, window image.Rectangle) {
	n, width := len(out)/3, img.Bounds().Dx()
	write := rowWriter(img)
	for y := window.Min.Y; y < window.Max.Y; y++ {
		from, to := y*width+window.Min.X, y*width+window.Max.X
		write(window.Min.X, y, out[from:to], out[n+from:n+to], out[2*n+from:2*n+to])
	}
}

// rowWriter returns a function that writes the pixels of an image from x, y on to the right.
func rowWriter(img image.Image) func(x, y int, red, green, blue []uint8) {
	corner := img.Bounds().Min
	switch img := img.(type) {
	case *image.YCbCr:
		return func(x, y int, red, green, blue []uint8) { writeYCbCr(img, corner.X+x, corner.Y+y, red, green, blue) }
	case *image.Gray:
		return func(x, y int, red, green, blue []uint8) {
			copy(red, img.Pix[y*img.Stride+x:])
			copy(green, red)
			copy(blue, red)
		}
	}
	width, pixels := img.Bounds().Dx(), interleaved(img)
	return func(x, y int, red, green, blue []uint8) {
		for i := range red {
			p := pixels[4*(y*width+x+i):][:3]
			red[i], green[i], blue[i] = p[0], p[1], p[2]
		}
	}
}

// chromaWidth says how many pixels in a row have the colour in common.
var chromaWidth = map[image.YCbCrSubsampleRatio]int{
	image.YCbCrSubsampleRatio422: 2, image.YCbCrSubsampleRatio420: 2, image.YCbCrSubsampleRatio411: 4, image.YCbCrSubsampleRatio410: 4,
}

// writeYCbCr does what color.YCbCrToRGB does with each pixel, but for what pixels have in common.
func writeYCbCr(img *image.YCbCr, x, y int, red, green, blue []uint8) {
	width := max(chromaWidth[img.SubsampleRatio], 1)
	luma, chroma := img.Y[img.YOffset(x, y):][:len(red)], img.COffset(x, y)
	green, blue = green[:len(luma)], blue[:len(luma)]
	for i, end := 0, width-x%width; i < len(luma); end += width {
		cb, cr := int32(img.Cb[chroma])-128, int32(img.Cr[chroma])-128
		toRed, toGreen, toBlue := 91881*cr, -22554*cb-46802*cr, 116130*cb
		for ; i < min(end, len(luma)); i++ {
			v := int32(luma[i]) * 0x10101
			red[i], green[i], blue[i] = clamp(v+toRed), clamp(v+toGreen), clamp(v+toBlue)
		}
		chroma++
	}
}

// clamp returns the whole part of v / 2^16, or the nearest that is a pixel.
func clamp(v int32) uint8 {
	if uint32(v)>>24 == 0 {
		return uint8(v >> 16)
	}
	return uint8(^(v >> 31)) // 0 or 255
}

// gray makes the first of three planes the gray of red, green and blue.
func gray(planes []uint8) {
	n := len(planes) / 3
	red, green, blue := planes[:n], planes[n:][:n], planes[2*n:][:n]
	for i, v := range red {
		red[i] = uint8((19595*uint32(v) + 38470*uint32(green[i]) + 7471*uint32(blue[i]) + 1<<15) >> 16)
	}
}

// interleaved returns the pixels of an image as red, green, blue, alpha, colours not multiplied by alpha.
func interleaved(img image.Image) []uint8 {
	from := img.Bounds()
	to := image.Rectangle{Max: from.Size()}
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		out := image.NewRGBA(to)
		draw.Draw(out, to, img, from.Min, draw.Src)
		return out.Pix
	}
	out := image.NewNRGBA(to)
	for y := range to.Dy() {
		for x := range to.Dx() {
			c := color.NRGBAModel.Convert(img.At(from.Min.X+x, from.Min.Y+y)).(color.NRGBA)
			out.SetNRGBA(x, y, c)
		}
	}
	return out.Pix
}
