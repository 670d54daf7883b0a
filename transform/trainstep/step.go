package trainstep

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
	"github.com/rcfreeze/rcfreeze/transform/head"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// Names of the step's inputs and outputs.
const (
	LabelsInput       = "step.labels"        // int64 [N], class numbers from 0 up
	LearningRateInput = "step.learning_rate" // float32 [1]
	LossOutput        = "step.loss"          // float32 [1], the mean over the batch
	CorrectOutput     = "step.correct"       // float32 [1], how many samples are classified correctly
)

// DropoutStreamInput is the name of an input, int64 [2], that exists only if Step.HasDropout: the keys Add and Xor of a
// filterbank.Stream. Use another stream in every step.
const DropoutStreamInput = "step.dropout_stream"

// Options says what trains and how.
type Options struct {
	// Trained names the constants of the main graph that train (see parameter.Selection): at least one. All must be float32, or
	// Widens must be true for them.
	Trained        []string
	LabelSmoothing float64   // from 0 (none) to below 1: the share of the target that is spread evenly over all classes
	Optimizer      Optimizer // SGD or AdamW; required: nil panics
	// ClipNorm limits the Euclidean norm of the gradient of all parameters together; 0 means no limit.
	ClipNorm float64
	// FreezeStatistics makes BatchNormalization use its running statistics, as in inference, and leaves them unchanged.
	FreezeStatistics bool
	// After names values of the main graph; none means that the whole model trains. Nodes that depend on none of these values
	// behave as in inference, also BatchNormalization and Dropout. Parameters that train must come after these values.
	After     []string
	BlockForm BlockForm // how frozen blocks are computed; "" means AutoForm
	// Accumulate makes one update from the gradients of several steps: see UpdateInput.
	Accumulate bool
}

// Step is a training step.
type Step struct {
	Model      *onnxgraph.Model // the step as a model: the one that Build got, changed
	Image      string           // the name of the input that takes images
	Classes    int              // number of classes of the logits
	HasDropout bool             // a Dropout is active in training, so the step has DropoutStreamInput
	// Parameters says where each trained parameter lies in the vector that Trained returns.
	Parameters []Segment
	// Statistics says where the running means and variances of the source lie in the vector of StatisticsSlot. It is empty if
	// there is no such slot.
	Statistics []Segment
	State      []Slot // all state: parameters, running statistics, and what the optimizer keeps
	// TwoConv and Merged are how many frozen blocks the step computes in each form.
	TwoConv, Merged int
	// Convolutions lists the convolutions that were differentiated. Later passes can replace their gradients by faster operators.
	Convolutions []gradient.Convolution
	// Unreached names parameters that Options asked to train, but on which the loss does not depend. They have no state, and stay
	// as they are.
	Unreached []string

	pieces []piece // the parts of the vector of ParametersSlot
}

// Slot is a float32 vector of state: each step's Output is the next step's Input.
type Slot struct {
	Input   string            // the name of the step's input, which is also the slot's name, such as ParametersSlot
	Output  string            // the name of the step's output: that of the input followed by ".next"
	Initial *onnxgraph.Tensor // the input of the first step
}

// Names of slots, that is, of their inputs. Every step has ParametersSlot. StatisticsSlot exists only if running statistics
// change. The optimizer has slots of its own.
const (
	ParametersSlot = "step.parameters"
	StatisticsSlot = "step.statistics"
)

// Segment is the part of a vector that holds one constant of the source model, in row-major order.
type Segment struct {
	Name   string  // of the constant
	Shape  []int64 // dims of the constant
	Offset int64   // where it starts in the vector, in elements
}

// Len returns the number of elements.
func (s Segment) Len() int64 {
	return onnxgraph.ElementCount(s.Shape)
}

// Build turns a model into its training step. It changes the model in place. image is the name of the input that takes the
// images. All values of the model must have static types, and its opset must be 18 or newer. head.Logits must find its logits (or
// their Softmax) in float32, one row per image: [N, classes], or the same with more dimensions of size 1. A single number per
// image, [N] or [N, 1], with or without a Sigmoid, is a classifier of two classes.
//
// The error lists everything that prevents training: nodes that cannot be differentiated, parameters, Dropouts and running
// statistics. The model must then not be used any more.
func Build(m *onnxgraph.Model, image string, o Options) (*Step, error) {
	b := &builder{Builder: onnxgraph.NewBuilder(m.Graph), Options: o, step: &Step{Model: m, Image: image}, coordinates: map[*onnxgraph.Value]*coordinates{}}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("building the training step of %s: %w", m.Path(), err)
	}
	return b.step, nil
}

// builder holds a Step while Build makes it.
type builder struct {
	*onnxgraph.Builder
	Options
	step    *Step
	after   map[*onnxgraph.Value]bool // the values of After and their dependents; nil if After is nil
	updates *onnxgraph.Value          // whether this step makes an update; nil if every step does

	shortcuts   []gradient.Shortcut
	coordinates map[*onnxgraph.Value]*coordinates // by the weights that they replace
	share       *onnxgraph.Value                  // s of span; nil if no block trains coordinates
}

func (b *builder) build() error {
	b.widen(b.Trained)
	logits, err := b.logits()
	if err != nil {
		return err
	}
	if err := b.checkOneClass(); err != nil {
		return err
	}
	if err := b.findTrainingPart(); err != nil {
		return err
	}
	if err := b.mergeBlocks(); err != nil {
		return err
	}
	norms := b.trainingNorms()
	if err := b.check(logits, norms); err != nil {
		return err
	}
	vector, slope, err := b.differentiate(logits, norms)
	if err != nil {
		return err
	}
	if err := b.optimizer(vector, slope); err != nil {
		return err
	}
	if err := b.updateStatistics(norms); err != nil {
		return err
	}
	for i, c := range b.step.Convolutions { // their inputs were replaced since, and nothing reads the nodes of shortcuts
		b.step.Convolutions[i].X, b.step.Convolutions[i].W = c.Node.Input(0), c.Node.Input(1)
	}
	b.Graph.Prune()
	return nil
}

// differentiate adds the loss and the number of correct samples as outputs, and returns the parameters and their gradient as
// vectors.
func (b *builder) differentiate(logits *onnxgraph.Value, norms []*onnxgraph.Node) (parameters, slope *onnxgraph.Value, err error) {
	trained, err := b.takeParameters()
	if err != nil {
		return nil, nil, err
	}
	if err := b.lowerDropout(); err != nil {
		return nil, nil, err
	}
	for _, n := range norms {
		n.SetAttr(onnxgraph.Int("training_mode", 1))
	}
	loss, err := b.loss(logits)
	if err != nil {
		return nil, nil, err
	}
	var values []*onnxgraph.Value
	for _, p := range trained {
		values = append(values, p.by())
	}
	gradients, err := gradient.OfBy(b.shortcuts, b.Builder, loss, values...)
	if err != nil {
		return nil, nil, err
	}
	b.step.Convolutions = gradients.Convolutions
	b.Graph.RemoveOutputs()
	if err := errors.Join(b.output(loss, LossOutput, 1), b.correct(logits)); err != nil {
		return nil, nil, err
	}
	return b.flatten(trained, gradients.Of)
}

// findTrainingPart records the values that After names, and those that depend on them.
func (b *builder) findTrainingPart() error {
	if len(b.After) == 0 {
		return nil
	}
	first := slices.DeleteFunc(b.values(b.After), func(v *onnxgraph.Value) bool { return v.Constant() != nil })
	if len(first) == 0 {
		return fmt.Errorf("%q, after which training starts, does not depend on the images' pixels: name another node", b.After)
	}
	b.after = b.Graph.Dependents(first, nil)
	return nil
}

// values returns the graph's values of the given names, and leaves out names that it does not have.
func (b *builder) values(names []string) []*onnxgraph.Value {
	var found []*onnxgraph.Value
	for _, name := range names {
		if v := b.Graph.Value(name); v != nil {
			found = append(found, v)
		}
	}
	return found
}

// isTraining reports whether a node behaves as in training.
func (b *builder) isTraining(n *onnxgraph.Node) bool {
	return b.after == nil || n.ReadsAny(b.after)
}

// logits returns the scores of the classes as [N, classes]. If the output is a Softmax, it returns the Softmax's input. A model
// may also have a single number z per image, with or without a Sigmoid, for two classes. The logits are then 0 and z: their
// Softmax is 1 - sigmoid(z) and sigmoid(z), and their cross entropy is the binary cross entropy.
func (b *builder) logits() (*onnxgraph.Value, error) {
	v, err := head.Logits(b.step.Model)
	if err != nil {
		return nil, err
	}
	if err := b.checkScores(v); err != nil {
		return nil, err
	}
	binary := isBinary(v)
	last := head.LastOperator(v)
	if last != nil && (last.Is("Softmax") || last.Is("LogSoftmax") || binary && last.Is("Sigmoid")) {
		v = last.Input(0)
	}
	if err := b.checkScores(v); err != nil {
		return nil, err
	}
	shape, _ := v.StaticShape()
	if binary {
		b.step.Classes = 2
		zeros := b.Fill(onnxgraph.Float32, 0, shape[0], 1)
		v = b.Op("Concat", []*onnxgraph.Value{zeros, b.reshaped(v, shape[0], 1)}, onnxgraph.Int("axis", 1))
		v.SetType(onnxgraph.Float32, onnxgraph.Static(shape[0], 2))
		return v, nil
	}
	b.step.Classes = int(shape[1])
	if len(shape) > 2 {
		v = b.reshaped(v, shape[:2]...)
	}
	return v, nil
}

// checkOneClass checks that the model assigns each image to exactly one class.
func (b *builder) checkOneClass() error {
	v, err := head.Logits(b.step.Model)
	if err != nil {
		return err
	}
	if last := head.LastOperator(v); last != nil && last.Is("Sigmoid") && !isBinary(v) {
		return fmt.Errorf("the output %q comes from %s: such a model decides on each class by itself, and cross entropy trains models that "+
			"decide on one (--num-classes gives it a new last layer, with a Softmax)", v.Name(), last)
	}
	return nil
}

// isBinary reports whether the scores v are a single number per image.
func isBinary(v *onnxgraph.Value) bool {
	shape, _ := v.StaticShape()
	return len(shape) == 1 || shape[1] == 1
}

// checkScores checks that a value has one row of numbers per image, one number per class: [N, classes], or the same with spatial
// dimensions of size 1, as global pooling leaves them. [N] is a single number per image.
func (b *builder) checkScores(v *onnxgraph.Value) error {
	shape, ok := v.StaticShape()
	images, _ := b.Graph.Value(b.step.Image).StaticShape()
	if !ok || len(shape) < 1 || shape[0] != images[0] || len(shape) > 2 && (len(shape) < len(images) || Segment{Shape: shape[2:]}.Len() != 1) {
		return fmt.Errorf("%q has shape %v: needs [N, classes] for N = %d images, as the logits of a classifier have (--logits names another output)", v.Name(), shape, images[0])
	}
	if v.DType() != onnxgraph.Float32 {
		return fmt.Errorf("%q is %v, and training needs a model that computes in float32: %s", v.Name(), v.DType(), precision.MakeFloat32)
	}
	return nil
}

// output makes v a float32 output under the given name.
func (b *builder) output(v *onnxgraph.Value, name string, shape ...int64) error {
	if !b.Graph.Rename(v, name) {
		return fmt.Errorf("naming output %q: the model has a value of that name", name)
	}
	b.Graph.AddOutput(v, onnxgraph.Float32, onnxgraph.Static(shape...))
	return nil
}

// slot adds a state vector and returns the input that holds it.
func (b *builder) slot(name string, initial []float32) (*onnxgraph.Value, error) {
	n := int64(len(initial))
	v, err := b.Graph.AddInput(name, onnxgraph.Float32, onnxgraph.Static(n))
	if err != nil {
		return nil, err
	}
	b.step.State = append(b.step.State, Slot{Input: name, Output: name + ".next", Initial: onnxgraph.NewTensor([]int64{n}, initial)})
	return v, nil
}

// next makes v the content of the slot after the step.
func (b *builder) next(slot *onnxgraph.Value, v *onnxgraph.Value) error {
	shape, _ := slot.StaticShape()
	return b.output(v, slot.Name()+".next", shape[0])
}

func (b *builder) num(v float64) *onnxgraph.Value { return b.Fill(onnxgraph.Float32, v, 1) }

func (b *builder) binary(opType string, x, y *onnxgraph.Value) *onnxgraph.Value {
	return b.Op(opType, []*onnxgraph.Value{x, y})
}

func (b *builder) add(x, y *onnxgraph.Value) *onnxgraph.Value { return b.binary("Add", x, y) }
func (b *builder) sub(x, y *onnxgraph.Value) *onnxgraph.Value { return b.binary("Sub", x, y) }
func (b *builder) mul(x, y *onnxgraph.Value) *onnxgraph.Value { return b.binary("Mul", x, y) }
func (b *builder) div(x, y *onnxgraph.Value) *onnxgraph.Value { return b.binary("Div", x, y) }

// scale returns v·factor, or v itself if factor is 1.
func (b *builder) scale(v *onnxgraph.Value, factor float64) *onnxgraph.Value {
	if factor == 1 {
		return v
	}
	return b.mul(v, b.num(factor))
}
