package normalization_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
)

// Fold each BatchNormalization of a ResNet-8 into the convolution before it.
func ExampleFold() {
	m, err := architecture.New("cifar-resnet", architecture.Options{Depth: 8})
	if err != nil {
		log.Fatal(err)
	}
	outcomes, err := normalization.Fold(m)
	if err != nil {
		log.Fatal(err)
	}
	left := 0
	for _, n := range m.Graph.Nodes() {
		if n.Is("BatchNormalization") {
			left++
		}
	}
	fmt.Println(len(outcomes), "BatchNormalizations,", left, "left")
	// Output: 9 BatchNormalizations, 0 left
}
