package transform

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/projection"
)

// Calibration tells Convert what data says of convolutions. It follows the conversion on a copy of the model: Convert
// calls Moments and then Replace for one convolution after the other, in topological order.
type Calibration interface {
	// Moments returns the moments of the layer's inputs in the model converted so far, and of its outputs in the source.
	Moments(Layer) (projection.Moments, error)
	// Replace gives the layer's convolution other filters, of the same dims, and adds an offset to each of its outputs.
	Replace(layer Layer, filters, offset []float64) error
}

// Layer is a convolution that is about to become a block.
type Layer struct {
	Name    string
	Node    *onnxgraph.Node // in the model that is converted
	Filters []float64       // the source's, in the block's kernel: out × in/groups × kernel
	Groups  int
	Out, In int   // channels, of all groups together
	Kernel  []int // of the block

	// Window holds the attributes that say where the block's kernel is applied: auto_pad, dilations, pads and strides, as
	// far as they are given.
	Window []onnxgraph.Attribute
}

// layer describes the candidate, whose filters are w.
func (c *candidate) layer(w []float64) Layer {
	return Layer{Name: c.row.Node, Node: c.conv.node, Filters: w, Groups: c.groups, Out: c.conv.out, In: c.conv.in, Kernel: c.kernel, Window: c.window()}
}

// maxMoments bounds the numbers in the second moments of a convolution's inputs, 2 GiB of them.
const maxMoments = 1 << 28

// reasonAgainstCalibration says why the convolution cannot be calibrated, "" if it can.
func (c convolution) reasonAgainstCalibration() string {
	g := c.node.Graph()
	inputs := c.in / c.groups * product(c.kernel)
	switch {
	case g != g.Model().Graph:
		return fmt.Sprintf("its data cannot be seen, as it is in %q: choose pointwise project for it", g.Name())
	case inputs > maxMoments/inputs/c.groups:
		return fmt.Sprintf("its filters have %d weights in %d groups, too many to weigh by data: choose pointwise project for it", inputs, c.groups)
	}
	return ""
}

// meanKeeper returns the node that can add an offset to each output of a convolution, and which of its inputs holds it:
// the convolution itself if it has a bias, or else the batch normalisation behind it, by its running mean. It returns nil
// if there is neither.
func meanKeeper(conv *onnxgraph.Node) (n *onnxgraph.Node, input int) {
	const bias, mean = 2, 3
	if _, _, reason := resolve(conv.Input(bias)); reason == "" {
		return conv, bias
	}
	y := conv.Output(0)
	if conv.Input(bias) != nil || len(y.Uses()) != 1 || y.IsOutput() {
		return nil, 0
	}
	u := y.Uses()[0]
	if _, _, reason := resolve(u.Node.Input(mean)); u.Index == 0 && u.Node.Is("BatchNormalization") && reason == "" {
		return u.Node, mean
	}
	return nil, 0
}

// shift adds the offset to the outputs of the convolution.
func shift(conv *onnxgraph.Node, offset []float64) error {
	n, input := meanKeeper(conv)
	_, t, _ := resolve(n.Input(input))
	data, err := t.Float64s()
	if err != nil {
		return err
	}
	if len(data) != len(offset) {
		return fmt.Errorf("%s has %d numbers as input %d, needs %d", n, len(data), input, len(offset))
	}
	sign := 1.0
	if n != conv {
		sign = -1 // a mean is subtracted
	}
	for i := range data {
		data[i] += sign * offset[i]
	}
	moved, err := onnxgraph.FromFloat64s(t.DType(), t.Dims(), data)
	if err != nil {
		return err
	}
	setInput(n, input, moved, n.Input(input).Name())
	return nil
}

// calibrateAll makes the tensors of all blocks, one after the other.
func calibrateAll(candidates []*candidate, o Options) error {
	place := map[*onnxgraph.Node]int{}
	for _, c := range candidates {
		if c.row.Status != Skipped && len(place) == 0 {
			for i, n := range c.conv.node.Graph().Sorted() {
				place[n] = i
			}
		}
	}
	ordered := slices.DeleteFunc(slices.Clone(candidates), func(c *candidate) bool { return c.row.Status == Skipped })
	slices.SortFunc(ordered, func(a, b *candidate) int { return cmp.Compare(place[a.conv.node], place[b.conv.node]) })
	for _, c := range ordered {
		if err := c.calibrate(o); err != nil {
			return fmt.Errorf("convolution %q: %w", c.row.Node, err)
		}
	}
	return nil
}

// calibrate makes the tensors of one block.
func (c *candidate) calibrate(o Options) error {
	w, err := c.source()
	if err != nil {
		return err
	}
	l := c.layer(w)
	raw, err := o.Calibration.Moments(l)
	if err != nil {
		return err
	}
	keeper, _ := meanKeeper(c.conv.node)
	moments := raw
	if keeper != nil {
		moments = raw.Centred()
	}
	if err := c.build(o, &moments); err != nil {
		return err
	}
	if keeper != nil {
		c.offset = raw.Offset(w, c.combined)
	}
	return o.Calibration.Replace(l, c.combined, c.offset)
}
