package calibrate_test

import (
	"context"
	"fmt"
	"log"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
)

// Convert a model to frozen blocks, calibrated on 64 images.
func ExampleConvert() {
	ctx := context.Background()
	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	set, err := dataset.Open("../../testdata/stripes", dataset.Options{Split: dataset.Train})
	if err != nil {
		log.Fatal(err)
	}
	images, err := calibrate.Load(ctx, set, 64, dataset.LoaderOptions{})
	if err != nil {
		log.Fatal(err)
	}
	m, err := onnxgraph.Load("../../testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	conversions, err := calibrate.Convert(ctx, m, calibrate.Options{Convert: transform.Options{Expansion: 4}, Images: images})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range conversions {
		fmt.Println(c.Node, "has an output error below 0.5:", *c.OutputError < 0.5)
	}
	// Output:
	// conv1 has an output error below 0.5: true
	// conv2 has an output error below 0.5: true
}
