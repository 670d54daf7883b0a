package head

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Head is the last layer with weights of a classifier, which computes one number per class.
type Head struct {
	Node    string `json:"node"`    // the layer's name or, if it has none, that of its output
	Classes int    `json:"classes"` // how many classes it had before Replace

	width  int // how many numbers it computed: one per class, or a single one for two classes
	layer  *onnxgraph.Node
	axis   int               // the axis of the weight that counts classes
	weight *onnxgraph.Tensor // the weight as the layer reads it
	biases []onnxgraph.Use   // inputs with constants of one number per class that are added
	shapes []onnxgraph.Use   // inputs with constants that hold shapes with the number of classes
}

// Replace changes a classifier, in place, so that it has another number of classes. The last layer before the output that Logits
// returns (a Conv, Gemm or MatMul) gets a new weight and bias, under the old names, with the values that PyTorch's layers start
// with (see parameter.Reinit), drawn from the seed. The shapes that the model declares behind it change, too. A single output
// number per image, for two classes, stays one if there are again two classes. Otherwise a Sigmoid at the end becomes a Softmax.
//
// Replace returns the head as it was. It fails, and leaves the model unchanged, if there are fewer than 2 classes, if no such
// layer is found, if the layer belongs to a frozen block, or if nodes behind it may treat classes differently.
func Replace(m *onnxgraph.Model, classes int, seed uint64) (Head, error) {
	h, err := findHead(m, classes)
	if err == nil && classes < 2 {
		err = fmt.Errorf("%d classes: needs 2 or more", classes)
	}
	if err != nil {
		return h, fmt.Errorf("replacing the last layer of %s: %w", m.Path(), err)
	}
	width := h.widthFor(classes)
	behind := h.behind()
	h.renew(width, seed)
	if width > 1 {
		h.decideOnOne(m.Graph.Outputs(), behind)
	}
	for v := range behind {
		h.declare(v, width)
	}
	return h, nil
}

// widthFor returns how many outputs the head needs for the given number of classes.
func (h *Head) widthFor(classes int) int {
	if h.width == 1 && classes == 2 {
		return 1
	}
	return classes
}

// decideOnOne turns each Sigmoid directly before an output into a Softmax: an image now belongs to one of several classes.
func (h *Head) decideOnOne(outputs []*onnxgraph.Value, behind map[*onnxgraph.Value]bool) {
	for _, v := range outputs {
		last := LastOperator(v)
		if last == nil || !last.Is("Sigmoid") || !behind[last.Output(0)] {
			continue
		}
		axis := int64(1)
		if shape, ok := last.Output(0).Shape(); ok && len(shape) > 2 && shape[1].Size != int64(h.width) {
			axis = int64(len(shape)) - 1
		}
		last.SetOpType("Softmax")
		last.SetAttr(onnxgraph.Int("axis", axis))
	}
}

// headLayers maps each operator that can be a head to the axis of its weight (input 1) that counts classes.
var headLayers = map[string]func(n *onnxgraph.Node, rank int) int{
	"Conv":   func(*onnxgraph.Node, int) int { return 0 },
	"MatMul": func(_ *onnxgraph.Node, rank int) int { return rank - 1 },
	"Gemm": func(n *onnxgraph.Node, _ int) int {
		if n.Int("transB", 0) != 0 {
			return 0
		}
		return 1
	},
}

// behindHead has the operators that may come behind a head, because they treat all classes alike. Each has a function that finds
// the constants of a node which depend on the number of classes, or nil if it has none.
var behindHead = map[string]func(h *Head, n *onnxgraph.Node) error{
	"Softmax": nil, "LogSoftmax": nil, "Sigmoid": nil, "Relu": nil, "LeakyRelu": nil, "Clip": nil, "Identity": nil, "Cast": nil, "Dropout": nil,
	"GlobalAveragePool": nil, "GlobalMaxPool": nil, "AveragePool": nil, "MaxPool": nil, "ReduceMean": nil, "ReduceMax": nil,
	"Flatten": nil, "Squeeze": nil, "Unsqueeze": nil, "Transpose": nil, "ArgMax": nil, "TopK": nil,
	"Mul": (*Head).readScalar, "Div": (*Head).readScalar,
	"Add": (*Head).readBias, "Reshape": (*Head).readShape,
}

// findHead walks from the output back to the head, and then checks all nodes that depend on the head.
func findHead(m *onnxgraph.Model, classes int) (Head, error) {
	h := Head{}
	output, err := Logits(m)
	if err != nil {
		return h, err
	}
	v := output
	if shape, ok := v.Shape(); ok && slices.ContainsFunc(shape[min(2, len(shape)):], func(d onnxgraph.Dim) bool { return d.Size != 1 }) {
		return h, fmt.Errorf("its output %q has %d dims, not one number per class: it is no classifier", v.Name(), len(shape))
	}
	for h.layer == nil {
		if v == nil || v.Producer() == nil {
			return h, fmt.Errorf("no layer with a weight leads to the output %q", output.Name())
		}
		n := v.Producer()
		if headLayers[n.OpType()] != nil && n.Domain() == "" {
			h.layer, h.Node = n, n.Label()
		} else if err := mayStandBehind(n); err != nil {
			return h, err
		} else {
			v = dataInput(n)
		}
	}
	if err := h.readWeight(m); err != nil {
		return h, fmt.Errorf("its last layer is %s: %w", h.layer, err)
	}
	keeps := h.widthFor(classes) == h.width
	if dims, ok := output.Shape(); ok && len(dims) == 1 && !keeps {
		return h, fmt.Errorf("its output %q is a single number per image, of shape %s, which has no room for %d classes: export the model with an output [N, 1]",
			output.Name(), describeDims(dims), classes)
	}
	var faults []error
	behind := h.behind()
	for _, n := range m.Graph.Sorted() {
		if !n.ReadsAny(behind) {
			continue
		}
		err := mayStandBehind(n)
		if read := behindHead[n.OpType()]; err == nil && read != nil && !(keeps && n.Is("Reshape")) {
			err = read(&h, n)
		}
		faults = append(faults, err)
	}
	return h, errors.Join(faults...)
}

// behind returns the outputs of the layer, and all values that depend on them.
func (h *Head) behind() map[*onnxgraph.Value]bool {
	return h.layer.Graph().Dependents(h.layer.Outputs(), nil)
}

func mayStandBehind(n *onnxgraph.Node) error {
	if _, ok := behindHead[n.OpType()]; !ok || n.Domain() != "" {
		return fmt.Errorf("%s comes between the last Gemm, MatMul or Conv and the output, and may treat classes differently", n)
	}
	return nil
}

// dataInput returns the first input of a node that is no constant, nil if there is none.
func dataInput(n *onnxgraph.Node) *onnxgraph.Value {
	for _, v := range n.Inputs() {
		if _, _, reason := weights.Resolve(v); v != nil && reason != "" {
			return v
		}
	}
	return nil
}

// readWeight reads the layer's weight and bias.
func (h *Head) readWeight(m *onnxgraph.Model) error {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if h.layer == b.PointwiseConv || h.layer == b.BankConv {
			return fmt.Errorf("it belongs to frozen block %q: replace the last layer of the source model, and convert that", b.Name)
		}
	}
	_, t, reason := weights.Resolve(h.layer.Input(1))
	switch {
	case reason != "":
		return fmt.Errorf("its weight %s", reason)
	case !t.DType().IsFloat() || t.Rank() < 2:
		return fmt.Errorf("its weight is %v of dims %v: needs floating-point numbers, a matrix or filters", t.DType(), t.Dims())
	case h.layer.Is("MatMul") && t.Rank() != 2, h.layer.Is("Gemm") && t.Rank() != 2:
		return fmt.Errorf("its weight has dims %v, which are no matrix", t.Dims())
	case h.layer.Int("group", 1) != 1:
		return errors.New("it is a convolution in groups")
	}
	h.weight, h.axis = t, headLayers[h.layer.OpType()](h.layer, t.Rank())
	h.width = int(t.Dims()[h.axis])
	h.Classes = max(h.width, 2)
	if h.layer.Input(2) != nil {
		return h.readConstant(h.layer, 2)
	}
	return nil
}

// readConstant notes input i of n if it has one number per class. A single number for all classes needs no change. Anything else
// is an error.
func (h *Head) readConstant(n *onnxgraph.Node, i int) error {
	_, t, reason := weights.Resolve(n.Input(i))
	switch {
	case reason != "":
		return fmt.Errorf("%s: what it adds %s", n, reason)
	case t.Len() == 1 && h.width != 1:
		return nil
	case t.Len() != int64(h.width) || !slices.Contains(t.Dims(), int64(h.width)):
		return fmt.Errorf("%s: what it adds has dims %v, not one number for each of the %d classes", n, t.Dims(), h.width)
	}
	h.biases = append(h.biases, onnxgraph.Use{Node: n, Index: i})
	return nil
}

func (h *Head) readBias(n *onnxgraph.Node) error {
	for i, v := range n.Inputs() {
		if v != dataInput(n) {
			return h.readConstant(n, i)
		}
	}
	return fmt.Errorf("%s adds the output to itself", n)
}

// readScalar checks that a node multiplies with or divides by a single number.
func (h *Head) readScalar(n *onnxgraph.Node) error {
	if slices.ContainsFunc(n.Inputs(), parameter.IsSingle) {
		return nil
	}
	return fmt.Errorf("%s may scale each class in its own way", n)
}

// readShape notes the target of a Reshape if it holds the number of classes.
func (h *Head) readShape(n *onnxgraph.Node) error {
	_, t, reason := weights.Resolve(n.Input(1))
	if reason != "" {
		return fmt.Errorf("%s: its target shape %s", n, reason)
	}
	sizes, err := t.Int64s()
	switch {
	case err != nil:
		return fmt.Errorf("%s: its target shape: %w", n, err)
	case len(sizes) > 1 && sizes[1] <= 0: // computed, or kept
		return nil
	case len(sizes) > 1 && sizes[1] == int64(h.width):
		h.shapes = append(h.shapes, onnxgraph.Use{Node: n, Index: 1})
		return nil
	}
	return fmt.Errorf("%s: its target shape is %v, which does not keep the %d classes separate", n, sizes, h.width)
}

// renew gives the layer a new weight and new biases for width outputs.
func (h *Head) renew(width int, seed uint64) {
	dims := slices.Clone(h.weight.Dims())
	dims[h.axis] = int64(width)
	h.draw(onnxgraph.Use{Node: h.layer, Index: 1}, dims, parameter.RoleWeight, seed)
	for _, u := range h.biases {
		_, t, _ := weights.Resolve(u.Node.Input(u.Index))
		dims := slices.Clone(t.Dims())
		dims[slices.Index(dims, int64(h.width))] = int64(width)
		h.draw(u, dims, parameter.RoleBias, seed)
	}
	for _, u := range h.shapes {
		_, t, _ := weights.Resolve(u.Node.Input(u.Index))
		sizes, _ := t.Int64s() // were read before
		sizes = slices.Clone(sizes)
		sizes[1] = int64(width)
		weights.SetInput(u.Node, u.Index, onnxgraph.NewTensor(t.Dims(), sizes), u.Node.Label()+".shape")
	}
}

// draw gives an input a new constant with numbers as a new layer has them. It takes the name of the old constant, if nothing else
// reads that.
func (h *Head) draw(u onnxgraph.Use, dims []int64, role parameter.Role, seed uint64) {
	old := u.Node.Input(u.Index)
	root, _, _ := weights.Resolve(old)
	g, name := root.Graph(), root.Name()
	u.Node.SetInput(u.Index, nil)
	onnxgraph.RemoveUnused(old)
	if root.IsUsed() {
		name = old.Name() // some exporters store equal constants once, and keep each name as the output of an Identity
	}
	count, dtype := int(onnxgraph.ElementCount(dims)), h.weight.DType()
	v := g.AddConstant(name, weights.Floats(dtype, dims, make([]float64, count)))
	u.Node.SetInput(u.Index, v)
	v.SetConstant(weights.Floats(dtype, dims, parameter.Parameter{Value: v, Role: role, Reading: u}.Initial(seed)(count)))
}

// declare updates the declared shape of a value after the layer.
func (h *Head) declare(v *onnxgraph.Value, width int) {
	shape, _ := v.Shape()
	for _, axis := range []int{1, len(shape) - 1} {
		if 1 <= axis && axis < len(shape) && shape[axis].Size == int64(h.width) {
			shape[axis].Size = int64(width)
			v.SetType(v.DType(), shape)
			return
		}
	}
}
