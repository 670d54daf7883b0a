package evaluate_test

import (
	"context"
	"fmt"
	"log"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
)

// Measure a classifier of digits on images of stripes, for which it can only guess.
func ExampleMeasure() {
	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	set, err := dataset.Open("../../testdata/stripes", dataset.Options{Split: dataset.Test})
	if err != nil {
		log.Fatal(err)
	}
	m, err := onnxgraph.Load("../../testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	const batchSize = 50
	fitted, image, err := specialize.Fit(m, set.Shape.Batch(batchSize))
	if err != nil {
		log.Fatal(err)
	}
	result, err := evaluate.Measure(context.Background(), fitted, image, set, evaluate.Options{BatchSize: batchSize})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Samples, "images, below 30 %:", result.Top1 < 0.3)
	// Output: 100 images, below 30 %: true
}
