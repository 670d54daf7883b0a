package parameter_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// List the parameters of a LeNet with their roles.
func ExampleList() {
	m, err := architecture.New("lenet", architecture.Options{})
	if err != nil {
		log.Fatal(err)
	}
	list, err := parameter.List(m)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range list[:2] {
		fmt.Println(p.Value.Name(), p.Role)
	}
	// Output:
	// conv1.weight weight
	// conv1.bias bias
}
