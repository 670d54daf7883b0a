package trainstep_test

import (
	"fmt"
	"log"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Turn a LeNet into the graph of a training step that updates its first convolution.
func ExampleBuild() {
	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	m, err := architecture.New("lenet", architecture.Options{Classes: 10})
	if err != nil {
		log.Fatal(err)
	}
	fitted, image, err := specialize.Fit(m, []int64{16, 1, 28, 28}) // batches of 16 images
	if err != nil {
		log.Fatal(err)
	}
	step, err := trainstep.Build(fitted, image, trainstep.Options{
		Trained:   []string{"conv1.weight", "conv1.bias"},
		Optimizer: trainstep.SGD{Momentum: 0.9},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range step.Parameters {
		fmt.Println(p.Name, p.Shape)
	}
	for _, slot := range step.State {
		fmt.Println(slot.Input, slot.Initial.Dims())
	}
	// Output:
	// conv1.weight [6 1 5 5]
	// conv1.bias [6]
	// step.parameters [156]
	// step.momentum [156]
}
