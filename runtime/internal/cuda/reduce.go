package cuda

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// reduce changes a sum or mean over images and space, from [N, C, …] to one number per channel: it reduces space first. The
// provider has fast kernels for consecutive axes at either end. For other axes it uses cuDNN's general reduction, which takes
// three times as long.
func (a *lowering) reduce(n node) {
	x, y := n.Input(0), n.Output(0)
	shape, _ := x.StaticShape()
	if len(shape) < 3 {
		return
	}
	space := []int64{}
	for i := 2; i < len(shape); i++ {
		space = append(space, int64(i))
	}
	if !slices.Equal(axesOf(n), append([]int64{0}, space...)) {
		return
	}
	keep := onnxgraph.Int("keepdims", n.Int("keepdims", 1))
	perImage := a.Op(n.OpType(), []value{x, a.Ints(space...)}, keep)
	total, _ := y.StaticShape()
	between := slices.Clone(total)
	if len(total) == len(shape) {
		between[0] = shape[0]
	} else {
		between = append([]int64{shape[0]}, between...)
	}
	a.typed(perImage, x, between...)
	onnxgraph.ReplaceUses(y, a.typed(a.Op(n.OpType(), []value{perImage, a.Ints(0)}, keep), y, total...))
}

// axesOf returns the axes in the second input of a reduction (opset 13 or newer for ReduceSum, 18 or newer for others), nil if
// they are not constant.
func axesOf(n node) []int64 {
	v := n.Input(1)
	if v == nil || v.Constant() == nil {
		return nil
	}
	axes, _ := v.Constant().Int64s()
	return axes
}
