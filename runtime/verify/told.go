package verify

import (
	"fmt"
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// The graph shows what an input must look like: weights that it is combined with fix its sizes, and constants that it is compared
// with are values that decide what the model does.

// elementwise lists operators whose output has the shape of their first input.
var elementwise = []string{"Identity", "Cast", "Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "Abs", "Neg", "Exp", "Log", "Sqrt",
	"Floor", "Round", "Erf", "Softplus", "Elu", "Selu", "HardSigmoid", "HardSwish", "Dropout", "QuantizeLinear", "DequantizeLinear",
	"BatchNormalization", "InstanceNormalization", "Pad"}

// arithmetic lists operators whose output has the shape of the input that is not constant.
var arithmetic = []string{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"}

// keepsShape reports whether the output of a node has the same dims, in the same order, as the input that u names.
func keepsShape(u onnxgraph.Use) bool {
	n := u.Node
	if n.Domain() != "" {
		return false
	}
	if slices.Contains(arithmetic, n.OpType()) && len(n.Inputs()) == 2 {
		other := n.Input(1 - u.Index)
		return other != nil && other.Constant() != nil
	}
	return u.Index == 0 && slices.Contains(elementwise, n.OpType())
}

// layer is a node that reads a value directly, or behind nodes that change at most the order of its axes.
type layer struct {
	use  onnxgraph.Use
	axes []int // the axis of the value for each axis of the node's input; nil if they are the same
}

// layers returns the layers that read v.
func layers(v *onnxgraph.Value) []layer {
	var list []layer
	seen := map[*onnxgraph.Value]bool{}
	var visit func(v *onnxgraph.Value, axes []int)
	visit = func(v *onnxgraph.Value, axes []int) {
		if v == nil || seen[v] {
			return
		}
		seen[v] = true
		for _, u := range v.Uses() {
			list = append(list, layer{u, axes})
			switch {
			case keepsShape(u):
				visit(u.Node.Output(0), axes)
			case u.Node.Is("Transpose") && axes == nil:
				var moved []int
				for _, axis := range u.Node.Ints("perm") {
					moved = append(moved, int(axis))
				}
				if moved != nil {
					visit(u.Node.Output(0), moved)
				}
			}
		}
	}
	visit(v, nil)
	return list
}

// weight returns the dims of a layer's weight, nil if it has none or they are not known.
func (l layer) weight() []int64 {
	isLayer := slices.ContainsFunc([]string{"Conv", "ConvTranspose", "Gemm", "MatMul"}, l.use.Node.Is)
	if !isLayer || l.use.Index != 0 || l.use.Node.Input(1) == nil {
		return nil
	}
	dims, ok := l.use.Node.Input(1).StaticShape()
	if !ok || len(dims) < 2 {
		return nil
	}
	return dims
}

// size returns the axis of the layer's input that its weight fixes, and the size.
func (l layer) size(rank int) (axis int, size int64, ok bool) {
	w, n := l.weight(), l.use.Node
	switch {
	case w == nil:
		return 0, 0, false
	case n.Is("Conv"):
		axis, size = 1, w[1]*n.Int("group", 1)
	case n.Is("ConvTranspose"):
		axis, size = 1, w[0]
	case n.Is("MatMul"):
		axis, size = rank-1, w[len(w)-2]
	default: // Gemm
		axis, size = 1-int(n.Int("transA", 0)), w[n.Int("transB", 0)]
	}
	if axis < len(l.axes) {
		axis = l.axes[axis]
	}
	return axis, size, axis < rank
}

// toldSizes returns the sizes that weights fix for a value with rank dims, by axis.
func toldSizes(v *onnxgraph.Value, rank int) map[int]int64 {
	sizes := map[int]int64{}
	for _, l := range layers(v) {
		if axis, size, ok := l.size(rank); ok && sizes[axis] == 0 {
			sizes[axis] = size
		}
	}
	return sizes
}

// rankOf returns the rank of a value, found from the layers that read it.
func rankOf(v *onnxgraph.Value) (rank int, ok bool) {
	for _, l := range layers(v) {
		if w := l.weight(); w != nil && !l.use.Node.Is("MatMul") {
			return len(w), true // a Gemm's weight has two dims, like its input
		}
		if perm := l.use.Node.Ints("perm"); l.use.Node.Is("Transpose") && perm != nil {
			return len(perm), true
		}
	}
	return 0, false
}

// comparisons lists operators that compare, and the offsets from the constant at which values are worth trying.
var comparisons = map[string][]float64{
	"Equal": {0}, "Less": {-1, 0, 1}, "LessOrEqual": {-1, 0, 1}, "Greater": {-1, 0, 1}, "GreaterOrEqual": {-1, 0, 1},
}

// summaries lists operators through which the comparison of a value with a constant also concerns their input.
var summaries = []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Gather", "Slice", "Identity", "Cast", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"}

// decisive returns values of an input, other than 0, that decide what the model does: values near the constants that it is
// compared with, and true for a condition.
func decisive(v *onnxgraph.Value) []float64 {
	var values []float64
	seen := map[*onnxgraph.Value]bool{}
	var visit func(*onnxgraph.Value)
	visit = func(v *onnxgraph.Value) {
		if v == nil || seen[v] {
			return
		}
		seen[v] = true
		for _, u := range v.Uses() {
			n := u.Node
			switch around := comparisons[n.OpType()]; {
			case n.Domain() != "":
			case n.Is("If"):
				values = append(values, 1)
			case around != nil && n.Input(1-u.Index) != nil:
				for _, c := range constants(n.Input(1 - u.Index)) {
					for _, step := range around {
						values = append(values, c+step)
					}
				}
			case u.Index == 0 && slices.Contains(summaries, n.OpType()):
				visit(n.Output(0))
			}
		}
	}
	visit(v)
	slices.Sort(values)
	return slices.DeleteFunc(slices.Compact(values), func(c float64) bool { return c == 0 })
}

// constants returns the number if v is a constant with a single element, also behind a Cast.
func constants(v *onnxgraph.Value) []float64 {
	if n := v.Producer(); n != nil && (n.Is("Cast") || n.Is("CastLike")) && n.Input(0) != nil {
		v = n.Input(0)
	}
	t := v.Constant()
	if t == nil || t.Len() != 1 {
		return nil
	}
	data, err := t.Float64s()
	if err != nil {
		return nil
	}
	return data
}

// choices returns the values to run the model on, by input: first no value, which means random numbers, then each decisive value.
// Real inputs get chosen values only if they are single numbers or lists: an image filled with one value decides nothing.
func choices(m *onnxgraph.Model, ports []ort.Port) []map[string]float64 {
	list := []map[string]float64{{}}
	for _, p := range ports {
		v := m.Graph.Value(p.Name)
		if shape, ok := v.Shape(); p.DType.IsFloat() && (!ok || len(shape) > 1) {
			continue
		}
		before := list
		for _, value := range decisive(v) {
			for _, others := range before {
				if len(list) == maxTrials || !holds(p.DType, value) {
					break
				}
				choice := map[string]float64{p.Name: value}
				for name, other := range others {
					choice[name] = other
				}
				list = append(list, choice)
			}
		}
	}
	return list
}

// holds reports whether the type can represent the value.
func holds(dtype onnxgraph.DType, value float64) bool {
	_, err := convert(dtype, nil, []float64{value})
	return err == nil
}

// convert returns a tensor of any numeric type. It fails if an integer type cannot represent a number.
func convert(dtype onnxgraph.DType, dims []int64, data []float64) (*onnxgraph.Tensor, error) {
	if dtype.IsFloat() {
		return onnxgraph.FromFloat64s(dtype, dims, data)
	}
	switch dtype {
	case onnxgraph.Bool:
		truth := make([]bool, len(data))
		for i, v := range data {
			truth[i] = v != 0
		}
		return onnxgraph.NewTensor(dims, truth), nil
	case onnxgraph.Uint8:
		return integers[uint8](dtype, dims, data)
	case onnxgraph.Int8:
		return integers[int8](dtype, dims, data)
	case onnxgraph.Uint16:
		return integers[uint16](dtype, dims, data)
	case onnxgraph.Int16:
		return integers[int16](dtype, dims, data)
	case onnxgraph.Uint32:
		return integers[uint32](dtype, dims, data)
	case onnxgraph.Int32:
		return integers[int32](dtype, dims, data)
	case onnxgraph.Uint64:
		return integers[uint64](dtype, dims, data)
	case onnxgraph.Int64:
		return integers[int64](dtype, dims, data)
	}
	for _, v := range data {
		if v != 0 {
			return nil, fmt.Errorf("cannot make numbers of type %v other than 0", dtype)
		}
	}
	return onnxgraph.NewRawTensor(dtype, dims, make([]byte, (len(data)*dtype.Bits()+7)/8)), nil
}

func integers[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](dtype onnxgraph.DType, dims []int64, data []float64) (*onnxgraph.Tensor, error) {
	list := make([]T, len(data))
	for i, v := range data {
		if list[i] = T(v); float64(list[i]) != v || math.Abs(v) > 1<<53 {
			return nil, fmt.Errorf("number %d is %v, which is not a valid %v", i, v, dtype)
		}
	}
	return onnxgraph.NewTensor(dims, list), nil
}
