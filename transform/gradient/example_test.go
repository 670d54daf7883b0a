package gradient_test

import (
	"fmt"
	"log"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Add the gradient of a sum of squares to its graph, and run it: the gradient of Σ x² is 2·x.
func ExampleOf() {
	m := onnxgraph.New("squares", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(3))
	if err != nil {
		log.Fatal(err)
	}
	b := onnxgraph.NewBuilder(m.Graph)
	square := b.Op("Mul", []*onnxgraph.Value{x, x})
	square.SetType(onnxgraph.Float32, onnxgraph.Static(3))
	loss := b.Op("ReduceSum", []*onnxgraph.Value{square}, onnxgraph.Int("keepdims", 0))
	loss.SetType(onnxgraph.Float32, onnxgraph.Static())

	gradients, err := gradient.Of(b, loss, x)
	if err != nil {
		log.Fatal(err)
	}
	dx := gradients.Of[x]
	m.Graph.Rename(dx, "dx")
	m.Graph.AddOutput(dx, onnxgraph.Float32, onnxgraph.Static(3))

	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	session, err := ort.OpenModel(m, ort.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	outputs, err := session.Run(map[string]*onnxgraph.Tensor{"x": onnxgraph.NewTensor([]int64{3}, []float32{1, 2, 3})})
	if err != nil {
		log.Fatal(err)
	}
	dxValues, err := outputs["dx"].Float32s()
	fmt.Println(dxValues, err)
	// Output: [2 4 6] <nil>
}
