package rcfreeze

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/secondopinion"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/inference"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
)

// ExportOptions say how Export changes a model, and how it verifies the result.
type ExportOptions struct {
	Source        *Model // the model from before Convert, to compare size and speed with (not outputs); nil if there is none
	KeepBatchNorm bool   // do not fold BatchNormalization into the Conv, ConvTranspose or Gemm before it
	Batch         string // the new batch size: a number, or DynamicBatch; "" keeps the model's
	NoVerify      bool   // do not run the models to compare their outputs
	// Tolerance is the largest difference that is allowed between an output of the model and of the exported model, divided by the
	// largest absolute value of the output. 0 means UsualTolerance. A negative number allows no difference at all.
	Tolerance float64
	// SecondOpinion also runs the written model in a second engine (package secondopinion), and compares with Tolerance. If the
	// engine's program is missing, or the engine cannot run the model (*secondopinion.Unavailable), Export fails and writes nothing.
	SecondOpinion bool
	Time          bool           // measure how fast the models run, alternating between them
	TimeRuns      int            // timed runs of each model; 0 means DefaultTimeRuns
	Verify        verify.Options // the inputs for all runs
	Output        Output
	Runtime       Runtime
	Reporter
}

// DefaultTimeRuns is the default number of timed runs of each model.
const DefaultTimeRuns = 20

// Exported is the result of Export.
type Exported struct {
	Source    string              `json:"model"`     // the file of the model that was exported, not of ExportOptions.Source
	Output    string              `json:"output"`    // as Output.Name returns it
	Merged    []transform.Outcome `json:"merged"`    // one per frozen block
	Folded    []transform.Outcome `json:"folded"`    // one per batch normalization; nil with KeepBatchNorm
	Tolerance float64             `json:"tolerance"` // the one that was used
	// VerifiedOn describes the inputs on which outputs were compared, one text for each set of inputs, such as "rate of 16000, x
	// [8, 3, 32, 32]": the dims of each input, and the value if all its elements are equal. It is nil with NoVerify.
	VerifiedOn    []string                  `json:"verified_on,omitempty"`
	Differences   []verify.Difference       `json:"differences,omitempty"`    // one per output of the model; nil with NoVerify
	SecondOpinion *secondopinion.Difference `json:"second_opinion,omitempty"` // between the engines; nil if not asked for
	Models        []ModelFacts              `json:"models"`                   // source (if given), model, exported model
	Model         *Model                    `json:"-"`                        // the new one
}

// ModelFacts has the size and speed of one of several models.
type ModelFacts struct {
	Name       string         `json:"name"`  // source, as trained or exported
	Bytes      int64          `json:"bytes"` // size of the file and its external data
	Parameters ParameterCount `json:"parameters"`
	Operators  map[string]int `json:"operators"`         // nodes by operator
	Latency    *verify.Timing `json:"latency,omitempty"` // nil without ExportOptions.Time
}

// Export merges every frozen block into one convolution, folds batch normalization into the Conv, ConvTranspose or Gemm before
// it, and verifies that the result computes the same as the model. If not, the error is an ErrNotEqual (errors.Is), and nothing
// is written. A model in training mode is exported in the form for inference.
func Export(ctx context.Context, m *Model, o ExportOptions) (*Exported, error) {
	o.TimeRuns = cmp.Or(o.TimeRuns, DefaultTimeRuns)
	if err := o.Validate(); err != nil {
		return nil, err
	}
	original := m
	m = m.Clone()
	if err := o.toInference(m); err != nil {
		return nil, err
	}
	if err := o.resize(m); err != nil {
		return nil, err
	}
	var err error
	if o.Tolerance == 0 {
		if o.Tolerance, err = UsualTolerance(m); err != nil {
			return nil, err
		}
	}
	o.Tolerance = max(0, o.Tolerance)
	e := &Exported{Source: m.Path(), Output: o.Output.Name(), Tolerance: o.Tolerance, Model: m.Clone()}
	if e.Merged, err = transform.Merge(e.Model); err != nil {
		return nil, err
	}
	if !o.KeepBatchNorm {
		if e.Folded, err = normalization.Fold(e.Model); err != nil {
			return nil, err
		}
	}
	staged, err := o.Output.stage(o.Reporter, e.Model, original)
	if err != nil {
		return nil, err
	}
	defer staged.Abandon()
	written, err := onnxgraph.Load(staged.Path())
	if err != nil {
		return nil, err
	}
	models := []*Model{m, written}
	names := []string{"as trained", "exported"}
	if o.Source != nil {
		source := o.Source.Clone()
		if err := o.toInference(source); err != nil {
			return nil, err
		}
		models, names = append([]*Model{source}, models...), append([]string{"source"}, names...)
	}
	if e.Models, err = describeModels(names, models); err != nil {
		return nil, err
	}
	if err := o.execute(ctx, e, m, written, models); err != nil {
		return nil, err
	}
	if err := staged.commit(o.Reporter); err != nil {
		return nil, err
	}
	o.warnOfBlocks(m.Path(), e.Merged)
	return e, nil
}

// Validate returns an error that lists what is wrong with the options, independent of the model, and says if the output cannot be
// written.
func (o ExportOptions) Validate() error {
	return errors.Join(o.Output.Check(), options(checkBatch(o.Batch), notNegative("--time-runs", o.TimeRuns), notNegative("--verify-batch", o.Verify.Batch), o.Runtime.check()))
}

// toInference converts a model that was exported in training mode to the form for inference, and reports it.
func (r Reporter) toInference(m *Model) error {
	training := inference.TrainingNodes(m)
	if _, err := inference.Switch(m); err != nil {
		return fmt.Errorf("bringing %s, which is in training mode, into the form for inference: %w", m.Path(), err)
	}
	if training > 0 {
		r.say("%s is in training mode: its %d BatchNormalization and Dropout nodes are set to inference", m.Path(), training)
	}
	return nil
}

// resize changes the model's batch size to Batch.
func (o ExportOptions) resize(m *Model) error {
	if o.Batch == "" {
		return nil
	}
	if _, err := o.Runtime.start(o.Reporter); err != nil {
		return fmt.Errorf("setting the batch size of %s, which needs a run to check it: %w", m.Path(), err)
	}
	return setBatch(m, o.Batch)
}

// execute does all work that needs ONNX Runtime. If it fails, the model must not be written.
func (o ExportOptions) execute(ctx context.Context, e *Exported, m, written *Model, models []*Model) error {
	if o.NoVerify && !o.SecondOpinion && !o.Time {
		return nil
	}
	session, err := o.Runtime.start(o.Reporter)
	if err != nil {
		return fmt.Errorf("verifying the export of %s (--no-verify skips this): %w", e.Source, err)
	}
	if !o.NoVerify {
		report, err := verify.Outputs(ctx, m, written, o.Verify)
		if err != nil {
			return fmt.Errorf("verifying the export of %s (--no-verify skips this): %w", e.Source, err)
		}
		e.Differences, e.VerifiedOn = report.Differences, report.Inputs
		o.Verify.Batch = cmp.Or(o.Verify.Batch, report.Batch)
		if err := o.judge(e); err != nil {
			return err
		}
	}
	if o.SecondOpinion {
		d, err := verify.SecondOpinion(ctx, written, o.Verify)
		if err != nil {
			return fmt.Errorf("verifying the export of %s in a second engine (--second-opinion): %w", e.Source, err)
		}
		if e.SecondOpinion = &d; !(d.MaxRel <= o.Tolerance) {
			return unequal{fmt.Errorf("verifying the export of %s: ONNX Runtime and the second engine differ by %.3g, relative to the largest output, more than --tolerance %g: nothing was written",
				e.Source, d.MaxRel, o.Tolerance)}
		}
	}
	if !o.Time {
		return nil
	}
	timings, err := verify.Latency(ctx, models, o.Verify, o.TimeRuns, session)
	if err != nil {
		return fmt.Errorf("timing the export of %s: %w", e.Source, err)
	}
	for i := range timings {
		e.Models[i].Latency = &timings[i]
	}
	return nil
}

// judge returns an error that lists the outputs whose difference is too large.
func (o ExportOptions) judge(e *Exported) error {
	var faults []error
	for _, d := range e.Differences {
		if d.Compared == 0 && d.MaxAbs == 0 {
			o.say("output %q has no finite numbers on these inputs, so it was not verified; give other inputs with --inputs", d.Output)
		}
		if !(d.MaxRel <= o.Tolerance) {
			faults = append(faults, fmt.Errorf("output %q differs by %.3g, relative to its largest value, more than --tolerance %g", d.Output, d.MaxRel, o.Tolerance))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return unequal{fmt.Errorf("verifying the export of %s: the result does not compute the same as the model, and nothing was written: %w", e.Source, errors.Join(faults...))}
}

// unequal is an ErrNotEqual with another text.
type unequal struct{ error }

func (e unequal) Unwrap() error        { return e.error }
func (e unequal) Is(target error) bool { return target == ErrNotEqual }

func describeModels(names []string, models []*Model) ([]ModelFacts, error) {
	var list []ModelFacts
	for i, m := range models {
		parameters, err := CountParameters(m)
		if err != nil {
			return nil, err
		}
		bytes, err := fileSize(m)
		if err != nil {
			return nil, err
		}
		list = append(list, ModelFacts{Name: names[i], Bytes: bytes, Parameters: parameters, Operators: operators(m)})
	}
	return list, nil
}

// fileSize returns the size in bytes of the file that a model was loaded from, plus the size of its tensors in other files.
func fileSize(m *Model) (int64, error) {
	var bytes int64
	if info, err := os.Stat(m.Path()); err == nil {
		bytes = info.Size()
	} else { // it came from a stream
		data, err := m.Bytes()
		if err != nil {
			return 0, fmt.Errorf("measuring %s: %w", m.Path(), err)
		}
		bytes = int64(len(data))
	}
	for _, g := range m.Graphs() {
		for _, v := range g.Initializers() {
			if t := v.Constant(); t != nil && t.IsExternal() {
				bytes += (t.Len()*int64(t.DType().Bits()) + 7) / 8
			}
		}
	}
	return bytes, nil
}

// CountMerged returns how many of the outcomes are merged blocks.
func CountMerged(list []transform.Outcome) int {
	n := 0
	for _, o := range list {
		if o.Status == transform.Merged {
			n++
		}
	}
	return n
}

// warnOfBlocks reports how many blocks are left, if not all of them were merged.
func (r Reporter) warnOfBlocks(path string, list []transform.Outcome) {
	switch merged := CountMerged(list); {
	case len(list) == 0:
		r.say("%s has no frozen blocks, so there was nothing to merge", path)
	case merged == 0:
		r.say("none of the %d frozen blocks was merged: the exported model still has all of them; the table says why", len(list))
	case merged < len(list):
		r.say("only %d of %d frozen blocks were merged: the exported model still has the others; the table says why", merged, len(list))
	}
}
