package trainstep

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Names of an evaluation's outputs.
const (
	LogitsOutput        = "step.logits"         // float32 [N, classes]
	ImageGradientOutput = "step.image_gradient" // float32, the shape of the images
)

// EvaluationOptions says what an evaluation reads and returns besides images and logits.
type EvaluationOptions struct {
	// Parameters and Statistics are initializers that come in as vectors (ParametersSlot, StatisticsSlot),
	// laid out as given, such as a training step has them; nil for those of the model.
	Parameters, Statistics []Segment
	// ImageGradient adds the gradient of the loss by the images, for which labels are an input.
	ImageGradient bool
}

// Evaluation makes the graph that evaluates a model whose values all have static types; the model is
// changed and becomes the graph. BatchNormalization uses running statistics, Dropout does nothing.
func Evaluation(m *onnxgraph.Model, image string, o EvaluationOptions) (*onnxgraph.Model, error) {
	b := &builder{Builder: onnxgraph.NewBuilder(m.Graph), step: &Step{Model: m, Image: image}}
	if err := b.evaluation(o); err != nil {
		return nil, fmt.Errorf("building the evaluation of %s: %w", m.Path(), err)
	}
	return m, nil
}

func (b *builder) evaluation(o EvaluationOptions) error {
	logits, err := b.logits()
	if err != nil {
		return err
	}
	for _, vector := range []struct {
		name     string
		segments []Segment
	}{{ParametersSlot, o.Parameters}, {StatisticsSlot, o.Statistics}} {
		if err := b.readFrom(vector.name, vector.segments); err != nil {
			return err
		}
	}
	var imageGradient *onnxgraph.Value
	if o.ImageGradient {
		if imageGradient, err = b.imageGradient(logits); err != nil {
			return err
		}
	}
	shape, _ := logits.StaticShape()
	b.Graph.RemoveOutputs()
	copied := b.Op("Identity", []*onnxgraph.Value{logits})
	if !b.Graph.Rename(copied, LogitsOutput) {
		return fmt.Errorf("naming output %q: the model has a value of that name", LogitsOutput)
	}
	b.Graph.AddOutput(copied, onnxgraph.Float32, onnxgraph.Static(shape...))
	if imageGradient != nil {
		shape, _ := imageGradient.StaticShape()
		b.Graph.Rename(imageGradient, ImageGradientOutput)
		b.Graph.AddOutput(imageGradient, onnxgraph.Float32, onnxgraph.Static(shape...))
	}
	b.Graph.Prune()
	return nil
}

// readFrom replaces initializers by pieces of an input vector.
func (b *builder) readFrom(name string, segments []Segment) error {
	if len(segments) == 0 {
		return nil
	}
	last := segments[len(segments)-1]
	vector, err := b.Graph.AddInput(name, onnxgraph.Float32, onnxgraph.Static(last.Offset+last.Len()))
	if err != nil {
		return err
	}
	pieces := b.unpack(vector, segments)
	var replaced []*onnxgraph.Value
	for i, s := range segments {
		v := b.Graph.Value(s.Name)
		if v == nil {
			return fmt.Errorf("the model has no value %q", s.Name)
		}
		onnxgraph.ReplaceUses(v, pieces[i])
		replaced = append(replaced, v)
	}
	onnxgraph.RemoveUnused(replaced...)
	return nil
}

// imageGradient emits the gradient of the loss, without label smoothing, by the images.
func (b *builder) imageGradient(logits *onnxgraph.Value) (*onnxgraph.Value, error) {
	loss, err := b.loss(logits)
	if err != nil {
		return nil, err
	}
	image := b.Graph.Value(b.step.Image)
	gradients, err := gradient.Of(b.Builder, loss, image)
	if err != nil {
		return nil, err
	}
	if gradients.Of[image] == nil {
		return nil, errors.New("the loss does not depend on the images")
	}
	return gradients.Of[image], nil
}
