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
	r.image(dst, planar(img, shape.Channels))
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

// planar returns the pixels of an image as channels planes.
func planar(img image.Image, channels int) []uint8 {
	pixels := interleaved(img)
	n := len(pixels) / 4
	out := make([]uint8, channels*n)
	for i := range n {
		red, green, blue := pixels[4*i], pixels[4*i+1], pixels[4*i+2]
		if channels == 1 {
			out[i] = uint8((19595*uint32(red) + 38470*uint32(green) + 7471*uint32(blue) + 1<<15) >> 16)
			continue
		}
		out[i], out[n+i], out[2*n+i] = red, green, blue
	}
	return out
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
