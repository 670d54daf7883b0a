package transform_test

import (
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/ort/orttest"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/convcases"
)

// TestModelsOnRuntime runs every model at hand as it is, in blocks that keep its filters, merged again, and with its batch
// normalisations folded: all must put out the same.
func TestModelsOnRuntime(t *testing.T) {
	paths := modelFiles(t)
	orttest.Init(t)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := onnxgraph.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			inputs := drawInputs(t, m)
			want := outputs(t, m, inputs)
			compare := func(what string) {
				t.Helper()
				for name, got := range outputs(t, m, inputs) {
					if d := difference(t, convcases.ArrayOf(got), convcases.ArrayOf(want[name])); d > 1e-4+1e-6/largest(want[name]) {
						t.Errorf("%s: output %q differs by %.2g", what, name, d)
					}
				}
			}
			if _, err := transform.Convert(m, transform.Options{Layout: transform.Depthwise, Expansion: 30, Between: transform.BatchNorm, MaxKernel: 5}); err != nil {
				t.Fatal(err)
			}
			compare("converted")
			if _, err := transform.Merge(m); err != nil {
				t.Fatal(err)
			}
			compare("merged")
			outcomes, err := transform.FoldBatchNorm(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range outcomes {
				if row.Status == transform.Skipped {
					t.Logf("%s: %s", row.Node, row.Reason)
				}
			}
			compare("folded")
		})
	}
}

// drawInputs makes numbers for the model's inputs; it skips the test for models that take other than float32.
func drawInputs(t *testing.T, m *onnxgraph.Model) map[string]*onnxgraph.Tensor {
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

// largest returns the largest magnitude in a tensor.
func largest(t *onnxgraph.Tensor) float64 {
	most := 0.0
	for _, v := range convcases.ArrayOf(t).Data {
		most = max(most, v, -v)
	}
	return most
}

func outputs(t *testing.T, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) map[string]*onnxgraph.Tensor {
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
