package calibrate

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
)

// measure returns the moments of a layer over all batches.
func (f *follower) measure(l transform.Layer) (projection.Moments, error) {
	none := projection.Moments{}
	output := l.Node.Output(0).Name()
	source, err := f.targets(output)
	if err != nil {
		return none, err
	}
	defer source.Close()
	followed, err := f.measuring(l)
	if err != nil {
		return none, err
	}
	defer followed.Close()

	shape, _ := f.followed.model.Graph.Value(output).StaticShape()
	moments := projection.Moments{Groups: l.Groups, O: l.Out / l.Groups, N: len(l.Filters) / l.Out,
		Positions: float64(len(f.source.held)) * float64(shape[0]*onnxgraph.ElementCount(shape[2:]))}
	for i := range f.source.held {
		y, err := f.source.run(f.ctx, source, i, nil)
		if err != nil {
			return none, err
		}
		batch, err := f.followed.run(f.ctx, followed, i, map[string]*onnxgraph.Tensor{targetInput: y[output]})
		if err != nil {
			return none, err
		}
		if err := add(&moments, batch, 1/float64(len(f.source.held))); err != nil {
			return none, err
		}
		if f.done++; f.options.Progress != nil {
			f.options.Progress(f.done, f.total, l.Name)
		}
	}
	return moments, nil
}

// targets opens a session that computes the source's outputs without the bias, because blocks keep the bias.
func (f *follower) targets(output string) (*ort.Session, error) {
	m := f.source.segment(output)
	m.Graph.Value(output).Producer().SetInput(2, nil)
	m.Graph.Prune()
	return ort.OpenModel(m, f.source.session)
}

// measuring opens a session that computes the moments of a batch.
func (f *follower) measuring(l transform.Layer) (*ort.Session, error) {
	conv := f.followed.model.Graph.Value(l.Node.Output(0).Name()).Producer()
	shape, ok := conv.Output(0).StaticShape()
	if !ok {
		return nil, fmt.Errorf("the output of %s has no fixed shape", l.Node)
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
		return nil, err
	}
	m.Graph.Prune()
	return ort.OpenModel(m, f.followed.session)
}

// parts maps the outputs of a measuring graph to the fields of the moments.
var parts = map[string]func(*projection.Moments) *[]float64{
	"inputs":  func(m *projection.Moments) *[]float64 { return &m.Inputs },
	"cross":   func(m *projection.Moments) *[]float64 { return &m.Cross },
	"input":   func(m *projection.Moments) *[]float64 { return &m.Input },
	"shift":   func(m *projection.Moments) *[]float64 { return &m.Shift },
	"squares": func(m *projection.Moments) *[]float64 { return &m.Squares },
	"output":  func(m *projection.Moments) *[]float64 { return &m.Output },
	"energy":  func(m *projection.Moments) *[]float64 { return &m.Energy },
}

const prefix = "calibrate."

// targetInput is the name of the input through which a measuring graph gets the source's outputs.
const targetInput = prefix + "target"

// add adds the moments of a batch, multiplied by share, to m.
func add(m *projection.Moments, batch map[string]*onnxgraph.Tensor, share float64) error {
	measured := *m
	for name, of := range parts {
		data, err := batch[prefix+name].Float64s()
		if err != nil {
			return err
		}
		*of(&measured) = data
	}
	measured = measured.Uncentered()
	for _, of := range parts {
		sum := of(m)
		if *sum == nil {
			*sum = make([]float64, len(*of(&measured)))
		}
		for i, v := range *of(&measured) {
			(*sum)[i] += share * v
		}
	}
	return nil
}

// measurer builds a measuring graph. Let U [groups × n × positions] be the inputs of the filters at each position, and Y [groups
// × o × positions] the source's outputs. The graph computes the means of both over all positions of all images, and their moments
// about these means. Because the means are subtracted first, float32 is exact enough.
type measurer struct {
	*onnxgraph.Builder
	layer transform.Layer
	shape []int64 // shape of the convolution's output: images × channels × sizes
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
	meanU, meanD, meanY := b.mean(u), b.mean(d), b.mean(y)
	u, d, y = b.op("Sub", u, meanU), b.op("Sub", d, meanD), b.op("Sub", y, meanY)
	count := b.Fill(onnxgraph.Float32, float64(b.shape[0]*onnxgraph.ElementCount(b.shape[2:])))
	flipped := b.Op("Transpose", []*onnxgraph.Value{u}, onnxgraph.Ints("perm", 0, 2, 1))
	for _, moment := range []struct {
		name  string
		value *onnxgraph.Value
		dims  []int64
	}{
		{"inputs", b.op("Div", b.op("MatMul", u, flipped), count), []int64{groups, n, n}},
		{"cross", b.op("Div", b.op("MatMul", d, flipped), count), []int64{groups, o, n}},
		{"input", meanU, []int64{groups, n, 1}},
		{"shift", meanD, []int64{groups, o, 1}},
		{"squares", b.mean(b.op("Mul", d, d)), []int64{groups, o, 1}},
		{"output", meanY, []int64{groups, o, 1}},
		{"energy", b.mean(b.op("Mul", y, y)), []int64{groups, o, 1}},
	} {
		if !b.Graph.Rename(moment.value, prefix+moment.name) {
			return fmt.Errorf("naming a moment %q: the model has a value of that name", prefix+moment.name)
		}
		b.Graph.AddOutput(moment.value, onnxgraph.Float32, onnxgraph.Static(moment.dims...))
	}
	return nil
}

// inputs returns the inputs of the filters at each position, channel by channel and tap by tap. It uses a convolution whose
// filters each select one number, so that ONNX Runtime handles strides, dilations and pads.
func (b measurer) inputs(x *onnxgraph.Value) *onnxgraph.Value {
	l := b.layer
	kernel := make([]int64, len(l.Kernel))
	for i, k := range l.Kernel {
		kernel[i] = int64(k)
	}
	taps := int(onnxgraph.ElementCount(kernel))
	data := make([]float32, l.In*taps*taps)
	for i := range l.In * taps {
		data[i*taps+i%taps] = 1
	}
	pick := b.Graph.AddConstant("pick", onnxgraph.NewTensor(append([]int64{int64(l.In * taps), 1}, kernel...), data))
	n := b.Graph.AddNode("Conv", []*onnxgraph.Value{b.float(x), pick}, slices.Clone(l.Window)...)
	n.SetAttr(onnxgraph.Ints("kernel_shape", kernel...), onnxgraph.Int("group", int64(l.In)))
	return n.Output(0)
}

// byGroup rearranges images × groups·channels × sizes to groups × channels × positions, where positions are those of all images.
func (b measurer) byGroup(v *onnxgraph.Value, channels int64) *onnxgraph.Value {
	images, groups, size := b.shape[0], int64(b.layer.Groups), onnxgraph.ElementCount(b.shape[2:])
	v = b.op("Reshape", b.float(v), b.Ints(images, groups, channels, size))
	v = b.Op("Transpose", []*onnxgraph.Value{v}, onnxgraph.Ints("perm", 1, 2, 0, 3))
	return b.op("Reshape", v, b.Ints(groups, channels, images*size))
}

func (b measurer) float(v *onnxgraph.Value) *onnxgraph.Value {
	return b.Op("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
}

// mean returns the means over the positions, which stay as an axis of size 1.
func (b measurer) mean(v *onnxgraph.Value) *onnxgraph.Value { return b.op("ReduceMean", v, b.Ints(2)) }

func (b measurer) op(operator string, inputs ...*onnxgraph.Value) *onnxgraph.Value {
	return b.Op(operator, inputs)
}
