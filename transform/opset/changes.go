package opset

import (
	"errors"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// rewrite changes one node, in place, from the form that its operator had just before a version to the form of that version. An
// error says what in the node has no newer form.
type rewrite func(*onnxgraph.Node, types) error

// operator is an operator of ONNX's own domain in one version.
type operator struct {
	opType  string
	version int64
}

// changes has a rewrite of every operator for every version in which its form changed.
var changes = byOperator([]change{
	{2, "GlobalLpPool LpPool", integerPower},
	{2, "Pad", renameAttr("paddings", "pads")},
	{2, "Split", splitInputToAttr},
	{3, "GRU", unknown},
	{4, "Concat", defaultAttr(onnxgraph.Int("axis", 1))},
	{5, "Reshape", all(removeAttrs("consumed_inputs"), intsToInput("shape", 1))},
	{6, "Abs Add BatchNormalization Ceil Clip Div Dropout Elu Exp Floor HardSigmoid InstanceNormalization LeakyRelu " +
		"Log Max Mean Min Mul Neg PRelu Reciprocal Relu Sigmoid Sqrt Sub Sum Tanh", removeAttrs("consumed_inputs")},
	{6, "Cast", castTypeToNumber},
	{6, "Selu", all(removeAttrs("consumed_inputs"), defaultAttr(onnxgraph.Float("alpha", 1.6732)), defaultAttr(onnxgraph.Float("gamma", 1.0507)))},
	{6, "Tile", unknown},
	{7, "Add And Div Equal Greater Less Mul Or Pow Sub Xor", broadcast},
	{7, "BatchNormalization", removeIsTest},
	{7, "Dropout", removeAttrs("is_test")},
	{7, "Gemm", removeAttrs("broadcast")},
	{7, "GRU LSTM RNN", removeAttrs("output_sequence")},
	{7, "PRelu", channelSlope},
	{7, "Upsample", upsampleScales},
	{9, "BatchNormalization", removeSpatial},
	{9, "MeanVarianceNormalization", unknown},
	{9, "Scan", unknown},
	{9, "Upsample", floatsToInput("scales", 1)},
	{10, "ATen Affine ConstantFill Crop DynamicSlice GRUUnit GivenTensorFill ImageScaler ParametricSoftplus Scale ScaledTanh", unknown},
	{10, "Dropout", booleanMask},
	{10, "Slice", all(intsToInput("starts", 1), intsToInput("ends", 2), intsToInput("axes", 3))},
	{10, "TopK", intToInput("k", 1)},
	{10, "Upsample", setOpType("Resize")},
	{11, "Clip", all(floatToInput("min", 1), floatToInput("max", 2))},
	{11, "Pad", all(intsToInput("pads", 1), padValue)},
	{11, "Resize", resizeCoordinates},
	{11, "Scatter", setOpType("ScatterElements")},
	{12, "Dropout", dropoutRatio},
	{13, "Hardmax LogSoftmax Softmax", softmaxAxis},
	{13, "ReduceSum Squeeze Unsqueeze", intsToInput("axes", 1)},
	{13, "Resize", resizeTensorFlowHalfPixel},
	{13, "Split", intsToInput("split", 1)},
	{14, "BatchNormalization", trainingMode},
	{16, "RoiAlign", defaultAttr(onnxgraph.Str("coordinate_transformation_mode", "output_half_pixel"))},
	{18, "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare", intsToInput("axes", 1)},
	{18, "Split", countOutputs},
})

// change is a row of the table: a version in which the forms of some operators changed in the same way.
type change struct {
	version int64
	opTypes string // separated by spaces
	rewrite rewrite
}

func byOperator(rows []change) map[operator]rewrite {
	table := map[operator]rewrite{}
	for _, row := range rows {
		for _, opType := range strings.Fields(row.opTypes) {
			table[operator{opType, row.version}] = row.rewrite
		}
	}
	return table
}

// unknown is for operators whose old form has no equivalent in the version, or that no CNN has needed so far. It always fails.
func unknown(*onnxgraph.Node, types) error {
	return errors.New("no newer form of it is known")
}
