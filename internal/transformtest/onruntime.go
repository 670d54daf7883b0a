package transformtest

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// DrawInputs makes numbers for the model's inputs; it skips the test for models that take other than float32.
func DrawInputs(t *testing.T, m *onnxgraph.Model) map[string]*onnxgraph.Tensor {
	inputs := map[string]*onnxgraph.Tensor{}
	for _, v := range m.Graph.Inputs() {
		if v.Constant() != nil {
			continue
		}
		shape, ok := v.Shape()
		if !ok || v.DType() != onnxgraph.Float32 {
			t.Skipf("input %q is of type %v", v.Name(), v.DType())
		}
		var dims []int64
		for axis, d := range shape {
			switch {
			case d.Size > 0:
				dims = append(dims, d.Size)
			case axis == 0:
				dims = append(dims, 1)
			default:
				dims = append(dims, 64)
			}
		}
		inputs[v.Name()] = convcases.Draw(onnxgraph.Float32, 1, dims...)
	}
	return inputs
}

// Outputs runs the model with ONNX Runtime on one thread.
func Outputs(t *testing.T, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) map[string]*onnxgraph.Tensor {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
