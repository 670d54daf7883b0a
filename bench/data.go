package main

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// data is a set of made-up images: how long they take to load does not depend on what is in them.
type data struct {
	name    string
	augment string // for the train command
	write   func(folder string) error
}

var (
	cifarData = data{"cifar10", "pad-crop=4,flip=0.5", func(folder string) error { return writeCIFAR(folder, 512, 128) }}
	// testData has nearly half of the test images that CIFAR-10 has, and tenthData a tenth of all of its images.
	testData  = data{"cifar10-test", "", func(folder string) error { return writeCIFAR(folder, 1, 4096) }}
	tenthData = data{"cifar10-tenth", "pad-crop=4,flip=0.5", func(folder string) error { return writeCIFAR(folder, 1024, 1024) }}
	jpegData  = data{"jpeg", "flip=0.5", writeJPEGs}
)

// data returns the folder of a data set, which is made first if it is not there.
func (l *lab) data(d data) (string, error) {
	folder := l.scratch(d.name)
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	return folder, d.write(folder)
}

// writeCIFAR writes CIFAR-10's binary form: 5 files of so many training images, and so many test images. An image is a byte
// for the class, and 3 planes of 32×32.
func writeCIFAR(folder string, training, test int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	records := func(n int) []byte {
		all := make([]byte, n*(1+3*32*32))
		for i := range all {
			all[i] = byte(rng.Uint32())
		}
		for i := range n {
			all[i*(1+3*32*32)] = byte(i % 10)
		}
		return all
	}
	files := map[string][]byte{"test_batch.bin": records(test), "batches.meta.txt": []byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n")}
	for i := range 5 {
		files[fmt.Sprintf("data_batch_%d.bin", i+1)] = records(training)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeJPEGs writes 64 training images and 16 test images of two classes, 500×375 pixels as most of ImageNet's, of
// smooth patterns and some noise.
func writeJPEGs(folder string) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for split, count := range map[string]int{"train": 64, "val": 16} {
		for i := range count {
			class := filepath.Join(folder, split, fmt.Sprint(i%2))
			if err := os.MkdirAll(class, 0o755); err != nil {
				return err
			}
			if err := writeJPEG(filepath.Join(class, fmt.Sprintf("%d.jpeg", i)), rng); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeJPEG(path string, rng *rand.Rand) error {
	picture := image.NewRGBA(image.Rect(0, 0, 500, 375))
	for y := range 375 {
		for x := range 500 {
			noise := rng.IntN(16)
			picture.SetRGBA(x, y, color.RGBA{uint8(x/3 + noise), uint8(y/2 + noise), uint8((x+y)/5 + noise), 255})
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := jpeg.Encode(file, picture, &jpeg.Options{Quality: 90}); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
