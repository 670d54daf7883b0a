package orttest

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Run runs a model once, as Options says, and returns its outputs by name.
func Run(t testing.TB, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) map[string]*onnxgraph.Tensor {
	t.Helper()
	o := Options(t)
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.OpenBytes(data, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	outputs, err := s.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}
