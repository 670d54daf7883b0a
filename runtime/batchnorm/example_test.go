package batchnorm_test

import (
	"context"
	"fmt"
	"log"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/runtime/batchnorm"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

// Estimate the running statistics of a small ResNet on images.
func ExampleRecalibrate() {
	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	set, err := dataset.Open("../../testdata/stripes", dataset.Options{Split: dataset.Train})
	if err != nil {
		log.Fatal(err)
	}
	m, err := architecture.New("cifar-resnet", architecture.Options{Depth: 8, Width: 4, Channels: 1, ImageHeight: 28, ImageWidth: 28})
	if err != nil {
		log.Fatal(err)
	}
	report, err := batchnorm.Recalibrate(context.Background(), m, set, batchnorm.Options{BatchSize: 50})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Images, "images,", len(report.Changes), "BatchNormalizations changed")
	// Output: 200 images, 9 BatchNormalizations changed
}
