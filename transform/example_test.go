package transform_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

// Convert the convolutions of a LeNet to frozen blocks, and merge the blocks again.
func ExampleConvert() {
	m, err := architecture.New("lenet", architecture.Options{})
	if err != nil {
		log.Fatal(err)
	}
	conversions, err := transform.Convert(m, transform.Options{Expansion: 2})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range conversions {
		fmt.Println(c.Node, c.Before.Trainable, "trainable parameters, then", c.After.Trainable)
	}
	merged, err := transform.Merge(m)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(merged), "blocks merged")
	// Output:
	// conv1 156 trainable parameters, then 78
	// conv2 2416 trainable parameters, then 528
	// 2 blocks merged
}
