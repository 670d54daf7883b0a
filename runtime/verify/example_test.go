package verify_test

import (
	"context"
	"fmt"
	"log"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
	"github.com/rcfreeze/rcfreeze/transform"
)

// Check that a model computes the same after its frozen blocks are merged.
func ExampleOutputs() {
	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	blocks, err := onnxgraph.Load("../../testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := transform.Convert(blocks, transform.Options{Expansion: 2}); err != nil {
		log.Fatal(err)
	}
	merged := blocks.Clone()
	if _, err := transform.Merge(merged); err != nil {
		log.Fatal(err)
	}
	report, err := verify.Outputs(context.Background(), blocks, merged, verify.Options{Batch: 2})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range report.Differences {
		fmt.Println(d.Output, "differs by less than 1e-4:", d.MaxRel < 1e-4)
	}
	// Output: logits differs by less than 1e-4: true
}
