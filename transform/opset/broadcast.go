package opset

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// broadcast brings operators with two operands to version 7, which aligns shapes at their last dimensions. Older versions could
// align the second operand with the first at any axis. The rewrite appends dimensions of size 1 to the second operand.
func broadcast(n *onnxgraph.Node, t types) error {
	if n.Int("broadcast", 0) == 1 && n.Has("axis") {
		if err := alignSecond(n, t); err != nil {
			return err
		}
	}
	n.RemoveAttr("broadcast", "axis")
	return nil
}

func alignSecond(n *onnxgraph.Node, t types) error {
	first, second := t.of(n.Input(0)).rank, t.of(n.Input(1)).rank
	axis := int(n.Int("axis", 0))
	if second == 0 {
		return nil
	}
	if first < 0 || second < 0 {
		return fmt.Errorf("attribute axis=%d needs the ranks of the inputs, which are not known: run shape inference on the model first", axis)
	}
	if axis < 0 {
		axis += first
	}
	behind := first - axis - second
	if axis < 0 || behind < 0 {
		return fmt.Errorf("attribute axis=%d does not fit inputs of ranks %d and %d", n.Int("axis", 0), first, second)
	}
	unsqueezeBehind(n, 1, second, behind)
	return nil
}

// channelSlope brings PRelu to version 7, which aligns the slope with the last dimension of the input. In older versions, a
// vector held one slope for each channel, the second dimension.
func channelSlope(n *onnxgraph.Node, t types) error {
	slope := n.Input(1)
	if slope == nil {
		return errors.New("it has no slope")
	}
	if c := slope.Constant(); t.of(slope).rank == 0 || c != nil && c.Len() == 1 {
		return nil
	}
	input, rank := t.of(n.Input(0)).rank, t.of(slope).rank
	if input < 0 || rank < 0 {
		return errors.New("its slope for each channel needs the ranks of the inputs, which are not known: run shape inference on the model first")
	}
	if rank == 1 && input > 2 {
		unsqueezeBehind(n, 1, rank, input-2)
	}
	return nil
}

// unsqueezeBehind appends more dimensions of size 1 to input i of n, which has the given rank.
func unsqueezeBehind(n *onnxgraph.Node, i, rank, more int) {
	if more == 0 {
		return
	}
	axes := make([]int64, more)
	for k := range axes {
		axes[k] = int64(rank + k)
	}
	unsqueeze := n.Graph().AddNode("Unsqueeze", []*onnxgraph.Value{n.Input(i)}, onnxgraph.Ints("axes", axes...))
	n.SetInput(i, unsqueeze.Output(0))
}
