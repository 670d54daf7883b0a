package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/spf13/pflag"
)

// logitsFlag says which output of a classifier tells its classes apart.
type logitsFlag struct{ name string }

func (f *logitsFlag) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.name, "logits", "", "name of the output that scores the classes: the logits, or their Softmax or Sigmoid (default: the only output, or the only one that fits the classes of the data)")
}

// apply records the user's choice in the model.
func (f *logitsFlag) apply(m *onnxgraph.Model) error {
	if f.name == "" {
		return nil
	}
	return transform.ChooseLogits(m, f.name)
}

// settled is what is known of a classifier's logits.
type settled struct{ classes int } // that the model tells apart, 0 if it does not say

// settleLogits finds out which output has the logits. Among several, where neither the user nor the model chose, it takes the
// only one that tells as many classes apart as there are names, or as the data set has, and says so.
func (f *dataFlags) settleLogits(p *printer, m *onnxgraph.Model, split dataset.Split, names []string) error {
	if f.settled != nil {
		return nil
	}
	typed := f.withOutputShapes(m)
	output, err := transform.Logits(typed)
	var several *transform.SeveralOutputsError
	if errors.As(err, &several) {
		output, err = f.chooseLogits(p, m, typed, split, names)
	}
	if err != nil {
		return err
	}
	if transform.IsBinary(output) {
		p.say("%s: output %q is a single number per image, and tells two classes apart: the second, label 1, where its probability is above 0.5", m.Path(), output.Name())
	}
	f.settled = &settled{transform.Classes(output)}
	return nil
}

// chooseLogits chooses for a model, of which typed is a copy with shapes, by the classes of the data set.
func (f *dataFlags) chooseLogits(p *printer, m, typed *onnxgraph.Model, split dataset.Split, names []string) (*onnxgraph.Value, error) {
	classes, of := len(names), "that have names"
	if names == nil {
		var err error
		of = "of " + f.path
		if classes, err = f.countClasses(m, split); err != nil {
			return nil, err
		}
	}
	fit := transform.LogitsFor(typed, classes)
	if len(fit) != 1 {
		_, err := transform.Logits(typed)
		return nil, fmt.Errorf("choosing among outputs: %d of them fit the %d classes %s: %w", len(fit), classes, of, err)
	}
	p.say("%s has %d outputs: %q is taken, the only one that fits the %d classes %s (--logits names another)",
		m.Path(), len(m.Graph.Outputs()), fit[0].Name(), classes, of)
	return fit[0], transform.ChooseLogits(m, fit[0].Name())
}

// withOutputShapes returns a model itself if it says how large its outputs are, else a copy that does, as far as ONNX Runtime
// can tell.
func (f *dataFlags) withOutputShapes(m *onnxgraph.Model) *onnxgraph.Model {
	shape, err := f.shape(m)
	if err != nil || !slices.ContainsFunc(m.Graph.Outputs(), hasUnknownShape) {
		return m
	}
	typed := m.Clone()
	specialize.Infer(typed, []int64{1, int64(shape.Channels), int64(shape.Height), int64(shape.Width)}) // else they stay open
	return typed
}

// hasUnknownShape reports whether the model does not say how large what an output gives for an image is.
func hasUnknownShape(v *onnxgraph.Value) bool {
	dims, ok := v.Shape()
	return !ok || slices.ContainsFunc(dims[min(1, len(dims)):], func(d onnxgraph.Dim) bool { return d.Size < 0 })
}

// countClasses returns how many classes the data set has.
func (f *dataFlags) countClasses(m *onnxgraph.Model, split dataset.Split) (int, error) {
	d, err := f.openQuietly(m, dataset.Options{Split: split, AnyClasses: true})
	if err != nil {
		return 0, err
	}
	return len(d.Classes), nil
}
