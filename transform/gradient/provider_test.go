package gradient_test

import (
	"math"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// TestRulesOnProvider compares the gradients that a provider computes in float32 with those of the CPU, which TestRules checks.
// Where the operator itself gives other numbers than on the CPU, as an empty reduction with CUDA, its gradient may too.
func TestRulesOnProvider(t *testing.T) {
	p := orttest.Provider(t)
	if p == ort.CPU {
		t.Skip("RCFREEZE_TEST_PROVIDER names no provider to compare with the CPU")
	}
	for _, c := range gradientCases() {
		t.Run(strings.ReplaceAll(c.op+"/"+c.name, " ", "_"), func(t *testing.T) {
			output, gradients := c.compute(t, p)
			outputOnCPU, gradientsOnCPU := c.compute(t, ort.CPU)
			if name := differs(output, outputOnCPU); name != "" {
				t.Skipf("the operator's output %s is %v, and %v on the CPU", name, output[name], outputOnCPU[name])
			}
			if name := differs(gradients, gradientsOnCPU); name != "" {
				t.Errorf("%s is %v, and %v on the CPU", name, gradients[name], gradientsOnCPU[name])
			}
		})
	}
}

// compute returns the outputs of the operator and the gradients of its inputs, by name.
func (c gradientCase) compute(t *testing.T, p ort.Provider) (outputs, gradients map[string][]float64) {
	t.Helper()
	feeds, _ := c.draw(onnxgraph.Float32)
	forward, differentiated, err := c.models(p, onnxgraph.Float32, feeds)
	if err != nil {
		t.Fatal(err)
	}
	defer forward.Close()
	defer differentiated.Close()
	return results(t, forward, feeds), results(t, differentiated, feeds)
}

func results(t *testing.T, s *ort.Session, feeds map[string]*onnxgraph.Tensor) map[string][]float64 {
	t.Helper()
	tensors, err := s.Run(feeds)
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string][]float64{}
	for name, tensor := range tensors {
		if tensor.DType().IsFloat() { // others are indices
			if numbers[name], err = tensor.Float64s(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return numbers
}

// differs returns the name of a vector that is not the same but for rounding, "" if there is none.
func differs(got, want map[string][]float64) string {
	for name, w := range want {
		if !(relativeDistance(got[name], w) < 1e-4) {
			return name
		}
	}
	return ""
}

// relativeDistance returns the largest difference of two vectors, as a part of the largest element of the second.
func relativeDistance(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	largest, apart := 0.0, 0.0
	for i, w := range want {
		largest = max(largest, math.Abs(w))
		apart = max(apart, math.Abs(got[i]-w)) // NaN, if either is
	}
	return apart / max(largest, math.SmallestNonzeroFloat64)
}
