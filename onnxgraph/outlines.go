package onnxgraph

import (
	"math"
	"slices"
)

// expansions lists operators that can make large tensors from small ones, or pass them on. A row says how many inputs a node
// needs. Its function returns the outline of the output from those of the inputs, nil if it is not known.
var expansions = map[string]struct {
	inputs  int
	outline func(n *Node, in []*outline) *outline
}{
	"ConstantOfShape": {1, constantOfShapeOutline},
	"Range":           {3, rangeOutline},
	"Expand":          {2, func(n *Node, in []*outline) *outline { return in[0].of(broadcast(in[0].dims, in[1].numbers())) }},
	"Tile":            {2, func(n *Node, in []*outline) *outline { return in[0].of(times(in[0].dims, in[1].numbers())) }},
	"OneHot":          {3, oneHotOutline},
	"Resize":          {1, resizeOutline},
	"Upsample":        {1, resizeOutline},
	"Pad":             {1, padOutline},
	"EyeLike":         {1, likeOutline},

	"RandomNormal":      {0, randomOutline},
	"RandomUniform":     {0, randomOutline},
	"RandomNormalLike":  {1, likeOutline},
	"RandomUniformLike": {1, likeOutline},
	"Bernoulli":         {1, likeOutline},
	"Multinomial":       {1, multinomialOutline},
	"HannWindow":        {1, windowOutline},
	"HammingWindow":     {1, windowOutline},
	"BlackmanWindow":    {1, windowOutline},
	"MelWeightMatrix":   {5, melOutline},

	"Concat": {1, concatOutline}, "MatMul": {2, matMulOutline}, "Gemm": {2, gemmOutline}, "Gather": {2, gatherOutline},
	"Transpose": {1, transposeOutline}, "Reshape": {2, reshapeOutline}, "Flatten": {1, flattenOutline}, "Shape": {1, shapeOutline},
	"Unsqueeze": {1, unsqueezeOutline}, "Squeeze": {1, squeezeOutline},

	"Identity": {1, first}, "Dropout": {1, first}, "Softmax": {1, first}, "LogSoftmax": {1, first}, "CumSum": {1, first},
	"Trilu": {1, first}, "ScatterND": {1, first}, "ScatterElements": {1, first}, "Clip": {1, first}, "BatchNormalization": {1, first},
	"InstanceNormalization": {1, first}, "LayerNormalization": {1, first}, "LRN": {1, first}, "Cast": {1, castOutline},

	"Abs": {1, first}, "Neg": {1, first}, "Sqrt": {1, first}, "Exp": {1, first}, "Log": {1, first}, "Relu": {1, first},
	"Sigmoid": {1, first}, "Tanh": {1, first}, "Erf": {1, first}, "Floor": {1, first}, "Ceil": {1, first}, "Round": {1, first},
	"Reciprocal": {1, first}, "Sign": {1, first}, "Sin": {1, first}, "Cos": {1, first}, "LeakyRelu": {1, first}, "Elu": {1, first},
	"Gelu": {1, first}, "HardSigmoid": {1, first}, "HardSwish": {1, first}, "Softplus": {1, first}, "Not": {1, first},

	"Add": {2, elementwise(func(a, b float64) float64 { return a + b })},
	"Sub": {2, elementwise(func(a, b float64) float64 { return a - b })},
	"Mul": {2, elementwise(func(a, b float64) float64 { return a * b })},
	"Div": {2, elementwise(nil)}, "Pow": {2, elementwise(nil)}, "Mod": {2, elementwise(nil)}, "PRelu": {2, elementwise(nil)},
	"Min": {1, elementwise(nil)}, "Max": {1, elementwise(nil)}, "Sum": {1, elementwise(nil)}, "Mean": {1, elementwise(nil)},
	"BitShift": {2, elementwise(nil)}, "BitwiseAnd": {2, elementwise(nil)}, "BitwiseOr": {2, elementwise(nil)}, "BitwiseXor": {2, elementwise(nil)},
	"And": {2, elementwise(nil)}, "Or": {2, elementwise(nil)}, "Xor": {2, elementwise(nil)}, // inputs and outputs are booleans
	"Equal": {2, compared}, "Less": {2, compared}, "LessOrEqual": {2, compared}, "Greater": {2, compared}, "GreaterOrEqual": {2, compared},
	"Where": {3, func(n *Node, in []*outline) *outline { return in[1].of(broadcast(in[0].dims, in[1].dims, in[2].dims)) }},
}

// of returns an outline with the same type and other dims, nil if these are not known.
func (x *outline) of(dims []float64) *outline {
	if dims == nil {
		return nil
	}
	return &outline{dtype: x.dtype, dims: dims}
}

// as returns an outline with the same dims and another type.
func (x *outline) as(dtype DType) *outline { return &outline{dtype: dtype, dims: x.dims} }

func first(n *Node, in []*outline) *outline {
	if n.Is("Identity") {
		return in[0]
	}
	return in[0].of(in[0].dims)
}

// broadcast returns the common dims to which operators broadcast their inputs, nil if some are not known or do not match.
func broadcast(list ...[]float64) []float64 {
	dims := []float64{}
	for _, next := range list {
		if next == nil {
			return nil
		}
		for len(dims) < len(next) {
			dims = slices.Insert(dims, 0, 1)
		}
		for i, d := range next {
			switch at := len(dims) - len(next) + i; {
			case dims[at] == 1:
				dims[at] = d
			case d != 1 && d != dims[at]:
				return nil
			}
		}
	}
	return dims
}

// times multiplies each dim by its factor.
func times(dims, factors []float64) []float64 {
	if len(dims) != len(factors) {
		return nil
	}
	out := slices.Clone(dims)
	for i, f := range factors {
		out[i] = math.Floor(out[i] * f)
	}
	return out
}

// axisOf returns the index of an axis; negative axes count from the end. ok is false if there is no such axis.
func axisOf(axis float64, rank int) (i int, ok bool) {
	if axis < 0 {
		axis += float64(rank)
	}
	return int(axis), axis >= 0 && axis < float64(rank)
}

// elementwise makes a rule for elementwise operators. compute, if not nil, is their function of two numbers.
func elementwise(compute func(a, b float64) float64) func(n *Node, in []*outline) *outline {
	return func(n *Node, in []*outline) *outline {
		var all [][]float64
		for _, x := range in {
			if x != nil {
				all = append(all, x.dims)
			}
		}
		out := in[0].of(broadcast(all...))
		if compute == nil || out == nil || len(out.dims) > 1 || product(out.dims) > mostNumbers {
			return out
		}
		a, b := in[0].numbers(), in[1].numbers()
		if len(a) == 0 || len(b) == 0 {
			return out
		}
		data := make([]float64, int(product(out.dims)))
		for i := range data {
			data[i] = compute(a[i%len(a)], b[i%len(b)]) // one of the two may be a single number
		}
		out.constant = vector(data)
		return out
	}
}

func compared(n *Node, in []*outline) *outline {
	if out := elementwise(nil)(n, in); out != nil {
		return out.as(Bool)
	}
	return nil
}

func constantOfShapeOutline(n *Node, in []*outline) *outline {
	x := &outline{dtype: Float32}
	value := n.Tensor("value")
	if value != nil {
		x.dtype = value.DType()
	}
	x.dims = in[0].numbers()
	if len(x.dims) == 0 && product(in[0].dims) > 0 {
		return nil
	}
	return x
}

func rangeOutline(n *Node, in []*outline) *outline {
	from, to, step := in[0].numbers(), in[1].numbers(), in[2].numbers()
	if len(from) != 1 || len(to) != 1 || len(step) != 1 || step[0] == 0 {
		return nil
	}
	return in[0].of([]float64{max(math.Ceil((to[0]-from[0])/step[0]), 0)})
}

func oneHotOutline(n *Node, in []*outline) *outline {
	depth := in[1].numbers()
	at, ok := axisOf(float64(n.Int("axis", -1)), len(in[0].dims)+1)
	if len(depth) != 1 || !ok {
		return nil
	}
	return in[2].of(slices.Insert(slices.Clone(in[0].dims), at, depth[0]))
}

// resizeOutline is for Upsample and Resize. The inputs of Resize are image, region, factors and sizes, or only image and factors.
func resizeOutline(n *Node, in []*outline) *outline {
	dims := slices.Clone(in[0].dims)
	factors := in[2].numbers()
	if len(n.inputs) < 3 {
		factors = convert[float64](n.Floats("scales"))
		if in[1] != nil {
			factors = in[1].numbers()
		}
	}
	sizes := in[3].numbers()
	if policy := n.Str("keep_aspect_ratio_policy", "stretch"); policy != "stretch" {
		return nil
	}
	axes := convert[float64](n.Ints("axes"))
	if len(axes) == 0 {
		for i := range dims {
			axes = append(axes, float64(i))
		}
	}
	if len(factors) != len(axes) && len(sizes) != len(axes) {
		return nil
	}
	for i, axis := range axes {
		at, ok := axisOf(axis, len(dims))
		switch {
		case !ok:
			return nil
		case len(sizes) == len(axes):
			dims[at] = sizes[i]
		default:
			dims[at] = math.Floor(dims[at] * factors[i])
		}
	}
	return in[0].of(dims)
}

func padOutline(n *Node, in []*outline) *outline {
	pads := convert[float64](n.Ints("pads"))
	if in[1] != nil {
		pads = in[1].numbers()
	}
	axes := in[3].numbers()
	if in[3] == nil {
		for i := range in[0].dims {
			axes = append(axes, float64(i))
		}
	}
	if len(pads) != 2*len(axes) {
		return nil
	}
	dims := slices.Clone(in[0].dims)
	for i, axis := range axes {
		at, ok := axisOf(axis, len(dims))
		if !ok {
			return nil
		}
		dims[at] += pads[i] + pads[len(axes)+i]
	}
	return in[0].of(dims)
}

func randomOutline(n *Node, in []*outline) *outline {
	return &outline{dtype: DType(n.Int("dtype", int64(Float32))), dims: convert[float64](n.Ints("shape"))}
}

// likeOutline is for operators that make a tensor with the dims of another one, and with its type unless an attribute gives
// another type.
func likeOutline(n *Node, in []*outline) *outline {
	return in[0].as(DType(n.Int("dtype", int64(in[0].dtype))))
}

func multinomialOutline(n *Node, in []*outline) *outline {
	if len(in[0].dims) != 2 {
		return nil
	}
	return &outline{dtype: DType(n.Int("dtype", int64(Int32))), dims: []float64{in[0].dims[0], float64(n.Int("sample_size", 1))}}
}

func windowOutline(n *Node, in []*outline) *outline {
	return (&outline{dtype: DType(n.Int("output_datatype", int64(Float32)))}).of(slices.Clone(in[0].numbers()))
}

// melOutline is for MelWeightMatrix: filters over the frequencies of a Fourier transform, half of which are distinct.
func melOutline(n *Node, in []*outline) *outline {
	filters, length := in[0].numbers(), in[1].numbers()
	if len(filters) != 1 || len(length) != 1 {
		return nil
	}
	return &outline{dtype: DType(n.Int("output_datatype", int64(Float32))), dims: []float64{math.Floor(length[0]/2) + 1, filters[0]}}
}

func concatOutline(n *Node, in []*outline) *outline {
	in = in[:len(n.inputs)]
	rank := len(in[0].dims)
	at, ok := axisOf(float64(n.Int("axis", 1)), rank) // only the oldest version may leave it out
	if !ok {
		return nil
	}
	dims, data, known := slices.Clone(in[0].dims), []float64{}, rank == 1
	dims[at] = 0
	for _, x := range in {
		if x == nil || len(x.dims) != rank {
			return nil
		}
		dims[at] += x.dims[at]
		if numbers := x.numbers(); known && len(numbers) == int(x.dims[at]) {
			data = append(data, numbers...)
		} else {
			known = false
		}
	}
	if known && len(data) <= mostNumbers {
		return withNumbers(in[0].dtype, data)
	}
	return in[0].of(dims)
}

func matMulOutline(n *Node, in []*outline) *outline {
	a, b := in[0].dims, in[1].dims
	if len(a) < 2 || len(b) < 2 {
		return nil
	}
	outer := broadcast(a[:len(a)-2], b[:len(b)-2])
	if outer == nil {
		return nil
	}
	return in[0].of(append(outer, a[len(a)-2], b[len(b)-1]))
}

func gemmOutline(n *Node, in []*outline) *outline {
	a, b := in[0].dims, in[1].dims
	if len(a) != 2 || len(b) != 2 {
		return nil
	}
	rows, columns := a[0], b[1]
	if n.Int("transA", 0) != 0 {
		rows = a[1]
	}
	if n.Int("transB", 0) != 0 {
		columns = b[0]
	}
	return in[0].of([]float64{rows, columns})
}

func gatherOutline(n *Node, in []*outline) *outline {
	at, ok := axisOf(float64(n.Int("axis", 0)), len(in[0].dims))
	if !ok {
		return nil
	}
	out := in[0].of(slices.Replace(slices.Clone(in[0].dims), at, at+1, in[1].dims...))
	data, indices := in[0].numbers(), in[1].numbers()
	if len(in[0].dims) != 1 || len(data) == 0 || len(indices) == 0 || len(out.dims) > 1 {
		return out
	}
	picked := make([]float64, len(indices))
	for i, index := range indices {
		j, ok := axisOf(index, len(data))
		if !ok {
			return nil
		}
		picked[i] = data[j]
	}
	out.constant = vector(picked)
	return out
}

func transposeOutline(n *Node, in []*outline) *outline {
	dims := slices.Clone(in[0].dims)
	slices.Reverse(dims)
	if perm := n.Ints("perm"); len(perm) == len(dims) {
		for i, axis := range perm {
			at, ok := axisOf(float64(axis), len(dims))
			if !ok {
				return nil
			}
			dims[i] = in[0].dims[at]
		}
	}
	return in[0].of(dims)
}

// regrouped returns an outline with other dims and the same elements in the same order.
func (x *outline) regrouped(dims []float64) *outline { return &outline{x.dtype, dims, x.constant} }

func reshapeOutline(n *Node, in []*outline) *outline {
	dims := slices.Clone(in[1].numbers())
	if len(dims) == 0 {
		return nil
	}
	for i, d := range dims {
		if d == 0 && i < len(in[0].dims) && n.Int("allowzero", 0) == 0 {
			dims[i] = in[0].dims[i]
		}
	}
	if i := slices.Index(dims, -1); i >= 0 {
		dims[i] = 1
		dims[i] = product(in[0].dims) / product(dims)
	}
	if product(dims) != product(in[0].dims) {
		return nil
	}
	return in[0].regrouped(dims)
}

func flattenOutline(n *Node, in []*outline) *outline {
	at, ok := axisOf(float64(n.Int("axis", 1)), len(in[0].dims)+1)
	if !ok {
		return nil
	}
	return in[0].regrouped([]float64{product(in[0].dims[:at]), product(in[0].dims[at:])})
}

// axesOf returns the axes of a node from its attribute or, in newer files, from input 1.
func axesOf(n *Node, in []*outline) []float64 {
	if in[1] != nil {
		return in[1].numbers()
	}
	return convert[float64](n.Ints("axes"))
}

func unsqueezeOutline(n *Node, in []*outline) *outline {
	axes := axesOf(n, in)
	dims := make([]float64, len(in[0].dims)+len(axes))
	for _, axis := range axes {
		at, ok := axisOf(axis, len(dims))
		if !ok || dims[at] != 0 {
			return nil
		}
		dims[at] = 1
	}
	rest := in[0].dims
	for i := range dims {
		if dims[i] == 0 {
			dims[i], rest = rest[0], rest[1:]
		}
	}
	return in[0].regrouped(dims)
}

// squeezeOutline removes all dims of size 1 if the node does not give axes.
func squeezeOutline(n *Node, in []*outline) *outline {
	dims := slices.Clone(in[0].dims)
	axes := axesOf(n, in)
	for _, axis := range axes {
		at, ok := axisOf(axis, len(dims))
		if !ok || dims[at] != 1 {
			return nil
		}
		dims[at] = -1
	}
	return in[0].regrouped(slices.DeleteFunc(dims, func(d float64) bool { return d == -1 || len(axes) == 0 && d == 1 }))
}

func shapeOutline(n *Node, in []*outline) *outline {
	if n.Has("start") || n.Has("end") {
		return nil
	}
	return withNumbers(Int64, in[0].dims)
}

func castOutline(n *Node, in []*outline) *outline {
	out := in[0].as(DType(n.Int("to", int64(in[0].dtype))))
	switch data := in[0].numbers(); {
	case len(data) == 0:
	case out.dtype.IsFloat():
		out.constant = vector(data)
	case out.dtype == Int64:
		out.constant = vector(mapSlice(data, math.Trunc))
	}
	return out
}
