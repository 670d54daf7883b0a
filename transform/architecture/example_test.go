package architecture_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

// Build a ResNet-20 for CIFAR-10 with random weights.
func ExampleNew() {
	m, err := architecture.New("cifar-resnet", architecture.Options{Depth: 20, Classes: 10, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	input, _ := m.Graph.Inputs()[0].Shape()
	output, _ := m.Graph.Outputs()[0].Shape()
	fmt.Println(input, "→", output)
	fmt.Println(len(m.Graph.Nodes()), "nodes")
	// Output:
	// [batch 3 32 32] → [batch 10]
	// 73 nodes
}
