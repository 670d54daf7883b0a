package rcfreeze

import (
	"context"
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterstats"
)

// AnalyzeOptions say what Analyze compares the filters of a model with.
type AnalyzeOptions struct {
	Other *Model // another model, such as the one from before Convert; nil for none
	Reporter
}

// Analysis is the result of Analyze.
type Analysis struct {
	Model string `json:"model"` // its file
	*filterstats.Stats
	Compared *FilterComparison `json:"compared,omitempty"` // nil without AnalyzeOptions.Other
}

// FilterComparison tells how the filters of the analyzed model, A, differ from those of AnalyzeOptions.Other, B.
type FilterComparison struct {
	Model                   string `json:"model"` // B's file
	*filterstats.Stats             // of B
	*filterstats.Divergence        // between A and B
	// Errors has a number for each layer of A, in the order of Analysis.Layers: ‖a - b‖ / ‖b‖, where a are the filters of the layer
	// in A and b those of the layer with the same name in B. It is nil if B has no layer of this name, or one whose filters have
	// another size or are all zeros.
	Errors []*float64 `json:"relative_errors"`
}

// Analyze measures the spatial filters of a model: the combined filters of frozen blocks, and the weights of plain convolutions.
// The model may come from any program. It is not executed, so ONNX Runtime is not needed.
func Analyze(ctx context.Context, m *Model, o AnalyzeOptions) (*Analysis, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	stats, err := o.measureFilters(ctx, m)
	if err != nil {
		return nil, err
	}
	a := &Analysis{Model: m.Path(), Stats: stats}
	if o.Other == nil {
		return a, nil
	}
	c := &FilterComparison{Model: o.Other.Path()}
	if c.Stats, err = o.measureFilters(ctx, o.Other); err != nil {
		return nil, err
	}
	if c.Divergence, err = filterstats.Shift(stats, c.Stats); err != nil {
		return nil, err
	}
	if c.Errors, err = relativeErrors(stats, c.Stats); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.Compared = c
	o.tellComparison(a)
	return a, nil
}

// Validate returns nil: no options are wrong.
func (o AnalyzeOptions) Validate() error { return nil }

// measureFilters measures a model, and tells what it leaves out.
func (o AnalyzeOptions) measureFilters(ctx context.Context, m *Model) (*filterstats.Stats, error) {
	s, err := filterstats.Measure(m, func(done, total int) error {
		o.progress("measuring filters", done, total, "convolutions")
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	var reasons []string // in the order in which they come
	names := map[string][]string{}
	for _, l := range s.LeftOut {
		if names[l.Reason] == nil {
			reasons = append(reasons, l.Reason)
		}
		names[l.Reason] = append(names[l.Reason], l.Name)
	}
	for _, reason := range reasons {
		const most = 3 // what is left out by its kind is often long
		who := strings.Join(names[reason], ", ")
		if n := len(names[reason]); n > most {
			who = fmt.Sprintf("%d convolutions", n)
		}
		o.say("left out %s of %s: %s", who, m.Path(), reason)
	}
	if len(s.Layers) == 0 {
		o.say("%s has no spatial convolution whose filters can be measured", m.Path())
	}
	if len(s.AllEqual) > 0 {
		o.say("the heat maps leave out %s of %s, whose weights are all equal", onnxgraph.Listed(s.AllEqual), m.Path())
	}
	return s, nil
}

// relativeErrors returns the relative error of the filters of each layer of a from those of the layer of its name in b.
func relativeErrors(a, b *filterstats.Stats) ([]*float64, error) {
	byName := map[string]*filterstats.Layer{}
	for i := range b.Layers {
		if l := &b.Layers[i]; byName[l.Name] == nil {
			byName[l.Name] = l
		}
	}
	list := make([]*float64, len(a.Layers))
	for i := range a.Layers {
		source := byName[a.Layers[i].Name]
		if source == nil {
			continue
		}
		f, err := a.Layers[i].Filters()
		if err != nil {
			return nil, err
		}
		of, err := source.Filters()
		if err != nil {
			return nil, err
		}
		list[i] = filterstats.RelativeError(f, of)
	}
	return list, nil
}

// tellComparison tells what of two models was not compared.
func (r Reporter) tellComparison(a *Analysis) {
	c := a.Compared
	const noShift = "there is no shift: it tells how differently the 3×3 kernels of two models are distributed, and "
	switch {
	case c.KernelsA == 0 && c.KernelsB == 0:
		r.say(noShift + "neither has any")
	case c.KernelsA == 0:
		r.say(noShift+"%s has none", a.Model)
	case c.KernelsB == 0:
		r.say(noShift+"%s has none", c.Model)
	}
	var names []string
	for i, e := range c.Errors {
		if e == nil {
			names = append(names, a.Layers[i].Name)
		}
	}
	if len(names) > 0 {
		r.say("there is no relative error of %s: %s has no filters of that name and size, or only zeros", onnxgraph.Listed(names), c.Model)
	}
}
