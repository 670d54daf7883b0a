package secondopinion

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// whiteList has the operators for which the engine and ONNX Runtime compute the same, with their numbers of inputs. The rule of
// an operator says what is wrong with a node for which this is not known, and returns "" for other nodes. Rules are needed for
// nodes that the engine computes wrongly without an error. Nodes that it refuses itself (most kinds of broadcasting, products
// with more than two dims, a SAME_UPPER padding that is not symmetric) need a rule only if their attributes show it.
var whiteList = map[string]struct {
	minInputs, maxInputs int
	rule                 func(*onnxgraph.Node) string
}{
	"Conv":               {2, 3, conv},
	"MaxPool":            {1, 1, maxPool},
	"GlobalAveragePool":  {1, 1, anyNode},
	"BatchNormalization": {5, 5, batchNormalization},
	"Relu":               {1, 1, anyNode},
	"LeakyRelu":          {1, 1, overwritesInput},
	"Sigmoid":            {1, 1, anyNode},
	"Tanh":               {1, 1, anyNode},
	"Softplus":           {1, 1, anyNode},
	"Softmax":            {1, 1, softmax},
	"Add":                {2, 2, elementwise},
	"Sub":                {2, 2, elementwise},
	"Mul":                {2, 2, elementwise},
	"Div":                {2, 2, elementwise},
	"MatMul":             {2, 2, matMul},
	"Gemm":               {3, 3, gemm},
	"Flatten":            {1, 1, flatten},
	"Reshape":            {2, 2, reshape},
	"Transpose":          {1, 1, transpose},
	"Concat":             {2, math.MaxInt, concat},
	"Dropout":            {1, 1, anyNode},
	"Identity":           {1, 1, anyNode},
	"Constant":           {0, 0, constant},
}

// takesVectors lists the operators that may read a constant with fewer than two dims. Since no other operator reads one, no node
// computes one, and the rule elementwise sees all of them.
var takesVectors = []string{"Conv", "BatchNormalization", "Gemm", "Add", "Sub", "Mul", "Div", "Reshape", "Identity"}

func anyNode(*onnxgraph.Node) string { return "" }

func conv(n *onnxgraph.Node) string {
	if n.Int("group", 1) != 1 {
		return "more than one group"
	}
	return window(n)
}

func maxPool(n *onnxgraph.Node) string {
	switch {
	case n.Int("ceil_mode", 0) != 0:
		return "ceil_mode"
	case n.Has("dilations"): // refused even if all are 1
		return "dilations"
	}
	return window(n)
}

// window is the rule for the common attributes of Conv and MaxPool. The engine reads the four pads as top, bottom, left and right
// without a check; the order in ONNX is top, left, bottom, right.
func window(n *onnxgraph.Node) string {
	pads := n.Ints("pads")
	switch {
	case len(n.Ints("kernel_shape")) != 2:
		return "not exactly two dims in kernel_shape"
	case len(pads) > 0 && slices.Min(pads) != slices.Max(pads):
		return "pads that are not all equal"
	case !slices.Contains([]string{"NOTSET", "VALID", "SAME_UPPER"}, n.Str("auto_pad", "NOTSET")):
		return "auto_pad " + n.Str("auto_pad", "")
	}
	return ""
}

func batchNormalization(n *onnxgraph.Node) string {
	switch {
	case n.Int("training_mode", 0) != 0:
		return "training mode"
	case n.Int("spatial", 1) != 1: // an attribute up to opset 8
		return "statistics for each position"
	}
	return overwritesInput(n)
}

// renamers are the operators whose output shares its memory with their input.
var renamers = []string{"Identity", "Dropout", "Flatten", "Reshape", "Transpose"}

// overwritesInput is the rule for operators that the engine computes in place (BatchNormalization only for a batch of one): other
// nodes that read the input would get the output.
func overwritesInput(n *onnxgraph.Node) string {
	for v := n.Input(0); v != nil; v = v.Producer().Input(0) {
		if len(v.Uses()) > 1 || v.IsOutput() {
			return "an input that other nodes read too, which the engine overwrites"
		}
		if p := v.Producer(); p == nil || !slices.Contains(renamers, p.OpType()) {
			break
		}
	}
	return ""
}

// softmax allows two dims and the second axis, because the engine always uses these. Up to opset 12, it also allows more dims,
// which the operator itself combines to two.
func softmax(n *onnxgraph.Node) string {
	coerces, axis := true, n.Int("axis", 1)
	if n.Graph().Model().Opset("") >= 13 {
		coerces, axis = false, n.Int("axis", -1)
	}
	shape, known := n.Output(0).Shape()
	switch {
	case coerces && axis == 1:
		return ""
	case !known:
		return "the shape of the output is not declared"
	case len(shape) != 2 || axis == 0 || axis == -2:
		return "not along the second of two dims"
	}
	return ""
}

// elementwise refuses a vector unless the other operand is a matrix with as many columns. ONNX matches a vector with the last
// dim; the engine matches it with any dim of the same size.
func elementwise(n *onnxgraph.Node) string {
	for i, v := range n.Inputs() {
		t := constantOf(v)
		if t != nil && t.Rank() == 1 && t.Len() > 1 && t.Len() != columns(n.Input(1-i)) {
			return "a vector with what is not known to be a matrix of as many columns"
		}
	}
	return ""
}

// columns returns the number of columns if v is a matrix product; -1 if it is not, or the number is unknown.
func columns(v *onnxgraph.Value) int64 {
	p := v.Producer()
	if p == nil || !p.Is("MatMul") || p.Input(1) == nil {
		return -1
	}
	shape, _ := p.Input(1).StaticShape()
	if len(shape) != 2 {
		return -1
	}
	return shape[1]
}

func matMul(n *onnxgraph.Node) string {
	for _, v := range n.Inputs() {
		if t := constantOf(v); t != nil && t.Rank() != 2 {
			return "a constant that is not a matrix"
		}
	}
	return ""
}

// gemm requires a bias that nothing else reads, because the engine may overwrite it with the result. The bias must be a row,
// because the engine treats every bias as one.
func gemm(n *onnxgraph.Node) string {
	c := n.Input(2)
	if c.Constant() == nil || c.Producer() != nil || len(c.Uses()) > 1 {
		return "a bias that is computed or read by other nodes too, which the engine overwrites"
	}
	if dims := c.Constant().Dims(); len(dims) == 0 || len(dims) == 2 && dims[0] != 1 {
		return "a bias that is not a row"
	}
	return ""
}

func flatten(n *onnxgraph.Node) string {
	if n.Int("axis", 1) < 0 {
		return "a negative axis, which the engine takes for 0"
	}
	return ""
}

// reshape allows -1 only at the end, and only after 0 and 1: the engine computes its size only from the first dims of the input,
// and can lose the dim.
func reshape(n *onnxgraph.Node) string {
	t := n.Input(1).Constant()
	if t == nil {
		return "a computed shape"
	}
	shape, err := t.Int64s()
	switch {
	case err != nil:
		return err.Error()
	case n.Int("allowzero", 0) != 0:
		return "allowzero"
	case len(shape) < 2:
		return "to fewer than two dims"
	}
	i := slices.Index(shape, -1)
	if i >= 0 && (i < len(shape)-1 || slices.ContainsFunc(shape[:i], func(d int64) bool { return d > 1 })) {
		return "a dim of -1 that is not the last one after dims of 0 and 1"
	}
	return ""
}

func transpose(n *onnxgraph.Node) string {
	if !n.Has("perm") {
		return "no perm"
	}
	return ""
}

func concat(n *onnxgraph.Node) string {
	if n.Int("axis", 0) < 0 {
		return "a negative axis"
	}
	return ""
}

// constant allows a Constant node only as the shape of a Reshape, because the engine supports no other use.
func constant(n *onnxgraph.Node) string {
	for _, u := range n.Output(0).Uses() {
		if !u.Node.Is("Reshape") || u.Index != 1 {
			return "read by another operator than Reshape, as its shape"
		}
	}
	if !n.Has("value") {
		return "no tensor as its value"
	}
	return ""
}
