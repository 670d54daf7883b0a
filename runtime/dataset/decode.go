package dataset

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"

	"github.com/rcfreeze/rcfreeze/internal/archive"
	"github.com/rcfreeze/rcfreeze/internal/jpeg"
	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// readImage writes an image file to dst in the given shape. It scales the image so that it covers the shape, and crops it at the
// center. It ignores alpha, and computes gray with the ITU-R 601 weights if the shape has one channel.
func readImage(path string, shape Shape, o Options, dst []uint8) error {
	f, info, err := plainfile.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return scaleImage(f, info.Size(), shape, o, dst)
}

// scaleImage is readImage for an open file of size bytes.
func scaleImage(file io.Reader, size int64, shape Shape, o Options, dst []uint8) error {
	giveBack := func() {}
	defer func() { giveBack() }()
	img, err := decode(file, size, func(width, height int, memory int64) error {
		if err := o.Limits.checkImage(width, height); err != nil {
			return err
		}
		planes := 3 * int64(width) * int64(height)
		giveBack = decoding.Take(memory + planes)
		return nil
	}, o.Limits)
	if err != nil {
		return err
	}
	width, height := img.Size()
	r, err := newResampler(height, width, shape.Height, shape.Width, o.ShortSide)
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

// decoded is the content of an image file.
type decoded interface {
	Size() (width, height int)
	// RGB writes the pixels in window to three planes that have the size of the image.
	RGB(red, green, blue []uint8, window image.Rectangle)
}

// allowance returns an error if an image of this size, which takes the given bytes of memory, must not be decoded.
type allowance func(width, height int, memory int64) error

// decode decodes an image file of size bytes. It calls allow before it allocates memory for pixels.
func decode(file io.Reader, size int64, allow allowance, limits Limits) (decoded, error) {
	if err := limits.checkFile(size); err != nil {
		return nil, err
	}
	r := bufio.NewReader(file)
	if start, _ := r.Peek(len(jpeg.Prefix)); string(start) != jpeg.Prefix {
		return decodePNG(r, size, allow)
	}
	data, err := archive.ReadExactly(r, size)
	if err != nil {
		return nil, err
	}
	img, err := jpeg.Decode(data, allow)
	if err != nil {
		return nil, fmt.Errorf("decoding a JPEG image: %w", err)
	}
	return img, nil
}

const pngSignature = "\x89PNG\r\n\x1a\n"

// pngValues is the number of values per pixel for each color type in the header of a PNG.
var pngValues = map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

func decodePNG(r *bufio.Reader, size int64, allow allowance) (decoded, error) {
	const headSize = 33                                 // bytes of the signature and the first chunk
	const width, height, depth, colors = 16, 20, 24, 25 // offsets in these bytes
	head, _ := r.Peek(headSize)
	if !bytes.HasPrefix(head, []byte(pngSignature)) {
		return nil, errors.New("not a PNG or JPEG image: its first bytes are those of neither")
	}
	if len(head) == headSize { // otherwise decoding reports what is wrong
		w, h := binary.BigEndian.Uint32(head[width:]), binary.BigEndian.Uint32(head[height:])
		if err := checkPNG(int64(w), int64(h), int64(head[depth]), pngValues[head[colors]], size, allow); err != nil {
			return nil, err
		}
	}
	img, err := png.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("decoding a PNG image: %w", err)
	}
	return pngImage{img}, nil
}

// checkPNG checks the header of a PNG of the given bytes: the size of the image, the number of values per pixel, and the bits per
// value.
func checkPNG(width, height, bits, values, bytes int64, allow allowance) error {
	memory := width * height * 2 * 4 // the decoded image, and its red, green, blue and alpha
	if bits > 8 {
		memory *= 2
	}
	if err := allow(int(width), int(height), memory); err != nil {
		return fmt.Errorf("decoding a PNG image: %w", err)
	}
	if err := archive.CheckDeflated(uint64(width*values*bits/8*height), uint64(bytes)); err != nil {
		return fmt.Errorf("decoding a PNG image of %d×%d (height×width): %w", height, width, err)
	}
	return nil
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

// gray replaces the first of three planes, red, green and blue, by their gray.
func gray(planes []uint8) {
	n := len(planes) / 3
	red, green, blue := planes[:n], planes[n:][:n], planes[2*n:][:n]
	for i, v := range red {
		red[i] = uint8((19595*uint32(v) + 38470*uint32(green[i]) + 7471*uint32(blue[i]) + 1<<15) >> 16)
	}
}

// interleaved returns red, green, blue and alpha of each pixel. Colors are not multiplied by alpha.
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
