package rcfreeze

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/head"
)

// chooseLogits records in the model which of its outputs has the logits, if name is not empty.
func chooseLogits(m *Model, name string) error {
	if name == "" {
		return nil
	}
	return head.Choose(m, name)
}

// settled is what is known about a classifier's logits.
type settled struct{ classes int } // the number of classes, 0 if the model does not say

// settleLogits finds out which output has the logits. If there are several outputs, and neither the user nor the model chooses,
// it takes the only one whose number of classes is that of the names, or of the data set, and reports it.
func (r *reader) settleLogits(split dataset.Split, names []string) error {
	if r.settled != nil {
		return nil
	}
	typed := r.withOutputShapes()
	output, err := head.Logits(typed)
	var several *head.SeveralOutputsError
	if errors.As(err, &several) {
		output, err = r.fittingLogits(typed, split, names)
	}
	if err != nil {
		return err
	}
	if head.IsBinary(output) {
		r.say("%s: output %q is a single number per image, so the model has two classes; it predicts the second, label 1, if its probability is above 0.5", r.m.Path(), output.Name())
	}
	r.settled = &settled{head.Classes(output)}
	return nil
}

// fittingLogits chooses the output that fits the classes of the data set. typed is a copy of the model with shapes.
func (r *reader) fittingLogits(typed *Model, split dataset.Split, names []string) (*onnxgraph.Value, error) {
	classes, of := len(names), "that have names"
	if names == nil {
		var err error
		of = "of " + r.Path
		if classes, err = r.countClasses(split); err != nil {
			return nil, err
		}
	}
	fit := head.LogitsFor(typed, classes)
	if len(fit) != 1 {
		_, err := head.Logits(typed)
		return nil, fmt.Errorf("choosing among outputs: %d of them fit the %d classes %s: %w", len(fit), classes, of, err)
	}
	r.say("%s has %d outputs: taking %q, the only one that fits the %d classes %s (--logits chooses another)",
		r.m.Path(), len(r.m.Graph.Outputs()), fit[0].Name(), classes, of)
	return fit[0], head.Choose(r.m, fit[0].Name())
}

// withOutputShapes returns the model itself if it states the shapes of its outputs, otherwise a copy with the shapes that ONNX
// Runtime can infer.
func (r *reader) withOutputShapes() *Model {
	shape, err := r.shape()
	if err != nil || !slices.ContainsFunc(r.m.Graph.Outputs(), hasUnknownShape) {
		return r.m
	}
	typed := r.m.Clone()
	specialize.Infer(typed, shape.Batch(1)) // if it fails, shapes stay open
	return typed
}

// hasUnknownShape reports whether the model leaves open how many numbers an output has per image.
func hasUnknownShape(v *onnxgraph.Value) bool {
	dims, ok := v.Shape()
	return !ok || slices.ContainsFunc(dims[min(1, len(dims)):], func(d onnxgraph.Dim) bool { return d.Size < 0 })
}

// countClasses returns how many classes the data set has.
func (r *reader) countClasses(split dataset.Split) (int, error) {
	d, err := r.openQuietly(dataset.Options{Split: split, AnyClasses: true})
	if err != nil {
		return 0, err
	}
	return len(d.Classes), nil
}
