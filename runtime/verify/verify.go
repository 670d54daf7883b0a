// Package verify runs two models, and compares their outputs and their speed. Call ort.Init first.
package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Difference says how much one output of two models differs.
type Difference struct {
	Output string  `json:"output"`  // its name
	MaxAbs float64 `json:"max_abs"` // the largest absolute difference of two numbers
	// MaxRel is the difference divided by the largest absolute value of the reference's output. If the output is a Sigmoid, the
	// divisor is at least 0.01. MaxRel is infinite if the reference is all zeros and the other output is not.
	MaxRel   float64 `json:"max_rel"`
	Compared int64   `json:"compared"` // how many numbers of the reference's output are finite; 0 means that nothing was compared
}

// Report says on which inputs two models were compared, and how much they differ.
type Report struct {
	Inputs      []string     // describes the inputs that the models ran on, one text for each run
	Batch       int64        // the first dimension of the first input, 0 if it has none
	Differences []Difference // one per output of the reference, in its order: the largest differences in all runs
}

// ErrNothingCompared is an error of Outputs: no output of the reference has a finite number.
var ErrNothingCompared = errors.New("no output has a finite number, so nothing was compared")

// Outputs runs both models on the same inputs, and compares each output of reference with the output of the same name of other.
// Inputs that o.Inputs does not give are standard normal numbers or, if an output is not finite for these, numbers from 0 to 1.
// If an element is finite in only one of the two outputs, the difference is infinite. Both models run on the CPU. Models that
// differ give no error: the caller judges the Report. Outputs fails if a model does not run, or if other lacks an output of
// reference or gives it another shape. If nothing could be compared, the error is an ErrNothingCompared (errors.Is). Call
// ort.Init first.
func Outputs(ctx context.Context, reference, other *onnxgraph.Model, o Options) (Report, error) {
	var report Report
	for _, fill := range fillings {
		next, err := compareOn(ctx, reference, other, o, fill)
		if err != nil {
			if report.Differences != nil && ctx.Err() == nil {
				break // the model does not run on these, so the first results count
			}
			return Report{}, err
		}
		report.add(next)
		isEmpty := func(d Difference) bool { return d.Compared == 0 }
		if o.Inputs != nil || !slices.ContainsFunc(report.Differences, isEmpty) {
			break
		}
	}
	for _, d := range report.Differences {
		if d.Compared > 0 || !(d.MaxAbs == 0) {
			return report, nil
		}
	}
	return report, fmt.Errorf("comparing %s on %s: %w: give inputs for which the outputs are finite (--inputs)", reference.Path(), strings.Join(report.Inputs, "; "), ErrNothingCompared)
}

// add merges the report of a comparison of the same models on other inputs.
func (r *Report) add(other Report) {
	if r.Differences == nil {
		*r = other
		return
	}
	r.Inputs = append(r.Inputs, other.Inputs...)
	for i, d := range other.Differences {
		mine := &r.Differences[i]
		mine.MaxAbs, mine.MaxRel, mine.Compared = max(mine.MaxAbs, d.MaxAbs), max(mine.MaxRel, d.MaxRel), mine.Compared+d.Compared
	}
}

// compareOn compares the models on the given inputs, or on random ones.
func compareOn(ctx context.Context, reference, other *onnxgraph.Model, o Options, fill filling) (Report, error) {
	a, err := ort.OpenModel(readable(reference), ort.Options{})
	if err != nil {
		return Report{}, err
	}
	trials, err := findTrials(ctx, reference, a, o, fill)
	if err := errors.Join(err, a.Close()); err != nil { // two large models may not fit into memory at the same time
		return Report{}, err
	}
	b, err := ort.OpenModel(readable(other), ort.Options{})
	if err != nil {
		return Report{}, err
	}
	defer b.Close()
	report := Report{Batch: batchOf(a, trials[0])}
	for _, port := range a.Outputs() {
		report.Differences = append(report.Differences, Difference{Output: port.Name})
	}
	for _, t := range trials {
		report.Inputs = append(report.Inputs, describe(t.inputs))
		got, err := b.RunContext(ctx, t.inputs)
		if err != nil {
			return Report{}, fmt.Errorf("on %s: %w", describe(t.inputs), err)
		}
		for i := range report.Differences {
			d := &report.Differences[i]
			if err := d.add(reference.Graph.Value(d.Output), t.outputs[d.Output], got[d.Output]); err != nil {
				return Report{}, err
			}
		}
	}
	return report, nil
}

// batchOf returns the first dimension of a session's first input, 0 if there is none.
func batchOf(s *ort.Session, t trial) int64 {
	if len(s.Inputs()) == 0 || t.inputs[s.Inputs()[0].Name].Rank() == 0 {
		return 0
	}
	return t.inputs[s.Inputs()[0].Name].Dims()[0]
}

// add compares the output of two models, and updates d.
func (d *Difference) add(output *onnxgraph.Value, want, got *onnxgraph.Tensor) error {
	if got == nil {
		return fmt.Errorf("comparing outputs: the other model has no output %q", d.Output)
	}
	if fmt.Sprint(want.Dims()) != fmt.Sprint(got.Dims()) {
		return fmt.Errorf("comparing output %q: shapes %v and %v", d.Output, want.Dims(), got.Dims())
	}
	w, err := want.Float64s()
	if err != nil {
		return fmt.Errorf("comparing output %q: %w", d.Output, err)
	}
	g, err := got.Float64s()
	if err != nil {
		return fmt.Errorf("comparing output %q: %w", d.Output, err)
	}
	largest, most := 0.0, 0.0
	for i := range w {
		apart := math.Abs(w[i] - g[i])
		switch {
		case w[i] == g[i] || math.IsNaN(w[i]) && math.IsNaN(g[i]):
			apart = 0 // also for equal infinities
		case math.IsNaN(apart):
			apart = math.Inf(1)
		}
		most = max(most, apart)
		if !math.IsInf(w[i], 0) && !math.IsNaN(w[i]) {
			largest = max(largest, math.Abs(w[i]))
			d.Compared++
		}
	}
	if most > 0 {
		d.MaxAbs, d.MaxRel = max(d.MaxAbs, most), max(d.MaxRel, most/scale(output, largest))
	}
	return nil
}
