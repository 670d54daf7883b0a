package calibrate

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/projection"
)

// measure sums up the moments of a layer over all batches.
func (f *follower) measure(l transform.Layer) (projection.Moments, error) {
	none := projection.Moments{}
	output := l.Node.Output(0).Name()
	source, err := f.targets(output)
	if err != nil {
		return none, err
	}
	defer source.Close()
	followed, positions, err := f.measuring(l)
	if err != nil {
		return none, err
	}
	defer followed.Close()

	sums := projection.Moments{Groups: l.Groups, O: l.Out / l.Groups, N: len(l.Filters) / l.Out}
	for i := range f.source.held {
		y, err := f.source.run(f.ctx, source, i, nil)
		if err != nil {
			return none, err
		}
		batch, err := f.followed.run(f.ctx, followed, i, map[string]*onnxgraph.Tensor{targetInput: y[output]})
		if err != nil {
			return none, err
		}
		if err := add(&sums, batch, float64(positions*int64(len(f.source.held)))); err != nil {
			return none, err
		}
		if f.done++; f.options.Progress != nil {
			f.options.Progress(f.done, f.total, l.Name)
		}
	}
	return sums, nil
}

// targets opens a session that computes the source's outputs, without the bias, which blocks keep.
func (f *follower) targets(output string) (*ort.Session, error) {
	m := f.source.segment(output)
	m.Graph.Value(output).Producer().SetInput(2, nil)
	m.Graph.Prune()
	return f.source.open(m)
}

// measuring opens a session that measures a batch, and returns how many positions it sums over.
func (f *follower) measuring(l transform.Layer) (s *ort.Session, positions int64, err error) {
	conv := f.followed.model.Graph.Value(l.Node.Output(0).Name()).Producer()
	shape, ok := conv.Output(0).StaticShape()
	if !ok {
		return nil, 0, fmt.Errorf("the output of %s has no fixed shape", l.Node)
	}
	x := conv.Input(0).Name()
	var outputs []string
	if f.followed.held[0][x] == nil {
		outputs = []string{x}
	}
	m := f.followed.segment(outputs...)
	m.Graph.RemoveOutputs()
	b := measurer{onnxgraph.NewBuilder(m.Graph), l, shape}
	if err := b.build(m.Graph.Value(x), conv.Output(0).DType()); err != nil {
		return nil, 0, err
	}
	m.Graph.Prune()
	s, err = f.followed.open(m)
	return s, shape[0] * elements(shape[2:]), err
}

// part is one of the sums that a measuring graph puts out.
type part struct {
	name string
	of   func(*projection.Moments) *[]float64
}

var parts = []part{
	{"inputs", func(m *projection.Moments) *[]float64 { return &m.Inputs }},
	{"cross", func(m *projection.Moments) *[]float64 { return &m.Cross }},
	{"input", func(m *projection.Moments) *[]float64 { return &m.Input }},
	{"shift", func(m *projection.Moments) *[]float64 { return &m.Shift }},
	{"squares", func(m *projection.Moments) *[]float64 { return &m.Squares }},
	{"output", func(m *projection.Moments) *[]float64 { return &m.Output }},
	{"energy", func(m *projection.Moments) *[]float64 { return &m.Energy }},
}

const prefix = "calibrate."

// targetInput is the input through which a measuring graph gets what the source puts out.
const targetInput = prefix + "target"

// add adds the sums of a batch, divided by count, to the moments.
func add(m *projection.Moments, batch map[string]*onnxgraph.Tensor, count float64) error {
	for _, p := range parts {
		data, err := batch[prefix+p.name].Float32s()
		if err != nil {
			return err
		}
		sum := p.of(m)
		if *sum == nil {
			*sum = make([]float64, len(data))
		}
		for i, v := range data {
			(*sum)[i] += float64(v) / count
		}
	}
	return nil
}

// measurer builds a measuring graph. With U [groups × n × positions] the inputs that the filters see, and Y [groups × o ×
// positions] what is to come out, it puts out sums over the positions of all images.
type measurer struct {
	*onnxgraph.Builder
	layer transform.Layer
	shape []int64 // of the convolution's output: images × channels × sizes
}

func (b measurer) build(x *onnxgraph.Value, dtype onnxgraph.DType) error {
	target, err := b.Graph.AddInput(targetInput, dtype, onnxgraph.Static(b.shape...))
	if err != nil {
		return err
	}
	l := b.layer
	groups, o, n := int64(l.Groups), int64(l.Out/l.Groups), int64(len(l.Filters)/l.Out)
	filters, err := onnxgraph.FromFloat64s(onnxgraph.Float32, []int64{groups, o, n}, l.Filters)
	if err != nil {
		return err
	}
	u, y := b.byGroup(b.inputs(x), n), b.byGroup(target, o)
	d := b.op("Sub", y, b.op("MatMul", b.Graph.AddConstant("filters", filters), u))
	flipped := b.Op("Transpose", []*onnxgraph.Value{u}, onnxgraph.Ints("perm", 0, 2, 1))
	for _, sum := range []struct {
		name  string
		value *onnxgraph.Value
		dims  []int64
	}{
		{"inputs", b.op("MatMul", u, flipped), []int64{groups, n, n}},
		{"cross", b.op("MatMul", d, flipped), []int64{groups, o, n}},
		{"input", b.sum("ReduceSum", u), []int64{groups, n}},
		{"shift", b.sum("ReduceSum", d), []int64{groups, o}},
		{"squares", b.sum("ReduceSumSquare", d), []int64{groups, o}},
		{"output", b.sum("ReduceSum", y), []int64{groups, o}},
		{"energy", b.sum("ReduceSumSquare", y), []int64{groups, o}},
	} {
		if !b.Graph.Rename(sum.value, prefix+sum.name) {
			return fmt.Errorf("naming a sum %q: the model has a value of that name", prefix+sum.name)
		}
		b.Graph.AddOutput(sum.value, onnxgraph.Float32, onnxgraph.Static(sum.dims...))
	}
	return nil
}

// inputs returns what the filters see at each position, channel by channel and tap by tap: a convolution whose filters each
// pass one number on, so that ONNX Runtime sees to strides, dilations and pads.
func (b measurer) inputs(x *onnxgraph.Value) *onnxgraph.Value {
	l := b.layer
	kernel := make([]int64, len(l.Kernel))
	for i, k := range l.Kernel {
		kernel[i] = int64(k)
	}
	taps := int(elements(kernel))
	data := make([]float32, l.In*taps*taps)
	for i := range l.In * taps {
		data[i*taps+i%taps] = 1
	}
	pick := b.Graph.AddConstant("pick", onnxgraph.NewTensor(append([]int64{int64(l.In * taps), 1}, kernel...), data))
	n := b.Graph.AddNode("Conv", []*onnxgraph.Value{b.float(x), pick}, slices.Clone(l.Window)...)
	n.SetAttr(onnxgraph.Ints("kernel_shape", kernel...), onnxgraph.Int("group", int64(l.In)))
	return n.Output(0)
}

// byGroup brings images × groups·channels × sizes into the form groups × channels × positions of all images.
func (b measurer) byGroup(v *onnxgraph.Value, channels int64) *onnxgraph.Value {
	images, groups, size := b.shape[0], int64(b.layer.Groups), elements(b.shape[2:])
	v = b.op("Reshape", b.float(v), b.Ints(images, groups, channels, size))
	v = b.Op("Transpose", []*onnxgraph.Value{v}, onnxgraph.Ints("perm", 1, 2, 0, 3))
	return b.op("Reshape", v, b.Ints(groups, channels, images*size))
}

func (b measurer) float(v *onnxgraph.Value) *onnxgraph.Value {
	return b.Op("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
}

func (b measurer) sum(operator string, v *onnxgraph.Value) *onnxgraph.Value {
	return b.Op(operator, []*onnxgraph.Value{v, b.Ints(2)}, onnxgraph.Int("keepdims", 0))
}

func (b measurer) op(operator string, inputs ...*onnxgraph.Value) *onnxgraph.Value {
	return b.Op(operator, inputs)
}

func elements(sizes []int64) int64 {
	count := int64(1)
	for _, s := range sizes {
		count *= s
	}
	return count
}
