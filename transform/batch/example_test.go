package batch_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/batch"
)

// Fix the batch size of a model, and open it again.
func ExampleSetSize() {
	m, err := architecture.New("lenet", architecture.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, size := range []onnxgraph.Dim{{Size: 16}, {Size: -1, Param: "batch"}} {
		if err := batch.SetSize(m, size); err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Graph.Inputs()[0].Shape())
	}
	// Output:
	// [16 1 28 28] true
	// [batch 1 28 28] true
}
