package gradient

import (
	"fmt"
)

// Rule says how the gradients of an operator's inputs follow from those of its outputs.
type Rule struct {
	// Backward returns the gradient of each input, nil where there is none or it is not needed.
	Backward func(*Call) []value
	// Broadcasts says that inputs broadcast to the output's shape, and that Backward returns gradients of
	// that shape, which the engine then sums to the inputs' shapes.
	Broadcasts bool
	// Zero says that the operator has no derivative, or derivative zero wherever it has one.
	Zero bool
	// Constants are inputs whose values must be known, such as axes.
	Constants []int
	// Only returns what stands against differentiating a node in the form that it has, "" if nothing.
	Only func(*Call) string
}

// check returns an error if a node cannot be differentiated as it is.
func (r Rule) check(c *Call) error {
	for _, i := range r.Constants {
		if v := c.in(i); v != nil && v.Constant() == nil {
			return fmt.Errorf("input %d, %q, must be a constant", i, v.Name())
		}
	}
	if r.Only != nil {
		if reason := r.Only(c); reason != "" {
			return fmt.Errorf("%s", reason)
		}
	}
	return nil
}

// Rules has the rule of every operator of ONNX's own domain that can be differentiated, in the form that
// the operator has from version 18 of the operator set on.
var Rules = map[string]Rule{
	// arithmetic
	"Add":        {Backward: addRule, Broadcasts: true},
	"Sub":        {Backward: subRule, Broadcasts: true},
	"Mul":        {Backward: mulRule, Broadcasts: true},
	"Div":        {Backward: divRule, Broadcasts: true},
	"Pow":        {Backward: powRule, Broadcasts: true},
	"Max":        {Backward: extremumRule, Broadcasts: true},
	"Min":        {Backward: extremumRule, Broadcasts: true},
	"Sum":        {Backward: sumRule, Broadcasts: true},
	"Neg":        {Backward: unary(func(c *Call) value { return c.neg(c.dy()) })},
	"Abs":        {Backward: unary(func(c *Call) value { return c.mul(c.dy(), c.op("Sign", []value{c.x()})) })},
	"Sqrt":       {Backward: unary(func(c *Call) value { return c.div(c.scale(c.dy(), 0.5), c.y()) })},
	"Exp":        {Backward: unary(func(c *Call) value { return c.mul(c.dy(), c.y()) })},
	"Log":        {Backward: unary(func(c *Call) value { return c.div(c.dy(), c.x()) })},
	"Reciprocal": {Backward: unary(func(c *Call) value { return c.neg(c.mul(c.dy(), c.mul(c.y(), c.y()))) })},

	// activations
	"Relu":       {Backward: unary(reluRule)},
	"LeakyRelu":  {Backward: unary(leakyReluRule)},
	"Clip":       {Backward: unary(clipRule)},
	"Sigmoid":    {Backward: unary(func(c *Call) value { return c.mul(c.dy(), c.mul(c.y(), c.sub(c.num(1), c.y()))) })},
	"Tanh":       {Backward: unary(func(c *Call) value { return c.mul(c.dy(), c.sub(c.num(1), c.mul(c.y(), c.y()))) })},
	"Softmax":    {Backward: unary(softmaxRule)},
	"LogSoftmax": {Backward: unary(logSoftmaxRule)},

	// linear maps
	"Conv":   {Backward: convRule, Only: convOnly},
	"Gemm":   {Backward: gemmRule},
	"MatMul": {Backward: matMulRule},

	// normalization
	"BatchNormalization": {Backward: batchNormRule},

	// pooling
	"MaxPool":           {Backward: unary(maxPoolRule)},
	"AveragePool":       {Backward: unary(averagePoolRule)},
	"GlobalAveragePool": {Backward: unary(globalAveragePoolRule)},
	"GlobalMaxPool":     {Backward: unary(globalMaxPoolRule)},

	// shape
	"Identity":  {Backward: unary((*Call).dy)},
	"Dropout":   {Backward: unary((*Call).dy), Only: dropoutOnly},
	"Cast":      {Backward: unary(castRule)},
	"Flatten":   {Backward: unary(reshapeRule)},
	"Reshape":   {Backward: unary(reshapeRule)},
	"Squeeze":   {Backward: unary(reshapeRule)},
	"Unsqueeze": {Backward: unary(reshapeRule)},
	"Transpose": {Backward: unary(transposeRule)},
	"Expand":    {Backward: unary(expandRule)},
	"Concat":    {Backward: concatRule},
	"Split":     {Backward: unary(splitRule)},
	"Slice":     {Backward: unary(sliceRule), Constants: []int{1, 2, 3, 4}},
	"Gather":    {Backward: unary(gatherRule)},
	"Pad":       {Backward: unary(padRule), Constants: []int{1, 3}, Only: padOnly},

	// reductions
	"ReduceSum":  {Backward: unary(reduceSumRule), Constants: []int{1}},
	"ReduceMean": {Backward: unary(reduceMeanRule), Constants: []int{1}},

	// no derivative
	"Shape": {Zero: true}, "Size": {Zero: true}, "Constant": {Zero: true}, "ConstantOfShape": {Zero: true},
	"Equal": {Zero: true}, "Greater": {Zero: true}, "GreaterOrEqual": {Zero: true}, "Less": {Zero: true},
	"LessOrEqual": {Zero: true}, "Not": {Zero: true}, "And": {Zero: true}, "Or": {Zero: true},
	"Sign": {Zero: true}, "Floor": {Zero: true}, "Ceil": {Zero: true}, "Round": {Zero: true},
	"ArgMax": {Zero: true}, "ArgMin": {Zero: true}, "OneHot": {Zero: true}, "Range": {Zero: true},
}

// unary makes a rule of a function that returns the gradient of the first input, the only one that has one.
func unary(f func(*Call) value) func(*Call) []value {
	return func(c *Call) []value { return []value{f(c)} }
}
