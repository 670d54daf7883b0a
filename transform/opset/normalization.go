package opset

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// removeIsTest brings BatchNormalization to version 7, where a node with one output uses the stored statistics. An older node
// with one output does so even without is_test=1.
func removeIsTest(n *onnxgraph.Node, _ types) error {
	if n.Int("is_test", 0) == 1 {
		if err := removeOutputs(n, 1); err != nil {
			return fmt.Errorf("it works in test mode: %w", err)
		}
	}
	n.RemoveAttr("is_test")
	return nil
}

// removeSpatial brings BatchNormalization to version 9, which only has statistics per channel.
func removeSpatial(n *onnxgraph.Node, _ types) error {
	if n.Int("spatial", 1) == 0 {
		return errors.New("spatial=0 (statistics for each activation instead of each channel) was abolished")
	}
	n.RemoveAttr("spatial")
	return nil
}

// trainingMode brings BatchNormalization to version 14. In older versions, a node with several outputs was in training mode. The
// new version has no outputs 4 and 5, which were for a backward pass.
func trainingMode(n *onnxgraph.Node, _ types) error {
	if len(n.Outputs()) == 1 {
		return nil
	}
	if err := removeOutputs(n, 3); err != nil {
		return err
	}
	n.SetAttr(onnxgraph.Int("training_mode", 1))
	return nil
}

// removeOutputs removes output number first of n, and all later ones.
func removeOutputs(n *onnxgraph.Node, first int) error {
	for i := len(n.Outputs()) - 1; i >= first; i-- {
		if v := n.Output(i); v != nil && v.IsUsed() {
			return fmt.Errorf("output %d (%q) is used, and was abolished", i, v.Name())
		}
		n.RemoveOutput(i)
	}
	return nil
}

// booleanMask brings Dropout to version 10, where the mask is boolean and no longer consists of numbers.
func booleanMask(n *onnxgraph.Node, t types) error {
	mask := n.Output(1)
	if mask == nil {
		return nil
	}
	if !mask.IsUsed() {
		n.RemoveOutput(1)
		return nil
	}
	dtype := t.of(n.Input(0)).dtype
	if dtype == onnxgraph.Undefined {
		return errors.New("its mask is used, whose element type (that of input 0) is not known: declare it by shape inference")
	}
	cast := n.Graph().AddNode("Cast", nil, onnxgraph.Int("to", int64(dtype)))
	n.SwapOutput(1, cast, 0)
	cast.SetInput(0, n.Output(1))
	return nil
}

// dropoutRatio brings Dropout to version 12. The ratio matters only in training mode, which the optional input 2 would turn on.
func dropoutRatio(n *onnxgraph.Node, _ types) error {
	if n.Has("ratio") {
		setConstant(n, 1, "ratio", onnxgraph.NewScalar(n.Float("ratio", 0)))
		n.RemoveAttr("ratio")
	}
	return nil
}
