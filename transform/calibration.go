package transform

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Calibration gives Convert statistics of the inputs and outputs of convolutions on data. This package runs no models, so the
// caller implements the interface; package runtime/calibrate does. An implementation keeps its own copy of the model, in which
// Replace follows the conversion, while Convert changes its model only at the end.
//
// Convert handles one block at a time, in topological order of the blocks' first convolutions. For each block, it calls Reach for
// the first of the convolutions that share the block, then Moments for all of them, then Replace for all.
type Calibration interface {
	// Reach is called when Replace was called for everything before the layer.
	Reach(Layer) error
	// Moments returns the moments of the layer's inputs in the model converted so far, and of its outputs in the source.
	Moments(Layer) (projection.Moments, error)
	// Replace replaces the filters of the layer's convolution by the combined filters of the new block, which have the dims of
	// Layer.Filters, and adds an offset to each of its Layer.Out outputs; offset is nil if there is nothing to add.
	Replace(layer Layer, filters, offset []float64) error
}

// Layer is a convolution that is about to become a block.
type Layer struct {
	Name    string          // of the block: see Block.Name
	Node    *onnxgraph.Node // in the model that is being converted
	Filters []float64       // the source's filters in the block's kernel: out × in/groups × kernel
	Groups  int
	Out, In int   // channels of all groups together
	Kernel  []int // of the block

	// Window holds the node's attributes. Those for padding (auto_pad and pads) are adapted to the block's kernel, so that the
	// output keeps its size; kernel_shape, if the node has it, is still that of the source's kernel.
	Window []onnxgraph.Attribute
}

// layer describes the candidate, whose filters are w.
func (c *candidate) layer(w []float64) Layer {
	return Layer{Name: c.row.Node, Node: c.conv.Node, Filters: w, Groups: c.groups, Out: c.conv.Out, In: c.conv.In, Kernel: c.kernel, Window: c.window()}
}

// maxMoments limits how many numbers the second moments of a convolution's inputs may have: 2 GiB.
const maxMoments = 1 << 28

// reasonAgainstCalibration says why the convolution cannot be calibrated, "" if it can.
func reasonAgainstCalibration(c weights.Convolution) string {
	g := c.Node.Graph()
	inputs := c.In / c.Groups * weights.Product(c.Kernel)
	switch {
	case g != g.Model().Graph:
		return fmt.Sprintf("its inputs cannot be observed, since it is in %q: choose pointwise project for it", g.Name())
	case inputs > maxMoments/inputs/c.Groups:
		return fmt.Sprintf("its filters have %d weights in %d groups, too many to weigh by data: choose pointwise project for it", inputs, c.Groups)
	}
	return ""
}

// meanKeeper returns a node that can add an offset to each output of a convolution, and the input that holds the offset: the
// convolution and its bias, if that is known, or else the running mean of the batch normalization after it. n is nil if there is
// neither.
func meanKeeper(conv *onnxgraph.Node) (n *onnxgraph.Node, input int) {
	const bias, mean = 2, 3
	if _, _, reason := weights.Resolve(conv.Input(bias)); reason == "" {
		return conv, bias
	}
	y := conv.Output(0)
	if len(y.Uses()) != 1 || y.IsOutput() {
		return nil, 0
	}
	u := y.Uses()[0]
	if _, _, reason := weights.Resolve(u.Node.Input(mean)); u.Index == 0 && u.Node.Is("BatchNormalization") && reason == "" {
		return u.Node, mean
	}
	return nil, 0
}

// offset is an offset that calibration adds to the outputs of convolutions that share a block, and the constant that stores it
// (see meanKeeper). Without such a constant, nothing is added.
type offset struct {
	places []*candidate
	Source weights.Source
	input  int // number of the keepers' input that reads the constant
	values []float64
	moved  *onnxgraph.Tensor // the constant after the values were added
}

// offsetsOf returns one offset for each constant that can store offsets for convolutions of the block, and one for all
// convolutions without such a constant.
func (c *candidate) offsetsOf() []offset {
	var list []offset
	for _, place := range c.places {
		f := offset{places: []*candidate{place}}
		if keeper, input := meanKeeper(place.conv.Node); keeper != nil {
			f.input = input
			f.Source = weights.SourceOf(keeper.Input(input))
		}
		same := func(other offset) bool { return other.input == f.input && other.Source.Equals(f.Source) }
		if i := slices.IndexFunc(list, same); i >= 0 {
			list[i].places = append(list[i].places, place)
		} else {
			list = append(list, f)
		}
	}
	return list
}

// add adds the offset to the outputs of its convolutions.
func (f offset) add() {
	if f.moved == nil {
		return
	}
	var shared *onnxgraph.Value
	for _, place := range f.places {
		n, input := meanKeeper(place.conv.Node)
		if old := n.Input(input); shared != nil {
			n.SetInput(input, shared)
			onnxgraph.RemoveUnused(old)
			continue
		}
		weights.SetInput(n, input, f.moved, n.Input(input).Name())
		shared = n.Input(input)
	}
}

// move adds the values to the constant: to a bias, or with the opposite sign to a mean, which is subtracted.
func (f *offset) move(values []float64) error {
	t := f.Source.Tensor
	data, err := t.Float64s()
	if err != nil {
		return err
	}
	n, input := meanKeeper(f.places[0].conv.Node)
	if len(data) != len(values) {
		return fmt.Errorf("%s has %d numbers as input %d, needs %d", n, len(data), input, len(values))
	}
	sign := 1.0
	if n != f.places[0].conv.Node {
		sign = -1
	}
	for i := range data {
		data[i] += sign * values[i]
	}
	f.values = values
	f.moved, err = onnxgraph.FromFloat64s(t.DType(), t.Dims(), data)
	return err
}

// calibrateAll makes the tensors of all blocks, one block after another.
func calibrateAll(candidates []*candidate, o Options) error {
	ordered := firsts(candidates)
	if len(ordered) == 0 {
		return nil
	}
	place := map[*onnxgraph.Node]int{}
	for i, n := range ordered[0].conv.Node.Graph().Sorted() {
		place[n] = i
	}
	byPlace := func(a, b *candidate) int { return cmp.Compare(place[a.conv.Node], place[b.conv.Node]) }
	earliest := func(c *candidate) *candidate { return slices.MinFunc(c.places, byPlace) }
	slices.SortFunc(ordered, func(a, b *candidate) int { return byPlace(earliest(a), earliest(b)) })
	for _, c := range ordered {
		if err := c.calibrate(o, earliest(c)); err != nil {
			return fmt.Errorf("convolution %q: %w", c.row.Node, err)
		}
	}
	return nil
}

// calibrate makes the tensors of one block. earliest is its first place in topological order.
func (c *candidate) calibrate(o Options, earliest *candidate) error {
	w, err := c.source()
	if err != nil {
		return err
	}
	if err := o.Calibration.Reach(earliest.layer(w)); err != nil {
		return err
	}
	c.offsets = c.offsetsOf()
	raw := make([]projection.Moments, len(c.offsets))
	var all projection.Moments
	for i, f := range c.offsets {
		for _, place := range f.places {
			m, err := o.Calibration.Moments(place.layer(w))
			if err != nil {
				return err
			}
			raw[i] = raw[i].Plus(m)
		}
		moments := raw[i]
		if f.Source.Root != nil {
			moments = moments.Centered()
		}
		all = all.Plus(moments)
	}
	if err := c.build(o, &all); err != nil {
		return err
	}
	for i := range c.offsets {
		f := &c.offsets[i]
		if f.Source.Root != nil {
			if err := f.move(raw[i].Offset(w, c.combined)); err != nil {
				return err
			}
		}
		for _, place := range f.places {
			if err := o.Calibration.Replace(place.layer(w), c.combined, f.values); err != nil {
				return err
			}
		}
	}
	return nil
}
