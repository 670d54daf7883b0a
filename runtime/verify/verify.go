// Package verify compares two models by running them: do they compute the same, and which is faster.
package verify

import (
	"errors"
	"fmt"
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Difference says how far one output of two models is apart.
type Difference struct {
	Output string  `json:"output"`
	MaxAbs float64 `json:"max_abs"`
	MaxRel float64 `json:"max_rel"` // MaxAbs over the largest absolute value of the reference's output (of a sigmoid, at least 0.01)
}

// Outputs runs both models on the same standard normal inputs, drawn from seed, and compares all outputs
// of reference with those of the same names of other. batch is the size of a first dimension that the
// models leave open, unless reference only runs on single examples. An output that is not finite in one and finite in the other
// differs by infinity.
func Outputs(reference, other *onnxgraph.Model, batch int64, seed uint64) ([]Difference, error) {
	a, err := ort.OpenModel(readable(reference), ort.Options{})
	if err != nil {
		return nil, err
	}
	inputs, want, err := runOnNoise(reference, a, batch, seed)
	if err := errors.Join(err, a.Close()); err != nil { // large models fit in memory one after the other
		return nil, err
	}
	b, err := ort.OpenModel(readable(other), ort.Options{})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	got, err := b.Run(inputs)
	if err != nil {
		return nil, fmt.Errorf("running %s: %w", other.Path(), err)
	}
	var differences []Difference
	for _, port := range a.Outputs() {
		d, err := difference(reference.Graph.Value(port.Name), port.Name, want[port.Name], got[port.Name])
		if err != nil {
			return nil, err
		}
		differences = append(differences, d)
	}
	return differences, nil
}

func difference(output *onnxgraph.Value, name string, want, got *onnxgraph.Tensor) (Difference, error) {
	d := Difference{Output: name}
	if got == nil {
		return d, fmt.Errorf("comparing outputs: the other model has no output %q", name)
	}
	if fmt.Sprint(want.Dims()) != fmt.Sprint(got.Dims()) {
		return d, fmt.Errorf("comparing output %q: shapes %v and %v", name, want.Dims(), got.Dims())
	}
	w, err := want.Float64s()
	if err != nil {
		return d, fmt.Errorf("comparing output %q: %w", name, err)
	}
	g, err := got.Float64s()
	if err != nil {
		return d, fmt.Errorf("comparing output %q: %w", name, err)
	}
	largest := 0.0
	for i := range w {
		apart := math.Abs(w[i] - g[i])
		switch {
		case w[i] == g[i] || math.IsNaN(w[i]) && math.IsNaN(g[i]):
			apart = 0 // equal infinities included
		case math.IsNaN(apart):
			apart = math.Inf(1)
		}
		d.MaxAbs = max(d.MaxAbs, apart)
		if !math.IsInf(w[i], 0) && !math.IsNaN(w[i]) {
			largest = max(largest, math.Abs(w[i]))
		}
	}
	if d.MaxAbs > 0 {
		d.MaxRel = d.MaxAbs / scale(output, largest)
	}
	return d, nil
}
