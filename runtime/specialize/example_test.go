package specialize_test

import (
	"fmt"
	"log"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
)

// Declare the shapes of all values of a model for batches of 16 images.
func ExampleModel() {
	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	m, err := onnxgraph.Load("../../testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	fitted, err := specialize.Model(m, []int64{16, 1, 28, 28})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range fitted.Graph.Nodes()[:3] {
		shape, _ := n.Output(0).StaticShape()
		fmt.Println(n.OpType(), shape)
	}
	// Output:
	// Conv [16 6 28 28]
	// Relu [16 6 28 28]
	// MaxPool [16 6 14 14]
}
