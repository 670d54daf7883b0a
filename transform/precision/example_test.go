package precision_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// Convert a LeNet to float16.
func ExampleConvert() {
	m, err := architecture.New("lenet", architecture.Options{})
	if err != nil {
		log.Fatal(err)
	}
	report, err := precision.Convert(m, onnxgraph.Float16)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Constants, "constants, inputs", report.Inputs, "and outputs", report.Outputs, "changed")
	fmt.Println(m.Graph.Value("conv1.weight").DType())
	// Output:
	// 10 constants, inputs [input] and outputs [logits] changed
	// float16
}
