package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"

	"github.com/rcfreeze/rcfreeze/runtime/dataset/jpeg"
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
	width, height := img.Size()
	r, err := newResampler(height, width, shape.Height, shape.Width, shortSide)
	if err != nil {
		return err
	}
	n := width * height
	src := borrow(3*n + r.room())
	defer src.giveBack()
	planes := src.data[:3*n]
	img.RGB(planes[:n], planes[n:2*n], planes[2*n:], r.window())
	if shape.Channels == 1 {
		gray(planes)
	}
	r.image(dst, src.data)
	return nil
}

// decoded is an image file's content.
type decoded interface {
	Size() (width, height int)
	// RGB writes the pixels of a window to their places in three planes of the image's size.
	RGB(red, green, blue []uint8, window image.Rectangle)
}

func decode(path string) (decoded, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte(jpeg.Prefix)) {
		img, err := jpeg.Decode(data, maxPixels)
		if err != nil {
			return nil, fmt.Errorf("decoding a JPEG image: %w", err)
		}
		return img, nil
	}
	return decodePNG(data)
}

func decodePNG(data []byte) (decoded, error) {
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not a PNG or JPEG image: %w", err)
	}
	if config.Width <= 0 || config.Height <= 0 || config.Width > maxPixels/config.Height {
		return nil, fmt.Errorf("an image of %d×%d: needs 1 to %d pixels", config.Height, config.Width, maxPixels)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decoding a PNG image: %w", err)
	}
	return pngImage{img}, nil
}

type pngImage struct{ image.Image }

func (m pngImage) Size() (width, height int) { return m.Bounds().Dx(), m.Bounds().Dy() }

// RGB writes colors that are not multiplied by alpha.
func (m pngImage) RGB(red, green, blue []uint8, window image.Rectangle) {
	width, pixels := m.Bounds().Dx(), interleaved(m.Image)
	for y := window.Min.Y; y < window.Max.Y; y++ {
		for i := y*width + window.Min.X; i < y*width+window.Max.X; i++ {
			p := pixels[4*i:][:3]
			red[i], green[i], blue[i] = p[0], p[1], p[2]
		}
	}
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
