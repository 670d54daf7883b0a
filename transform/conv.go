package transform

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// convolution describes a Conv node of any rank.
type convolution struct {
	node    *onnxgraph.Node
	weight  *onnxgraph.Value  // the constant that holds the filters
	filters *onnxgraph.Tensor // what it holds: out × in/groups × kernel

	out, in, groups                  int
	kernel, strides, dilations, pads []int // pads: the begin of each axis, then the end of each
	autoPad                          string
}

// What to do about convolutions that are never rewritten.
const (
	bringFloats   = "rewrite the floating-point model that was quantized, and quantize the model that export writes"
	bringPlain    = "rewrite the model as it was before ONNX Runtime optimized it"
	onlyConvWords = "only Conv is rewritten, and this one stays as it is"
)

// otherConvolutions are the operators that convolve and are never rewritten, by domain and name.
var otherConvolutions = map[[2]string]string{
	{"", "ConvInteger"}:   "quantized: " + bringFloats,
	{"", "QLinearConv"}:   "quantized: " + bringFloats,
	{"", "ConvTranspose"}: "transposed: " + onlyConvWords,
	{"", "DeformConv"}:    "deformable: " + onlyConvWords,
	{"com.microsoft", "ConvTransposeWithDynamicPads"}: "transposed: " + onlyConvWords,
	{"com.microsoft", "FusedConv"}:                    "fused by ONNX Runtime: " + bringPlain,
	{"com.microsoft", "NhwcConv"}:                     "fused by ONNX Runtime: " + bringPlain,
	{"com.microsoft", "NhwcFusedConv"}:                "fused by ONNX Runtime: " + bringPlain,
	{"com.microsoft", "QLinearConv"}:                  "quantized: " + bringFloats,
	{"com.microsoft.nchwc", "Conv"}:                   "fused by ONNX Runtime: " + bringPlain,
	{"com.ms.internal.nhwc", "Conv"}:                  "fused by ONNX Runtime: " + bringPlain,
}

// otherConvolution says why n, which convolves and is no Conv, stays as it is; "" if it is no such node.
func otherConvolution(n *onnxgraph.Node) string {
	if reason, known := otherConvolutions[[2]string{n.Domain(), n.OpType()}]; known {
		return reason
	}
	isFunction := func(f *onnxgraph.Function) bool { return f.Name() == n.OpType() && f.Domain() == n.Domain() }
	if n.Domain() == "" || !strings.Contains(n.OpType(), "Conv") || slices.ContainsFunc(n.Graph().Model().Functions, isFunction) {
		return "" // a function's convolutions are listed as such
	}
	return fmt.Sprintf("an operator of domain %q: only ONNX's own Conv is rewritten, and this one stays as it is", n.Domain())
}

var autoPads = []string{"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}

// readConv reads a Conv node. If it is not a spatial convolution with known floating-point filters, the reason says so, and
// the convolution holds what is known of it.
func readConv(n *onnxgraph.Node) (c convolution, reason string) {
	c = convolution{node: n, groups: int(n.Int("group", 1)), kernel: ints(n.Ints("kernel_shape")), autoPad: cmp.Or(n.Str("auto_pad", ""), "NOTSET")}
	c.weight, c.filters, reason = resolve(n.Input(1))
	if reason != "" {
		return c, "its weight " + reason
	}
	dims := ints(c.filters.Dims())
	switch names := references(n); {
	case n.Input(0) == nil || n.Output(0) == nil:
		return c, "malformed: it has no input or no output"
	case n.HasBody():
		return c, "malformed: it holds a graph"
	case names != nil:
		return c, fmt.Sprintf("its %s are %s", strings.Join(names, ", "), givenByCallers(n.Graph()))
	case !c.filters.DType().IsFloat():
		return c, fmt.Sprintf("its weight %q is of type %v, not floating-point", c.weight.Name(), c.filters.DType())
	case len(dims) < 3 || slices.Min(dims) < 1:
		return c, fmt.Sprintf("malformed: its weight %q has dims %v, not filters × channels × kernel", c.weight.Name(), dims)
	case c.groups < 1 || dims[0]%c.groups != 0:
		return c, fmt.Sprintf("malformed: its %d filters do not divide into %d groups", dims[0], c.groups)
	}
	c.out, c.in, c.kernel = dims[0], dims[1]*c.groups, dims[2:]
	axes := len(c.kernel)
	c.strides = attribute(n, "strides", axes, 1)
	c.dilations = attribute(n, "dilations", axes, 1)
	c.pads = slices.Repeat([]int{0}, 2*axes)
	if c.autoPad == "NOTSET" {
		c.pads = attribute(n, "pads", 2*axes, 0)
	}
	switch given := ints(n.Ints("kernel_shape")); {
	case len(given) > 0 && !slices.Equal(given, c.kernel):
		return c, fmt.Sprintf("malformed: its kernel_shape is %v, its weight's is %v", given, c.kernel)
	case len(c.strides) != axes || slices.Min(c.strides) < 1, len(c.dilations) != axes || slices.Min(c.dilations) < 1, len(c.pads) != 2*axes:
		return c, fmt.Sprintf("malformed: strides %v, dilations %v, pads %v for %d axes", c.strides, c.dilations, c.pads, axes)
	case !slices.Contains(autoPads, c.autoPad):
		return c, fmt.Sprintf("malformed: auto_pad %q is none of %s", c.autoPad, strings.Join(autoPads, ", "))
	case c.shapeMismatch() != "":
		return c, "malformed: " + c.shapeMismatch()
	case slices.Max(c.kernel) == 1:
		return c, "a kernel of 1 is not spatial"
	}
	return c, ""
}

// shapeMismatch says if the bias or the input is known not to go with the filters. Where the weight is a constant, that is
// refused when the model is loaded; here it may have come through other nodes.
func (c convolution) shapeMismatch() string {
	if _, bias, reason := resolve(c.node.Input(2)); reason == "" && bias.Len() != int64(c.out) {
		return fmt.Sprintf("its bias %q has %d numbers for %d filters", c.node.Input(2).Name(), bias.Len(), c.out)
	}
	if shape, known := c.node.Input(0).Shape(); known && len(shape) != 2+len(c.kernel) {
		return fmt.Sprintf("its input %q has %d dims, its weight has %d", c.node.Input(0).Name(), len(shape), 2+len(c.kernel))
	}
	return ""
}

// resized returns the convolution with a kernel of extent k along every axis, padded so that the output's size stays, and
// where in the new kernel the old one begins along each axis.
func (c convolution) resized(k int) (r convolution, begin []int, reason string) {
	r = c
	r.kernel, r.pads = slices.Clone(c.kernel), slices.Clone(c.pads)
	begin = make([]int, len(c.kernel))
	for axis, old := range c.kernel {
		r.kernel[axis] = k
		begin[axis] = (k - old) / 2
		end := k - old - begin[axis]
		if c.hasSamePadding() {
			if odd := (k - old) % 2; odd != 0 || c.strides[axis] > c.dilations[axis]*(min(k, old)-1)+1 {
				return c, nil, fmt.Sprintf("with auto_pad %s, a kernel of extent %d cannot take the place of %d at stride %d", c.autoPad, k, old, c.strides[axis])
			}
			continue // ONNX computes the pads from the kernel
		}
		r.pads[axis] += c.dilations[axis] * begin[axis]
		r.pads[axis+len(c.kernel)] += c.dilations[axis] * end
	}
	if slices.Min(r.pads) < 0 {
		return c, nil, fmt.Sprintf("a kernel of extent %d would need less than no padding to keep the output's size", k)
	}
	return r, begin, ""
}

func (c convolution) hasSamePadding() bool {
	return c.autoPad == "SAME_UPPER" || c.autoPad == "SAME_LOWER"
}

// embed copies filters of kernel from into filters of kernel to, in which the former begins at the given places: what lies
// outside is cropped, and what is not covered is zero.
func embed(filters []float64, from, to, begin []int) []float64 {
	count := len(filters) / product(from)
	out := make([]float64, count*product(to))
	position := make([]int, len(from))
	for tap := range product(from) {
		target, inside := 0, true
		for axis, rest := len(from)-1, tap; axis >= 0; axis-- {
			position[axis] = rest%from[axis] + begin[axis]
			rest /= from[axis]
		}
		for axis, p := range position {
			inside = inside && 0 <= p && p < to[axis]
			target = target*to[axis] + p
		}
		for i := 0; inside && i < count; i++ {
			out[i*product(to)+target] = filters[i*product(from)+tap]
		}
	}
	return out
}

// attribute returns a list of integers, or count times the default if the node has no such list.
func attribute(n *onnxgraph.Node, name string, count int, otherwise int) []int {
	if list := n.Ints(name); len(list) > 0 {
		return ints(list)
	}
	return slices.Repeat([]int{otherwise}, count)
}

func ints(list []int64) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = int(v)
	}
	return out
}

func int64s(list ...int) []int64 {
	out := make([]int64, len(list))
	for i, v := range list {
		out[i] = int64(v)
	}
	return out
}

func product(list []int) int {
	p := 1
	for _, v := range list {
		p *= v
	}
	return p
}
