package opset_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

// Upgrade a model from opset 11 to 18: the axes of ReduceMean become an input.
func ExampleUpgrade() {
	m := onnxgraph.New("mean", 8, 11)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 3))
	if err != nil {
		log.Fatal(err)
	}
	mean := m.Graph.AddNode("ReduceMean", []*onnxgraph.Value{x}, onnxgraph.Ints("axes", 1))
	m.Graph.AddOutput(mean.Output(0), onnxgraph.Float32, onnxgraph.Static(2, 1))

	if err := opset.Upgrade(m, opset.Newest); err != nil {
		log.Fatal(err)
	}
	fmt.Println("opset", m.Opset(""))
	fmt.Println(mean.Input(1).Constant().Int64s())
	// Output:
	// opset 18
	// [1] <nil>
}
