package dataset

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// TestResamplePillow compares with what Pillow made; testdata/make.py says how.
func TestResamplePillow(t *testing.T) {
	for _, test := range []struct{ height, width, short int }{{8, 8, 8}, {16, 12, 20}, {23, 23, 23}, {40, 48, 41}, {60, 30, 60}} {
		name := fmt.Sprintf("%dx%d-%d.png", test.height, test.width, test.short)
		shape := Shape{3, test.height, test.width}
		got, want := make([]uint8, shape.Size()), make([]uint8, shape.Size())
		if err := readImage("testdata/source.png", shape, Options{ShortSide: test.short}, got); err != nil {
			t.Fatal(err)
		}
		if err := readImage(filepath.Join("testdata", name), shape, Options{}, want); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: pixels differ from Pillow's:\n%v\n%v", name, got, want)
		}
	}
}

// TestResample compares with the definition: for each output pixel a sum over the whole input plane.
func TestResample(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][5]int{{28, 28, 32, 32, 0}, {7, 9, 7, 9, 0}, {40, 30, 8, 8, 0}, {40, 30, 8, 8, 11}, {1, 1, 5, 3, 0}, {3, 50, 6, 6, 0}, {9, 5, 1, 1, 0}, {100, 90, 3, 4, 0}} {
		inH, inW, outH, outW, short := s[0], s[1], s[2], s[3], s[4]
		sampler, err := newResampler(inH, inW, outH, outW, short)
		if err != nil {
			t.Fatal(err)
		}
		src, dst := make([]uint8, 2*inH*inW+sampler.room()), make([]uint8, 2*outH*outW)
		for i := range src {
			src[i] = uint8(r.IntN(256))
		}
		sampler.image(dst, src)
		if short == 0 {
			for short = 1; inH*short/min(inH, inW) < outH || inW*short/min(inH, inW) < outW; short++ {
			}
		}
		for i, got := range dst {
			plane, y, x := i/(outH*outW), i/outW%outH, i%outW
			want := naiveResample(src[plane*inH*inW:][:inH*inW], inH, inW, outH, outW, short, y, x)
			if math.Abs(float64(got)-want) > 1.01 { // rounded twice
				t.Fatalf("%v: pixel %d,%d of plane %d is %d, want %.3f", s, y, x, plane, got, want)
			}
		}
	}
}

func naiveResample(src []uint8, inH, inW, outH, outW, short, y, x int) float64 {
	weight := func(in, out, o, i int) float64 {
		scaled := in * short / min(inH, inW)
		step := float64(in) / float64(scaled)
		center := (float64(o) + math.RoundToEven(float64(scaled-out)/2) + 0.5) * step
		return max(0, 1-math.Abs(float64(i)+0.5-center)/max(1, step))
	}
	var sum, total float64
	for i := range inH {
		for j := range inW {
			w := weight(inH, outH, y, i) * weight(inW, outW, x, j)
			sum += w * float64(src[i*inW+j])
			total += w
		}
	}
	return sum / total
}

func TestPNGPixels(t *testing.T) {
	fill := func(img interface {
		image.Image
		Set(x, y int, c color.Color)
	}, c color.Color) image.Image {
		for i := range 4 {
			img.Set(10+i%2, 20+i/2, c)
		}
		return img
	}
	bounds := image.Rect(10, 20, 12, 22)
	orange := color.NRGBA{250, 120, 10, 255}
	clear := color.NRGBA{250, 120, 10, 0}
	tests := []struct {
		name string
		img  image.Image
		want color.NRGBA
	}{
		{"RGBA", fill(image.NewRGBA(bounds), orange), orange},
		{"NRGBA", fill(image.NewNRGBA(bounds), orange), orange},
		{"alpha ignored", fill(image.NewNRGBA(bounds), clear), orange},
		{"alpha of a palette ignored", fill(image.NewPaletted(bounds, color.Palette{clear}), clear), orange},
		{"gray", fill(image.NewGray(bounds), color.Gray{77}), color.NRGBA{77, 77, 77, 255}},
		{"16 bits", fill(image.NewGray16(bounds), color.Gray16{77<<8 + 200}), color.NRGBA{77, 77, 77, 255}},
	}
	for _, test := range tests {
		planes := make([]uint8, 12)
		pngImage{test.img}.RGB(planes[:4], planes[4:8], planes[8:], image.Rect(0, 0, 2, 2))
		for i, v := range planes {
			if want := []uint8{test.want.R, test.want.G, test.want.B}[i/4]; v != want {
				t.Errorf("%s: element %d is %d, want %d", test.name, i, v, want)
			}
		}
		want := color.GrayModel.Convert(test.want).(color.Gray).Y
		gray(planes)
		for i, v := range planes[:4] {
			if v != want {
				t.Errorf("%s: gray element %d is %d, want %d", test.name, i, v, want)
			}
		}
	}
}
