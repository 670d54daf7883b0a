package weights

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Convolution describes a Conv node of any rank.
type Convolution struct {
	Node    *onnxgraph.Node
	Weight  *onnxgraph.Value  // the constant that holds the filters, perhaps in another arrangement
	Filters *onnxgraph.Tensor // the filters as the node reads them: out × in/groups × kernel

	Out, In, Groups int   // output and input channels of all groups together, and the number of groups
	Kernel          []int // its size along each spatial axis
	onnxgraph.Window
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

// OtherConvolution is for nodes that convolve by another operator than ONNX's Conv, such as ConvTranspose, QLinearConv, or an
// operator of another domain with "Conv" in its name. It returns the reason why such a node stays as it is, and "" for all other
// nodes.
func OtherConvolution(n *onnxgraph.Node) string {
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

// ReadConv reads a Conv node. The reason is "" if it is a spatial convolution (its kernel is larger than 1 along an axis) with
// known floating-point filters. Otherwise the reason says what it is, and c holds only what is known: Filters may be nil, Out and
// In 0.
func ReadConv(n *onnxgraph.Node) (c Convolution, reason string) {
	given := Ints(n.Ints("kernel_shape"))
	c = Convolution{Node: n, Groups: int(n.Int("group", 1)), Kernel: given}
	c.Weight, c.Filters, reason = Resolve(n.Input(1))
	if reason != "" {
		return c, "its weight " + reason
	}
	dims := Ints(c.Filters.Dims())
	switch names := References(n); {
	case n.Input(0) == nil || n.Output(0) == nil:
		return c, "malformed: it has no input or no output"
	case n.HasBody():
		return c, "malformed: it holds a graph"
	case names != nil:
		return c, fmt.Sprintf("its %s are %s", strings.Join(names, ", "), GivenByCallers(n.Graph()))
	case !c.Filters.DType().IsFloat():
		return c, fmt.Sprintf("its weight %q is of type %v, not floating-point", c.Weight.Name(), c.Filters.DType())
	case len(dims) < 3 || slices.Min(dims) < 1:
		return c, fmt.Sprintf("malformed: its weight %q has dims %v, not filters × channels × kernel", c.Weight.Name(), dims)
	case c.Groups < 1 || dims[0]%c.Groups != 0:
		return c, fmt.Sprintf("malformed: its %d filters do not divide into %d groups", dims[0], c.Groups)
	}
	c.Out, c.In, c.Kernel = dims[0], dims[1]*c.Groups, dims[2:]
	axes := len(c.Kernel)
	c.Window = n.Window(axes)
	switch {
	case len(given) > 0 && !slices.Equal(given, c.Kernel):
		return c, fmt.Sprintf("malformed: its kernel_shape is %v, its weight's is %v", given, c.Kernel)
	case len(c.Strides) != axes || slices.Min(c.Strides) < 1, len(c.Dilations) != axes || slices.Min(c.Dilations) < 1, len(c.Pads) != 2*axes:
		return c, fmt.Sprintf("malformed: strides %v, dilations %v, pads %v for %d axes", c.Strides, c.Dilations, c.Pads, axes)
	case !slices.Contains(autoPads, c.AutoPad):
		return c, fmt.Sprintf("malformed: auto_pad %q is none of %s", c.AutoPad, strings.Join(autoPads, ", "))
	case c.shapeMismatch() != "":
		return c, "malformed: " + c.shapeMismatch()
	case slices.Max(c.Kernel) == 1:
		return c, "a kernel of 1 is not spatial"
	}
	return c, ""
}

// shapeMismatch returns a reason if the shape of the bias or of the input is known and does not fit the filters. If the weight is
// a constant, loading the model fails for that; but here the weight may come through other nodes.
func (c Convolution) shapeMismatch() string {
	if _, bias, reason := Resolve(c.Node.Input(2)); reason == "" && bias.Len() != int64(c.Out) {
		return fmt.Sprintf("its bias %q has %d numbers for %d filters", c.Node.Input(2).Name(), bias.Len(), c.Out)
	}
	if shape, known := c.Node.Input(0).Shape(); known && len(shape) != 2+len(c.Kernel) {
		return fmt.Sprintf("its input %q has %d dims, its weight has %d", c.Node.Input(0).Name(), len(shape), 2+len(c.Kernel))
	}
	return ""
}

// Resized returns the convolution with a kernel of size k along every axis. Strides and dilations stay, and the pads change so
// that the output keeps its size. begin says where the old kernel begins in the new one along each axis: in the middle, or one
// element before it if the difference of sizes is odd. It can be negative where the new kernel is smaller, so that the old one is
// cropped: see Embed. Filters stay those of the old kernel.
//
// The reason is "" unless no pads keep the output's size: if a smaller kernel would need negative ones, or if with auto_pad the
// difference of sizes is odd, or the stride is larger than what a kernel covers.
func (c Convolution) Resized(k int) (r Convolution, begin []int, reason string) {
	r = c
	r.Kernel, r.Pads = slices.Clone(c.Kernel), slices.Clone(c.Pads)
	begin = make([]int, len(c.Kernel))
	for axis, old := range c.Kernel {
		r.Kernel[axis] = k
		begin[axis] = (k - old) / 2
		end := k - old - begin[axis]
		if c.IsSame() {
			if odd := (k - old) % 2; odd != 0 || c.Strides[axis] > c.Dilations[axis]*int64(min(k, old)-1)+1 {
				return c, nil, fmt.Sprintf("with auto_pad %s, a kernel of extent %d cannot take the place of %d at stride %d", c.AutoPad, k, old, c.Strides[axis])
			}
			continue // ONNX computes the pads from the kernel
		}
		r.Pads[axis] += c.Dilations[axis] * int64(begin[axis])
		r.Pads[axis+len(c.Kernel)] += c.Dilations[axis] * int64(end)
	}
	if slices.Min(r.Pads) < 0 {
		return c, nil, fmt.Sprintf("a kernel of extent %d would need less than no padding to keep the output's size", k)
	}
	return r, begin, ""
}

// Embed returns filters with another kernel size. filters holds one kernel after another, each of the sizes from; the result
// holds as many kernels of the sizes to. begin says where along each axis the old kernel begins in the new one. Weights that lie
// outside of the new kernel are left out, and new places get 0.
func Embed(filters []float64, from, to, begin []int) []float64 {
	count := len(filters) / Product(from)
	out := make([]float64, count*Product(to))
	position := make([]int, len(from))
	for tap := range Product(from) {
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
			out[i*Product(to)+target] = filters[i*Product(from)+tap]
		}
	}
	return out
}
