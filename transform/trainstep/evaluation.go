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

// EvaluationOptions says which inputs and outputs an evaluation has besides images and logits.
type EvaluationOptions struct {
	// ImageGradient adds the gradient of the loss (the mean over the batch, without label smoothing) with respect to the images
	// as the output ImageGradientOutput, and the labels as the input LabelsInput.
	ImageGradient bool
}

// Evaluation turns a model whose values all have static types into the graph that evaluates it. It changes the model in place,
// and returns it. image is the name of the input that takes the images. The only output is LogitsOutput, unless the options add
// others. The logits are found as in Build. BatchNormalization uses running statistics, and Dropout does nothing. It fails if
// there are no logits of shape [N, classes] in float32 or, with ImageGradient, if a node cannot be differentiated.
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
	var imageGradient *onnxgraph.Value
	if o.ImageGradient {
		if imageGradient, err = b.imageGradient(logits); err != nil {
			return err
		}
	}
	shape, _ := logits.StaticShape()
	b.Graph.RemoveOutputs()
	if err := b.output(b.Op("Identity", []*onnxgraph.Value{logits}), LogitsOutput, shape...); err != nil {
		return err
	}
	if imageGradient != nil {
		shape, _ := imageGradient.StaticShape()
		if err := b.output(imageGradient, ImageGradientOutput, shape...); err != nil {
			return err
		}
	}
	b.Graph.Prune()
	return nil
}

// imageGradient emits the gradient of the loss, without label smoothing, with respect to the images.
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
