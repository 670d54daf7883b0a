package onnxgraph_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Load a model, and list its convolutions with the shapes of their weights.
func ExampleLoad() {
	m, err := onnxgraph.Load("../testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range m.Graph.Nodes() {
		if n.Is("Conv") {
			fmt.Println(n.Name(), n.Input(1).Constant().Dims())
		}
	}
	// Output:
	// conv1 [6 1 5 5]
	// conv2 [16 6 5 5]
}

// Insert a Relu after a node: the new node takes over the output, with everything that reads it.
func ExampleNode_SwapOutput() {
	m := onnxgraph.New("double", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2))
	if err != nil {
		log.Fatal(err)
	}
	double := m.Graph.AddNode("Add", []*onnxgraph.Value{x, x})
	y := double.Output(0)
	m.Graph.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(2))

	relu := m.Graph.AddNode("Relu", []*onnxgraph.Value{y})
	relu.SwapOutput(0, double, 0)
	relu.SetInput(0, double.Output(0))

	fmt.Println("y comes from", y.Producer().OpType())
	fmt.Println(relu.OpType(), "reads", relu.Input(0).Producer().OpType())
	// Output:
	// y comes from Relu
	// Relu reads Add
}
