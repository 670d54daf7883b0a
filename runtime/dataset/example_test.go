package dataset_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// Open the test images of a data set in MNIST's format.
func ExampleOpen() {
	set, err := dataset.Open("../../testdata/stripes", dataset.Options{Split: dataset.Test})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.Format, set.Split, set.Len(), "images,", set.Shape, "-", len(set.Classes), "classes")
	// Output: idx test 100 images, 1×28×28 - 10 classes
}

// Run over the batches of an epoch in random order.
func ExampleLoader_Batches() {
	set, err := dataset.Open("../../testdata/stripes", dataset.Options{Split: dataset.Train})
	if err != nil {
		log.Fatal(err)
	}
	loader, err := dataset.NewLoader(set, dataset.LoaderOptions{BatchSize: 64, Shuffle: true, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	for batch, err := range loader.Batches(context.Background(), 0, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("step", batch.Step, "has", batch.Count, "images in", len(batch.Images), "numbers")
	}
	// Output:
	// step 0 has 64 images in 50176 numbers
	// step 1 has 64 images in 50176 numbers
	// step 2 has 64 images in 50176 numbers
	// step 3 has 8 images in 50176 numbers
}
