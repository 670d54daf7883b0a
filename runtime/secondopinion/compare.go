package secondopinion

import (
	"fmt"
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Difference says how much two outputs differ.
type Difference struct {
	MaxAbs float64 // the largest |output - reference|
	MaxRel float64 // MaxAbs divided by the largest |reference|: infinite if the reference is all zeros and the output is not
}

// Compare measures the difference between two tensors of the same dims. Both numbers are infinite if either tensor has an element
// that is not finite. It fails if the dims differ.
func Compare(output, reference *onnxgraph.Tensor) (Difference, error) {
	if !slices.Equal(output.Dims(), reference.Dims()) {
		return Difference{}, fmt.Errorf("comparing outputs: dims %v, the reference has %v", output.Dims(), reference.Dims())
	}
	got, err := output.Float64s()
	if err != nil {
		return Difference{}, fmt.Errorf("comparing outputs: %w", err)
	}
	want, err := reference.Float64s()
	if err != nil {
		return Difference{}, fmt.Errorf("comparing outputs: reference: %w", err)
	}
	var d Difference
	largest := 0.0
	for i := range want {
		diff := math.Abs(got[i] - want[i])
		if !(diff < math.Inf(1)) { // or not a number
			return Difference{math.Inf(1), math.Inf(1)}, nil
		}
		d.MaxAbs = max(d.MaxAbs, diff)
		largest = max(largest, math.Abs(want[i]))
	}
	if d.MaxAbs > 0 {
		d.MaxRel = d.MaxAbs / largest // infinite if the reference is all zeros
	}
	return d, nil
}
