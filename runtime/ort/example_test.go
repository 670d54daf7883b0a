package ort_test

import (
	"fmt"
	"log"

	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Run a model on a batch of two images.
func ExampleOpen() {
	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	session, err := ort.Open("../../testdata/demo/mnist-cnn.onnx", ort.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	images := onnxgraph.NewTensor([]int64{2, 1, 28, 28}, make([]float32, 2*28*28))
	outputs, err := session.Run(map[string]*onnxgraph.Tensor{"input": images})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outputs["logits"].Dims())
	// Output: [2 10]
}

// Add up numbers step by step: the sum stays in memory between the steps.
func ExampleStepper() {
	m := onnxgraph.New("sum", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1))
	if err != nil {
		log.Fatal(err)
	}
	before, err := m.Graph.AddInput("before", onnxgraph.Float32, onnxgraph.Static(1))
	if err != nil {
		log.Fatal(err)
	}
	after := m.Graph.AddNode("Add", []*onnxgraph.Value{before, x}).Output(0)
	m.Graph.Rename(after, "after")
	m.Graph.AddOutput(after, onnxgraph.Float32, onnxgraph.Static(1))

	if _, err := ort.Init(""); err != nil {
		log.Fatal(err)
	}
	stepper, err := ort.OpenStepper(m, []ort.Pair{{Input: "before", Output: "after"}},
		map[string]*onnxgraph.Tensor{"before": onnxgraph.NewTensor([]int64{1}, []float32{0})}, ort.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer stepper.Close()
	number, err := ort.InputData[float32](stepper, "x")
	if err != nil {
		log.Fatal(err)
	}
	for i := range 4 {
		number[0] = float32(i + 1)
		if err := stepper.Step(); err != nil {
			log.Fatal(err)
		}
	}
	sum, err := ort.StateData[float32](stepper, "before")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("1 + 2 + 3 + 4 =", sum[0])
	// Output: 1 + 2 + 3 + 4 = 10
}
