package dataset

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"path/filepath"
	"testing"
)

func BenchmarkLoader(b *testing.B) {
	for name, augment := range map[string]string{"evaluation": "", "training": "pad-crop=4,flip=0.5"} {
		b.Run(name, func(b *testing.B) {
			const samples, batch = 4096, 128
			d := numbered(samples, Shape{3, 32, 32})
			d.read = inMemory(make([]uint8, samples*3072), 3072)
			normalize, _ := NamedNormalization("cifar10")
			l := mustLoad(b, d, LoaderOptions{BatchSize: batch, Shuffle: true, Workers: 1, Augment: mustAugment(b, augment), Normalize: normalize})
			b.ReportAllocs()
			images := 0
			for epoch := 0; b.Loop(); epoch++ {
				for _, err := range l.Batches(b.Context(), epoch, 0) {
					if err != nil {
						b.Fatal(err)
					}
					images += batch
				}
			}
			b.ReportMetric(float64(images)/b.Elapsed().Seconds(), "images/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(images), "ns/image")
		})
	}
}

func BenchmarkResize(b *testing.B) {
	for _, c := range []struct{ height, width, side int }{{28, 28, 32}, {375, 500, 224}} {
		b.Run(fmt.Sprintf("%d×%d to %d", c.height, c.width, c.side), func(b *testing.B) {
			r, err := newResampler(c.height, c.width, c.side, c.side, 0)
			if err != nil {
				b.Fatal(err)
			}
			src, dst := make([]uint8, c.height*c.width+r.room()), make([]uint8, c.side*c.side)
			for b.Loop() {
				r.image(dst, src)
			}
		})
	}
}

// BenchmarkJPEG reads a picture of the size that ImageNet's mostly have, whose colors are stored at half its size.
func BenchmarkJPEG(b *testing.B) {
	const height, width = 375, 500
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			wave := func(a, b float64) uint8 { return uint8(128 + 100*math.Sin(a*float64(x))*math.Cos(b*float64(y))) }
			picture.Set(x, y, color.NRGBA{wave(0.1, 0.3), wave(0.7, 0.02) ^ uint8(x*y>>7&7), wave(0.05, 0.4), 255})
		}
	}
	path := filepath.Join(b.TempDir(), "x.jpg")
	write(b, path, jpegFile(b, picture))
	shape := Shape{3, 224, 224}
	dst := make([]uint8, shape.Size())
	for b.Loop() {
		if err := readImage(path, shape, Options{ShortSide: 256}, dst); err != nil {
			b.Fatal(err)
		}
	}
}
