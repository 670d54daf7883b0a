package opset

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// castTypes maps the type names that Cast used before version 6 to element types.
var castTypes = map[string]onnxgraph.DType{
	"FLOAT": onnxgraph.Float32, "DOUBLE": onnxgraph.Float64, "FLOAT16": onnxgraph.Float16,
	"INT8": onnxgraph.Int8, "INT16": onnxgraph.Int16, "INT32": onnxgraph.Int32, "INT64": onnxgraph.Int64,
	"UINT8": onnxgraph.Uint8, "UINT16": onnxgraph.Uint16, "UINT32": onnxgraph.Uint32, "UINT64": onnxgraph.Uint64,
	"BOOL": onnxgraph.Bool, "STRING": onnxgraph.String,
}

// castTypeToNumber brings Cast to version 6, which uses numbers for element types.
func castTypeToNumber(n *onnxgraph.Node, _ types) error {
	dtype, ok := castTypes[n.Str("to", "")]
	if !ok {
		return fmt.Errorf("attribute to=%q names no element type", n.Str("to", ""))
	}
	n.SetAttr(onnxgraph.Int("to", int64(dtype)))
	return nil
}

// integerPower brings LpPool and GlobalLpPool to version 2, where the power is an integer.
func integerPower(n *onnxgraph.Node, _ types) error {
	p := n.Float("p", 2)
	if p != float32(int64(p)) {
		return fmt.Errorf("attribute p=%v must be an integer", p)
	}
	n.SetAttr(onnxgraph.Int("p", int64(p)))
	return nil
}

// splitInputToAttr brings Split to version 2, where unequal sizes are an attribute; in version 1 they could also be an input.
func splitInputToAttr(n *onnxgraph.Node, _ types) error {
	input := n.Input(1)
	if input == nil {
		return nil
	}
	sizes := input.Constant()
	if sizes == nil {
		return errors.New("its sizes are computed, but must be constant")
	}
	numbers, err := sizes.Float64s() // they have the element type of the data
	if err != nil {
		return err
	}
	v := make([]int64, len(numbers))
	for i, size := range numbers {
		v[i] = int64(size)
	}
	n.SetAttr(onnxgraph.Ints("split", v...))
	n.SetInput(1, nil)
	onnxgraph.RemoveUnused(input)
	return nil
}

// countOutputs brings Split to version 18, where an attribute must give the number of equal parts.
func countOutputs(n *onnxgraph.Node, _ types) error {
	if n.Input(1) == nil {
		n.SetAttr(onnxgraph.Int("num_outputs", int64(len(n.Outputs()))))
	}
	return nil
}

// padValue brings Pad's value to version 11, where it is an input that is 0 if absent.
func padValue(n *onnxgraph.Node, t types) error {
	if n.Float("value", 0) == 0 || n.Str("mode", "constant") != "constant" {
		n.RemoveAttr("value")
		return nil
	}
	return floatToInput("value", 2)(n, t)
}
