package head_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/head"
)

// Give a classifier of 10 classes a new last layer for 3 classes.
func ExampleReplace() {
	m, err := architecture.New("lenet", architecture.Options{Classes: 10})
	if err != nil {
		log.Fatal(err)
	}
	old, err := head.Replace(m, 3, 1)
	if err != nil {
		log.Fatal(err)
	}
	logits, err := head.Logits(m)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s had %d classes, and now has %d\n", old.Node, old.Classes, head.Classes(logits))
	// Output: fc3 had 10 classes, and now has 3
}
