package secondopinion_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/secondopinion"
)

// Ask whether the second engine can run a model.
func ExampleCheck() {
	m := onnxgraph.New("rounded", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 4))
	if err != nil {
		log.Fatal(err)
	}
	rounded := m.Graph.AddNode("Round", []*onnxgraph.Value{x}).Output(0)
	m.Graph.AddOutput(rounded, onnxgraph.Float32, onnxgraph.Static(1, 4))
	for _, reason := range secondopinion.Check(m) {
		fmt.Println(reason)
	}
	// Output: Round: not an operator that the engine is known to compute rightly (Round)
}
