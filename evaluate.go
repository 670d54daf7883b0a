package rcfreeze

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// EvaluateOptions say on which images Evaluate measures a model, and what.
type EvaluateOptions struct {
	Data      Data          // required
	Logits    string        // the output with the logits; "" is the only one, or the only one that fits the classes of the data
	Split     dataset.Split // "" means dataset.Test, or dataset.Val if there is no test split
	BatchSize int           // images at a time; 0 means DefaultBatch, or fewer if these would take too much memory
	PerClass  bool          // also measure each class, and count which classes are confused
	Epsilon   float64       // size of the FGSM attack for robust accuracy, of pixels from 0 to 1; 0 measures none
	Runtime   Runtime
	Reporter
}

// Evaluation is the result of Evaluate.
type Evaluation struct {
	Model string `json:"model"` // its file
	MeasuredOn
	Normalize dataset.Normalization `json:"normalize"` // the one that was used
	Epsilon   float64               `json:"epsilon,omitempty"`
	evaluate.Result
	PerClass []ClassResult `json:"per_class,omitempty"` // for classes that have images, in the order of the model's outputs
	Mistakes []Mistake     `json:"mistakes,omitempty"`  // all that occur, the most frequent first; nil without PerClass

	ClassNames []string            `json:"-"` // names of the classes in the order of the model's outputs; numbers if they have none
	Confusion  *evaluate.Confusion `json:"-"` // nil without PerClass
}

// ClassResult is the result for one class.
type ClassResult struct {
	Class   string  `json:"class"`
	Images  int     `json:"images"`  // images of the class
	Correct int     `json:"correct"` // those for which the model predicted the class
	Top1    float64 `json:"top1"`    // share of images, from 0 to 1
}

// Mistake counts the images of one class for which the model predicted another.
type Mistake struct {
	Class     string `json:"class"`
	Predicted string `json:"predicted"`
	Images    int    `json:"images"`
}

// Evaluate measures loss, top-1 and top-5 accuracy of a classifier on a data set, and its accuracy under attack if Epsilon is
// above 0.
func Evaluate(ctx context.Context, m *Model, o EvaluateOptions) (*Evaluation, error) {
	o.Split = cmp.Or(o.Split, dataset.Test)
	if err := o.Validate(); err != nil {
		return nil, err
	}
	m = m.Clone()
	if err := chooseLogits(m, o.Logits); err != nil {
		return nil, err
	}
	if err := checkAttack(m, o.Epsilon); err != nil {
		return nil, err
	}
	if err := o.useFloat32(m); err != nil {
		return nil, err
	}
	data := o.Data.reader(o.Reporter, m)
	measure := evaluate.Options{BatchSize: o.BatchSize, Workers: data.workers(), Epsilon: o.Epsilon}
	var err error
	if measure.Session, err = o.Runtime.start(o.Reporter); err != nil {
		return nil, err
	}
	set, err := data.open(o.Split)
	if err != nil {
		return nil, err
	}
	if o.Split == dataset.Val && set.Split == dataset.Test {
		o.say("%s: there is no val split: test takes its place", set.Path)
	}
	if measure.Normalize, err = data.normalization(ctx, func() (*dataset.Dataset, error) {
		if set.Split == dataset.All || set.Split == dataset.Train {
			return set, nil
		}
		return data.open(dataset.Train)
	}); err != nil {
		return nil, err
	}
	e := &Evaluation{Model: m.Path(), MeasuredOn: o.Data.measuredOn(set, nil), Normalize: measure.Normalize, Epsilon: o.Epsilon, ClassNames: set.Classes}
	if o.PerClass {
		e.Confusion = &evaluate.Confusion{}
		measure.Classified = e.Confusion.Add
	}
	if e.Result, err = o.measure(ctx, m, set, measure); err != nil {
		return nil, fmt.Errorf("measuring %s: %w", m.Path(), err)
	}
	if o.PerClass {
		e.listClasses()
	}
	return e, nil
}

// Validate returns an error that lists what is wrong with the options, independent of the model.
func (o EvaluateOptions) Validate() error {
	faults := []error{o.Data.required(), notNegative("--epsilon", o.Epsilon), o.Runtime.check()}
	if o.BatchSize < 0 {
		faults = append(faults, fmt.Errorf("--batch-size %d: needs at least 1, or 0 to choose it by the memory that it takes", o.BatchSize))
	}
	if o.Split != "" && !slices.Contains(dataset.Splits(), o.Split) {
		faults = append(faults, fmt.Errorf("--split %q: choose test, val or train", o.Split))
	}
	return options(faults...)
}

// useFloat32 converts a model with another floating-point type to float32, and reports it.
func (r Reporter) useFloat32(m *Model) error {
	isOther := func(v *onnxgraph.Value) bool { return v.DType().IsFloat() && v.DType() != onnxgraph.Float32 }
	if !slices.ContainsFunc(slices.Concat(m.Graph.Inputs(), m.Graph.Outputs()), isOther) {
		return nil
	}
	if _, err := precision.Convert(m, onnxgraph.Float32); err != nil {
		return err
	}
	r.say("%s has inputs or outputs that are not float32: it is measured as a float32 model", m.Path())
	return nil
}

// listClasses fills in the results of each class.
func (e *Evaluation) listClasses() {
	for class, name := range e.ClassNames {
		if n := e.Confusion.Images(class); n > 0 {
			correct := e.Confusion.Count(class, class)
			e.PerClass = append(e.PerClass, ClassResult{name, n, correct, float64(correct) / float64(n)})
		}
	}
	for _, m := range e.Confusion.Mistakes() {
		e.Mistakes = append(e.Mistakes, Mistake{className(e.ClassNames, m.Label), className(e.ClassNames, m.Class), m.Images})
	}
}

// className returns the name of a class, its number if it has none.
func className(names []string, class int) string {
	if class < len(names) {
		return names[class]
	}
	return strconv.Itoa(class)
}
