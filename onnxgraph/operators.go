package onnxgraph

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
)

// The ONNX standard limits the attributes of operators and the shapes of their constants. ONNX Runtime checks most of these
// limits, but not all. A stride of 0, or a filter with too few axes, ends the whole process. With negative pads, or a bias that
// is too short, it reads memory outside its tensors. We refuse all known cases when a model is loaded, so that no other part of
// the program needs to care. Faults that ONNX Runtime itself reports are left to it.

// limits has a function for each operator that lists the limits that a node breaks.
var limits = map[string]func(n *Node) []error{
	"Conv":               convolutionFaults,
	"FusedConv":          convolutionFaults,
	"ConvInteger":        func(n *Node) []error { return filterFaults(n, 1, none, 0) },
	"QLinearConv":        func(n *Node) []error { return filterFaults(n, 3, 8, 0) },
	"ConvTranspose":      transposedFaults,
	"Pad":                reflectionFaults,
	"Col2Im":             columnFaults,
	"Div":                divisorFaults,
	"Mod":                divisorFaults,
	"RNN":                hiddenFaults,
	"GRU":                hiddenFaults,
	"LSTM":               hiddenFaults,
	"DeformConv":         windowFaults,
	"MaxPool":            windowFaults,
	"AveragePool":        windowFaults,
	"LpPool":             windowFaults,
	"MaxUnpool":          windowFaults,
	"BatchNormalization": leftOutFaults,
	"GroupNormalization": func(n *Node) []error { return n.intFaults("num_groups", 1, maxSize) },
	"DepthToSpace":       func(n *Node) []error { return n.intFaults("blocksize", 1, maxSize) },
	"SpaceToDepth":       func(n *Node) []error { return n.intFaults("blocksize", 1, maxSize) },
	"Split":              func(n *Node) []error { return append(splitFaults(n), leftOutFaults(n)...) },
	"SplitToSequence":    partFaults,
	"Trilu":              diagonalFaults,
	"LRN":                lrnFaults,
	"RoiAlign":           func(n *Node) []error { return n.intFaults("sampling_ratio", 0, maxSide) },
	"STFT":               frameFaults,
	"RandomNormal":       normalFaults,
	"RandomNormalLike":   normalFaults,
	"RandomUniform":      uniformFaults,
	"RandomUniformLike":  uniformFaults,
	"Loop":               func(n *Node) []error { return append(loopFaults(n), leftOutFaults(n)...) },
	"GatherND":           func(n *Node) []error { return n.intFaults("batch_dims", 0, maxSize) },
}

// maxSize is larger than any size in practice, and its square does not overflow.
const maxSize = 1<<31 - 1

// maxSide is larger than the width and the height of any image.
const maxSide = 1 << 16

// faults lists the limits that the node breaks.
func (n *Node) faults() []error {
	check := limits[n.OpType()]
	if check == nil || n.Domain() != "" && n.Domain() != "com.microsoft" {
		return nil
	}
	return check(n)
}

// literal returns an attribute with a known value, nil if there is none. The value of a function's parameter is not known.
func (n *Node) literal(name string) *onnxpb.AttributeProto {
	if a := n.find(name); a != nil && !a.IsReference() {
		return a.proto
	}
	return nil
}

// intFaults reports an integer attribute that is out of range, if the node has it.
func (n *Node) intFaults(name string, least, most int64) []error {
	if p := n.literal(name); p != nil && (p.GetI() < least || p.GetI() > most) {
		return []error{fmt.Errorf("%s is %d, must be %d to %d", name, p.GetI(), least, most)}
	}
	return nil
}

// windowFaults checks the attributes of operators that move a window over an image.
func windowFaults(n *Node) []error {
	var faults []error
	for _, name := range []string{"strides", "dilations", "kernel_shape"} {
		if list := n.literal(name).GetInts(); len(list) > 0 && slices.Min(list) < 1 {
			faults = append(faults, fmt.Errorf("%s are %d, must be 1 or more", name, list))
		}
	}
	if mode := string(n.literal("auto_pad").GetS()); mode != "" && mode != "NOTSET" {
		return faults // the operator ignores pads
	}
	if list := n.literal("pads").GetInts(); len(list) > 0 && slices.Min(list) < 0 {
		faults = append(faults, fmt.Errorf("pads are %d, must be 0 or more: an optimizer may have merged a Pad or Slice that crops into it: "+
			"export the model again without that, or crop by a Slice before the node", list))
	}
	return faults
}

func convolutionFaults(n *Node) []error { return filterFaults(n, 1, 2, 0) }

// none stands for an input that an operator does not have.
const none = math.MaxInt

// filterFaults checks a convolution. weight and bias are the numbers of its inputs for filters and bias. outAxis is the axis of
// the filters for the output channels (those of one group, for a transposed convolution).
func filterFaults(n *Node, weight, bias, outAxis int) []error {
	faults := append(windowFaults(n), n.intFaults("group", 1, maxSize)...)
	w := n.Input(weight)
	if w == nil || w.Constant() == nil {
		return faults
	}
	dims := w.Constant().Dims()
	if len(dims) < 3 || slices.Min(dims) < 1 {
		return append(faults, fmt.Errorf("its filters %q have dims %d, must have 3 or more, of 1 or more each", w.name, dims))
	}
	for _, name := range []string{"strides", "dilations", "kernel_shape", "pads"} {
		axes := len(dims) - 2
		if name == "pads" {
			axes *= 2
		}
		if list := n.literal(name).GetInts(); len(list) > 0 && len(list) != axes {
			faults = append(faults, fmt.Errorf("%s are %d, but its filters %q have dims %d", name, list, w.name, dims))
		}
	}
	if shape, known := n.inputShape(); known && len(shape) != len(dims) {
		faults = append(faults, fmt.Errorf("its input %q has %d dims, but its filters %q have %d", n.Input(0).name, len(shape), w.name, len(dims)))
	}
	outputs, known := dims[outAxis], true
	if n.Has("group") && outAxis == 1 {
		p := n.literal("group")
		outputs, known = outputs*p.GetI(), p != nil
	}
	if b := n.Input(bias); known && b != nil && b.Constant() != nil && b.Constant().Len() != outputs {
		faults = append(faults, fmt.Errorf("its bias %q has dims %d, must have one number for each of %d channels", b.name, b.Constant().Dims(), outputs))
	}
	return faults
}

// splitFaults checks that a Split has as many parts as outputs, and no part of negative size.
func splitFaults(n *Node) []error {
	if sizes := n.list("split", 1); len(sizes) > 0 && slices.Min(sizes) < 0 {
		return []error{fmt.Errorf("split is %d, must be 0 or more", sizes)}
	}
	if p := n.literal("num_outputs"); p != nil && p.GetI() != int64(len(n.outputs)) {
		return []error{fmt.Errorf("num_outputs is %d, but it has %d outputs", p.GetI(), len(n.outputs))}
	}
	return nil
}

// partFaults checks that a scalar that gives the size of all parts is positive.
func partFaults(n *Node) []error {
	if v := n.Input(1); v != nil && v.Constant() != nil && len(v.Constant().Dims()) == 0 {
		if size := n.list("", 1); len(size) == 1 && size[0] < 1 {
			return []error{fmt.Errorf("split is %d, must be 1 or more", size[0])}
		}
	}
	return nil
}

// divisorFaults checks that no integer is divided by 0.
func divisorFaults(n *Node) []error {
	if d := n.list("", 1); slices.Contains(d, 0) {
		return []error{fmt.Errorf("it divides integers by %q, which is %d, and must not be 0", n.Input(1).name, d)}
	}
	return nil
}

// hiddenFaults checks that the weights of a recurrent layer match its hidden_size.
func hiddenFaults(n *Node) []error {
	r := n.Input(2)
	p := n.literal("hidden_size")
	if r == nil || r.Constant() == nil || p == nil {
		return nil
	}
	if dims := r.Constant().Dims(); len(dims) != 3 || dims[2] != p.GetI() {
		return []error{fmt.Errorf("hidden_size is %d, but its weights %q have dims %d, must have 3, of which the last is that", p.GetI(), r.name, dims)}
	}
	return nil
}

// frameFaults checks that the length and the step of a signal's frames are positive.
func frameFaults(n *Node) []error {
	for input, name := range map[int]string{1: "frame_step", 3: "frame_length"} {
		if list := n.list("", input); len(list) > 0 && slices.Min(list) < 1 {
			return []error{fmt.Errorf("%s is %d, must be 1 or more", name, list)}
		}
	}
	return nil
}

// diagonalFaults checks that a matrix can have the diagonal of a Trilu.
func diagonalFaults(n *Node) []error {
	if k := n.list("", 1); len(k) > 0 && (slices.Min(k) < -maxSize || slices.Max(k) > maxSize) {
		return []error{fmt.Errorf("k is %d, must be from %d to %d", k, -maxSize, maxSize)}
	}
	return nil
}

// leftOutFaults checks that no output in the list has an empty name.
func leftOutFaults(n *Node) []error {
	if i := slices.Index(n.outputs, nil); i >= 0 {
		return []error{fmt.Errorf("its output %d has an empty name, must have one: name it, and let nothing read it", i)}
	}
	return nil
}

// lrnFaults checks that the input has channels to normalize over.
func lrnFaults(n *Node) []error {
	if shape, _ := n.inputShape(); len(shape) > 1 && shape[1].Size == 0 {
		return []error{fmt.Errorf("its input %q has no channels", n.Input(0).name)}
	}
	return nil
}

// normalFaults checks the standard deviation of a normal distribution.
func normalFaults(n *Node) []error {
	if p := n.literal("scale"); p != nil && !(p.GetF() > 0) {
		return []error{fmt.Errorf("scale is %v, must be above 0", p.GetF())}
	}
	return nil
}

// uniformFaults checks that the upper bound of a uniform distribution is not below the lower bound.
func uniformFaults(n *Node) []error {
	low, high := float32(0), float32(1)
	for name, bound := range map[string]*float32{"low": &low, "high": &high} {
		if p := n.literal(name); p != nil {
			*bound = p.GetF()
		} else if n.Has(name) {
			return nil // the value of a function's parameter is not known
		}
	}
	if !(low <= high) {
		return []error{fmt.Errorf("low is %v and high is %v: high must not be less than low", low, high)}
	}
	return nil
}

// mostTrips limits the iterations of a Loop that nothing can end earlier. It is far more than models need, and takes minutes.
const mostTrips = 1 << 24

// loopFaults checks that a Loop ends: by a maximum number of iterations, or by a condition that the body can make false.
func loopFaults(n *Node) []error {
	trips, given := math.Inf(1), n.Input(0) != nil
	if given {
		t := n.Input(0).Constant()
		if t == nil || t.Len() != 1 {
			return nil
		}
		data, err := t.Float64s()
		if err != nil {
			return nil
		}
		trips = data[0]
	}
	bodies := n.bodies()
	if trips <= mostTrips || len(bodies) != 1 || len(bodies[0].inputs) < 2 || len(bodies[0].outputs) < 1 || n.Input(1) != nil && !isTrue(n.Input(1)) {
		return nil
	}
	next := bodies[0].outputs[0].value
	for range bodies[0].nodes { // a bounded number of steps, because nodes may form a cycle
		if next != nil && next.producer != nil && next.producer.Is("Identity") {
			next = next.producer.Input(0)
		}
	}
	switch {
	case next == nil, next != bodies[0].inputs[1].value && next != n.Input(1) && !isTrue(next):
		return nil
	case given:
		return []error{fmt.Errorf("its condition is always true, so it runs its body %.0f times, and at most %d are allowed: give a smaller trip count, "+
			"or a condition that ends it", trips, mostTrips)}
	}
	return []error{errors.New("it never ends: it has no trip count, and its condition is always true: give a trip count, or a condition that ends it")}
}

// isTrue reports whether a value is the constant true.
func isTrue(v *Value) bool {
	t := v.Constant()
	if t == nil || t.DType() != Bool || t.Len() != 1 {
		return false
	}
	data, err := t.Int64s()
	return err == nil && data[0] != 0
}

// list returns the integers of an attribute or, in newer opsets, of a constant input; nil if neither exists.
func (n *Node) list(attribute string, input int) []int64 {
	if list := n.literal(attribute).GetInts(); list != nil {
		return list
	}
	v := n.Input(input)
	if v == nil || v.Constant() == nil || !slices.Contains([]DType{Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64}, v.Constant().DType()) {
		return nil
	}
	list, err := v.Constant().Int64s()
	if err != nil {
		return nil // ONNX Runtime says what is wrong with it
	}
	return list
}

// inputShape returns the shape of the node's first input, if it is an input of the model. Declared shapes of intermediate values
// may be wrong, and ONNX Runtime does not rely on them.
func (n *Node) inputShape() (shape []Dim, known bool) {
	if x := n.Input(0); x != nil && x.producer == nil {
		return x.Shape()
	}
	return nil, false
}

// inputFaults lists the inputs of a graph whose declared sizes are larger than any memory.
func (g *Graph) inputFaults() []error {
	var faults []error
	for _, t := range g.inputs {
		if t.value == nil {
			continue
		}
		shape, _ := t.value.Shape()
		var sizes []int64
		for _, d := range shape {
			sizes = append(sizes, max(d.Size, 1)) // an open dim is at least 1
		}
		if ElementCount(sizes) < 0 {
			faults = append(faults, fmt.Errorf("input %q: its shape %v has too many elements", t.value.name, shape))
		}
	}
	return faults
}
