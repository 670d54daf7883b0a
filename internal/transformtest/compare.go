package transformtest

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Tolerance bounds the difference of a block and its source, relative to the largest output.
var Tolerance = map[onnxgraph.DType]float64{onnxgraph.BFloat16: 2e-1, onnxgraph.Float16: 2e-2, onnxgraph.Float32: 1e-5, onnxgraph.Float64: 1e-12}

// Execute runs a model of convcases with ONNX Runtime, and returns its output for x.
func Execute(t *testing.T, m *onnxgraph.Model, x *onnxgraph.Tensor) convcases.Array {
	t.Helper()
	return convcases.ArrayOf(orttest.Run(t, m, map[string]*onnxgraph.Tensor{convcases.X: x})[convcases.Y])
}

// Compare checks that two outputs are the same but for rounding, zeros too.
func Compare(t *testing.T, what string, got, want convcases.Array) {
	t.Helper()
	if slices.Max(want.Data) == 0 && slices.Min(want.Data) == 0 {
		if slices.Max(got.Data) != 0 || slices.Min(got.Data) != 0 {
			t.Errorf("%s: not zero", what)
		}
		return
	}
	if d := Difference(t, got, want); d > 1e-5 {
		t.Errorf("%s: differs by %.2g", what, d)
	}
}
