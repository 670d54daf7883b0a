package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Options says on which inputs models run.
type Options struct {
	// Batch is the size of first dimensions that the models leave open; 0 means the largest size up to 8 that fits into memory.
	Batch int64
	Seed  uint64 // seed of the random numbers

	// Inputs has tensors to use instead of random numbers, by the name of the input. Their numbers are converted to the input's
	// type.
	Inputs map[string]*onnxgraph.Tensor
}

// usualBatches are the batch sizes to try if Options.Batch is 0.
var usualBatches = []int64{8, 4, 2, 1}

// openSizes are tried in turn for dimensions that a model leaves open, if nothing in the model shows their size. Many models run
// only with some sizes.
var openSizes = []int64{64, 224, 256, 512}

// maxTrials limits how often a model runs, each time with other decisive values.
const maxTrials = 8

// maxFaults limits how many reasons are listed if a model does not run on any input.
const maxFaults = 5

// trial holds one set of inputs, and a model's outputs for them.
type trial struct{ inputs, outputs map[string]*onnxgraph.Tensor }

// sizes holds the sizes for dimensions that a model leaves open.
type sizes struct {
	batch, other int64
	usesBatch    bool // whether the model leaves a first dimension open
	usesOther    bool // whether it leaves others open whose size nothing shows
}

// findTrials looks for the first sizes with which the model m of session s runs. With these, it runs m on each choice of decisive
// values (see choices). fill draws real numbers.
func findTrials(ctx context.Context, m *onnxgraph.Model, s *ort.Session, o Options, fill filling) ([]trial, error) {
	if o.Inputs != nil {
		inputs, err := given(s.Inputs(), o.Inputs)
		if err == nil {
			err = checkRun(m, shapesOf(inputs), false)
		}
		if err != nil {
			return nil, fmt.Errorf("running %s: %w", m.Path(), err)
		}
		outputs, err := s.RunContext(ctx, inputs)
		return []trial{{inputs, outputs}}, err
	}
	var faults faultList
	for _, other := range openSizes {
		open := sizes{other: other}
		batches, err := open.batches(m, s.Inputs(), o.Batch)
		if err != nil {
			return nil, fmt.Errorf("drawing inputs for %s: %w", m.Path(), err)
		}
		for _, open.batch = range batches {
			shapes, err := open.shapes(m, s.Inputs())
			if err != nil {
				return nil, fmt.Errorf("drawing inputs for %s: %w", m.Path(), err)
			}
			err = checkSizes(shapes)
			if err == nil {
				err = checkRun(m, shapes, o.Batch == 0 || open.usesOther)
			}
			if err != nil {
				faults.add(shapes, err)
				continue
			}
			trials, err := runTrials(ctx, m, s, shapes, o.Seed, fill, &faults)
			if err != nil || trials != nil {
				return trials, err
			}
		}
		if !open.usesOther {
			break
		}
	}
	return nil, fmt.Errorf("running %s on random inputs (give others with --inputs): %w", m.Path(), faults.join())
}

// batches returns the batch sizes to try: asked or, if that is 0, the largest usual size that fits into memory, and then 1,
// because some models only run on single examples.
func (o *sizes) batches(m *onnxgraph.Model, ports []ort.Port, asked int64) ([]int64, error) {
	if asked > 0 {
		return []int64{asked}, nil
	}
	for _, o.batch = range usualBatches {
		shapes, err := o.shapes(m, ports)
		if err != nil {
			return nil, err
		}
		if !o.usesBatch {
			break
		}
		if checkSizes(shapes) != nil {
			continue
		}
		if peak, known, err := planned(m, shapes); err == nil && known && fitsWell(peak) && o.batch > 1 {
			return []int64{o.batch, 1}, nil
		}
	}
	return []int64{1}, nil
}

// runTrials runs the model on inputs of the given shapes. If the model does not run, it returns no trials and records why. An
// error means that the work was stopped.
func runTrials(ctx context.Context, m *onnxgraph.Model, s *ort.Session, shapes map[string][]int64, seed uint64, fill filling, faults *faultList) ([]trial, error) {
	var trials []trial
	for _, choice := range choices(m, s.Inputs()) {
		inputs, err := draw(s.Inputs(), shapes, choice, seed, fill)
		if err != nil {
			return nil, fmt.Errorf("drawing inputs for %s: %w", m.Path(), err)
		}
		outputs, err := s.RunContext(ctx, inputs)
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			faults.add(shapes, err)
			continue
		}
		trials = append(trials, trial{inputs, outputs})
	}
	return trials, nil
}

// shapes returns the shape of every input.
func (o *sizes) shapes(m *onnxgraph.Model, ports []ort.Port) (map[string][]int64, error) {
	symbols := map[string]int64{}
	told := map[string]map[int]int64{}
	dims := map[string][]onnxgraph.Dim{}
	var faults []error
	for _, p := range ports {
		v := m.Graph.Value(p.Name)
		shape, ok := v.Shape()
		if !ok {
			rank, ok := rankOf(v)
			if !ok {
				faults = append(faults, fmt.Errorf("the model does not say how many dimensions its input %q has: give it, as an array of a .npz file (--inputs)", p.Name))
				continue
			}
			shape = slices.Repeat([]onnxgraph.Dim{{Size: -1}}, rank)
		}
		dims[p.Name], told[p.Name] = shape, toldSizes(v, len(shape))
		for axis, d := range shape {
			if size := told[p.Name][axis]; size > 0 && d.Param != "" {
				symbols[d.Param] = size
			} else if axis == 0 && d.Param != "" && symbols[d.Param] == 0 {
				symbols[d.Param], o.usesBatch = o.batch, true
			}
		}
	}
	shapes := map[string][]int64{}
	for name, shape := range dims {
		shapes[name] = make([]int64, len(shape))
		for axis, d := range shape {
			shapes[name][axis] = o.size(d, axis, told[name][axis], symbols)
		}
	}
	return shapes, errors.Join(faults...)
}

// size returns the size of a dimension. told is the size that the model's weights require, 0 if they require none.
func (o *sizes) size(d onnxgraph.Dim, axis int, told int64, symbols map[string]int64) int64 {
	switch {
	case d.Size >= 0:
		return d.Size
	case told > 0:
		return told
	case symbols[d.Param] > 0 && d.Param != "":
		return symbols[d.Param]
	case axis == 0:
		o.usesBatch = true
		return o.batch
	}
	o.usesOther = true
	return o.other
}

// filling draws a real number from a random generator.
type filling func(*rand.Rand) float64

// fillings are tried in turn as long as outputs are not finite: standard normal numbers, then numbers from 0 to 1, as in images.
var fillings = []filling{(*rand.Rand).NormFloat64, (*rand.Rand).Float64}

// draw makes a tensor for every input. If choice has a value for it, all elements have this value. Otherwise real numbers are
// random and integers are 0, which is always a valid index.
func draw(ports []ort.Port, shapes map[string][]int64, choice map[string]float64, seed uint64, fill filling) (map[string]*onnxgraph.Tensor, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	inputs := map[string]*onnxgraph.Tensor{}
	for _, p := range ports {
		if p.DType.Bits() == 0 {
			return nil, fmt.Errorf("input %q is %v, for which there are no random values: give it with --inputs", p.Name, p.DType)
		}
		data := make([]float64, onnxgraph.ElementCount(shapes[p.Name]))
		value, isChosen := choice[p.Name]
		for i := range data {
			if data[i] = value; !isChosen && p.DType.IsFloat() {
				data[i] = fill(rng)
			}
		}
		t, err := convert(p.DType, shapes[p.Name], data)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", p.Name, err)
		}
		inputs[p.Name] = t
	}
	return inputs, nil
}

// given converts the user's tensors to the types of the inputs.
func given(ports []ort.Port, tensors map[string]*onnxgraph.Tensor) (map[string]*onnxgraph.Tensor, error) {
	inputs := map[string]*onnxgraph.Tensor{}
	var faults []error
	for name, t := range tensors {
		i := slices.IndexFunc(ports, func(p ort.Port) bool { return p.Name == name })
		if i < 0 {
			inputs[name] = t // the run reports it as unknown, together with other faults
			continue
		}
		data, err := t.Float64s()
		if err == nil {
			inputs[name], err = convert(ports[i].DType, t.Dims(), data)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("input %q: %w", name, err))
		}
	}
	return inputs, errors.Join(faults...)
}

// describe returns text such as "rate of 16000, x [8, 3, 32, 32]": the value of an input whose elements are all equal, and the
// dims of others.
func describe(inputs map[string]*onnxgraph.Tensor) string {
	var parts []string
	for name, t := range inputs {
		text := name
		if t.Rank() > 0 {
			text += " " + sizesText(t.Dims())
		}
		if data, err := t.Float64s(); err == nil && len(data) > 0 && !slices.ContainsFunc(data, func(v float64) bool { return v != data[0] }) {
			text += fmt.Sprintf(" of %.6g", data[0])
		}
		parts = append(parts, text)
	}
	slices.Sort(parts)
	return cmp.Or(strings.Join(parts, ", "), "no inputs")
}

func sizesText(dims []int64) string { return strings.ReplaceAll(fmt.Sprint(dims), " ", ", ") }

// faultList collects why a model does not run, each reason once.
type faultList struct {
	said map[string]bool
	list []error
}

func (f *faultList) add(shapes map[string][]int64, err error) {
	if f.said[err.Error()] {
		return
	}
	if f.said == nil {
		f.said = map[string]bool{}
	}
	f.said[err.Error()] = true
	var parts []string
	for name, shape := range shapes {
		parts = append(parts, name+" "+sizesText(shape))
	}
	slices.Sort(parts)
	f.list = append(f.list, fmt.Errorf("with %s: %w", strings.Join(parts, ", "), err))
}

func (f *faultList) join() error {
	if more := len(f.list) - maxFaults; more > 0 {
		return errors.Join(append(f.list[:maxFaults:maxFaults], fmt.Errorf("and %d more", more))...)
	}
	return errors.Join(f.list...)
}
