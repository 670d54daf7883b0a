package gradient

import (
	"fmt"
	"slices"
)

// rule says how to compute the gradients of an operator's inputs from those of its outputs.
type rule struct {
	// First returns the gradient of the first input, for operators that have no gradient by another one.
	First func(*call) value
	// Backward returns the gradient of each input, nil if the input has none or it is not needed.
	Backward func(*call) []value
	// Broadcasts says that inputs broadcast to the output's shape, and that Backward returns gradients of that shape. The engine
	// then sums them to the inputs' shapes.
	Broadcasts bool
	// AllOutputs says that the rule reads the gradients of all outputs, not only that of the first.
	AllOutputs bool
	// Zero says that the operator has no derivative, or that it is zero wherever it exists.
	Zero bool
	// Constants lists inputs that must be constant, such as axes.
	Constants []int
	// Only returns why a node with these attributes and inputs cannot be differentiated, and what to do about it; "" if it can.
	Only func(*call) string
}

// exists reports whether r is a row of the table, not the zero value.
func (r rule) exists() bool { return r.First != nil || r.Backward != nil || r.Zero }

// backward returns the gradients of a node's inputs. It fails if the rule returns gradients that do not fit the inputs.
func (r rule) backward(c *call) ([]value, error) {
	terms := []value{}
	if r.First != nil {
		terms = append(terms, r.First(c))
	} else {
		terms = r.Backward(c)
	}
	inputs := c.Node.Inputs()
	for i, d := range terms {
		if d == nil {
			continue
		}
		if i >= len(inputs) || inputs[i] == nil {
			return nil, fmt.Errorf("differentiating node %s: the gradient rule of %s returns a gradient for input %d, which is absent: this is a fault of the rule", c.Node, c.Node.OpType(), i)
		}
		want := c.shape(inputs[i])
		if r.Broadcasts {
			want = c.shape(c.y())
		}
		if got, known := d.StaticShape(); known && !slices.Equal(got, want) {
			return nil, fmt.Errorf("differentiating node %s: the gradient rule of %s returns the shape %v for input %d, which needs %v: this is a fault of the rule", c.Node, c.Node.OpType(), got, i, want)
		}
	}
	return terms, nil
}

// faults returns the reasons why a node cannot be differentiated. needed holds the values that lead to the loss.
func (r rule) faults(c *call, needed map[value]bool) []string {
	var faults []string
	for _, i := range r.Constants {
		if v := c.in(i); v != nil && v.Constant() == nil {
			faults = append(faults, fmt.Sprintf("input %d, %q, is computed: export the model with a constant there", i, v.Name()))
		}
	}
	for i, v := range c.Node.Inputs() {
		if i > 0 && r.First != nil && v != nil && c.needs(i) && v.DType().IsFloat() {
			faults = append(faults, fmt.Sprintf("there is no gradient by input %d, %q, which depends on what trains", i, v.Name()))
		}
	}
	for i, v := range c.Node.Outputs() {
		if i > 0 && !r.AllOutputs && v != nil && needed[v] && v.DType().IsFloat() {
			faults = append(faults, fmt.Sprintf("output %d, %q, has no gradient, and the loss depends on it", i, v.Name()))
		}
	}
	if r.Only != nil {
		if reason := r.Only(c); reason != "" {
			faults = append(faults, reason)
		}
	}
	return faults
}

// rules has a rule for every operator of ONNX's own domain that can be differentiated. The rules are for the operators of opset
// 18 and newer.
var rules = map[string]rule{
	// arithmetic
	"Add":        {Backward: addRule, Broadcasts: true},
	"Sub":        {Backward: subRule, Broadcasts: true},
	"Mul":        {Backward: mulRule, Broadcasts: true},
	"Div":        {Backward: divRule, Broadcasts: true},
	"Pow":        {Backward: powRule, Broadcasts: true},
	"Max":        {Backward: extremumRule, Broadcasts: true},
	"Min":        {Backward: extremumRule, Broadcasts: true},
	"Sum":        {Backward: sumRule, Broadcasts: true},
	"Mean":       {Backward: meanRule, Broadcasts: true},
	"Where":      {Backward: whereRule, Broadcasts: true},
	"Neg":        {First: func(c *call) value { return c.neg(c.dy()) }},
	"Abs":        {First: slope(func(c *call) value { return c.unary("Sign", c.x()) })},
	"Sqrt":       {First: func(c *call) value { return c.div(c.scale(c.dy(), 0.5), c.y()) }},
	"Exp":        {First: slope((*call).y)},
	"Log":        {First: func(c *call) value { return c.div(c.dy(), c.x()) }},
	"Sin":        {First: slope(func(c *call) value { return c.unary("Cos", c.x()) })},
	"Cos":        {First: slope(func(c *call) value { return c.neg(c.unary("Sin", c.x())) })},
	"Erf":        {First: slope(erfSlope)},
	"Reciprocal": {First: slope(func(c *call) value { return c.neg(c.square(c.y())) })},

	// activations
	"Relu":            {First: reluRule},
	"LeakyRelu":       {First: slope(leakyReluSlope)},
	"PRelu":           {Backward: pReluRule, Broadcasts: true},
	"ThresholdedRelu": {First: thresholdedReluRule},
	"Clip":            {First: clipRule},
	"Elu":             {First: slope(eluSlope)},
	"Selu":            {First: slope(seluSlope)},
	"Celu":            {First: slope(celuSlope)},
	"Gelu":            {First: slope(geluSlope)},
	"Mish":            {First: slope(mishSlope)},
	"Sigmoid":         {First: slope(sigmoidSlope)},
	"HardSigmoid":     {First: slope(hardSigmoidSlope)},
	"HardSwish":       {First: slope(hardSwishSlope)},
	"Tanh":            {First: slope(tanhSlope)},
	"Softplus":        {First: slope(func(c *call) value { return c.unary("Sigmoid", c.x()) })},
	"Softsign":        {First: slope(softsignSlope)},
	"Softmax":         {First: softmaxRule},
	"LogSoftmax":      {First: logSoftmaxRule},

	// linear maps
	"Conv":          {Backward: convRule},
	"ConvTranspose": {Backward: convTransposeRule},
	"Gemm":          {Backward: gemmRule},
	"MatMul":        {Backward: matMulRule},
	"Einsum":        {Backward: einsumRule, Only: einsumOnly},
	"Resize":        {First: resizeRule, Constants: []int{1, 2, 3}, Only: resizeOnly},

	// normalization
	"BatchNormalization":        {Backward: batchNormRule, Only: batchNormOnly},
	"LayerNormalization":        {Backward: layerNormRule},
	"InstanceNormalization":     {Backward: groupNormRule},
	"GroupNormalization":        {Backward: groupNormRule},
	"MeanVarianceNormalization": {First: meanVarianceRule},
	"LRN":                       {First: lrnRule},
	"LpNormalization":           {First: lpNormRule},

	// pooling
	"MaxPool":           {First: maxPoolRule, Only: maxPoolOnly},
	"AveragePool":       {First: averagePoolRule, Only: poolOnly},
	"LpPool":            {First: lpPoolRule, Only: poolOnly},
	"GlobalAveragePool": {First: globalAveragePoolRule},
	"GlobalMaxPool":     {First: globalMaxPoolRule},

	// shape
	"Identity":     {First: (*call).dy},
	"Dropout":      {First: (*call).dy, Only: dropoutOnly},
	"Cast":         {First: castRule},
	"Flatten":      {First: reshapeRule},
	"Reshape":      {First: reshapeRule},
	"Squeeze":      {First: reshapeRule},
	"Unsqueeze":    {First: reshapeRule},
	"Transpose":    {First: transposeRule},
	"DepthToSpace": {First: depthToSpaceRule},
	"SpaceToDepth": {First: spaceToDepthRule},
	"Expand":       {First: expandRule},
	"Tile":         {First: tileRule, Constants: []int{1}},
	"Concat":       {Backward: concatRule},
	"Split":        {First: splitRule, AllOutputs: true},
	"Slice":        {First: sliceRule, Constants: []int{1, 2, 3, 4}},
	"Pad":          {First: padRule, Constants: []int{1, 3}},

	// elements by index
	"Gather":          {First: gatherRule},
	"GatherElements":  {First: gatherElementsRule},
	"GatherND":        {First: gatherNDRule, Only: gatherNDOnly},
	"ScatterElements": {Backward: scatterElementsRule, Only: scatterOnly},
	"ScatterND":       {Backward: scatterNDRule, Only: scatterOnly},
	"TopK":            {First: topKRule},

	// reductions
	"ReduceSum":       {First: reduction(reduceSumRule), Constants: []int{1}},
	"ReduceMean":      {First: reduction(reduceMeanRule), Constants: []int{1}},
	"ReduceMax":       {First: reduction(reduceExtremumRule), Constants: []int{1}},
	"ReduceMin":       {First: reduction(reduceExtremumRule), Constants: []int{1}},
	"ReduceL1":        {First: reduction(reduceL1Rule), Constants: []int{1}},
	"ReduceL2":        {First: reduction(reduceL2Rule), Constants: []int{1}},
	"ReduceSumSquare": {First: reduction(reduceSumSquareRule), Constants: []int{1}},
	"ReduceLogSum":    {First: reduction(reduceLogSumRule), Constants: []int{1}},
	"ReduceLogSumExp": {First: reduction(reduceLogSumExpRule), Constants: []int{1}},

	// no derivative
	"Shape": {Zero: true}, "Size": {Zero: true}, "Constant": {Zero: true}, "ConstantOfShape": {Zero: true},
	"Equal": {Zero: true}, "Greater": {Zero: true}, "GreaterOrEqual": {Zero: true}, "Less": {Zero: true},
	"LessOrEqual": {Zero: true}, "Not": {Zero: true}, "And": {Zero: true}, "Or": {Zero: true}, "Xor": {Zero: true},
	"IsNaN": {Zero: true}, "IsInf": {Zero: true}, "NonZero": {Zero: true},
	"Sign": {Zero: true}, "Floor": {Zero: true}, "Ceil": {Zero: true}, "Round": {Zero: true},
	"ArgMax": {Zero: true}, "ArgMin": {Zero: true}, "Hardmax": {Zero: true}, "OneHot": {Zero: true}, "Range": {Zero: true},
}
