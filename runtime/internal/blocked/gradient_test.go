package blocked_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/internal/blocked"
	"github.com/rcfreeze/rcfreeze/runtime/lowering"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// gradientCase is a convolution of x with filters w.
type gradientCase struct {
	name   string
	x, w   []int64
	frozen bool // the filters are a constant
	attrs  []onnxgraph.Attribute
	takes  string // what computes its gradients with blocks of 8, as work has it
}

func (c gradientCase) build(n *net) (y value, wanted []value) {
	x, w := n.input("x", c.x...), n.input("w", c.w...)
	filters, wanted := w, []value{x, w}
	if c.frozen {
		filters, wanted = n.Graph.AddConstant("bank", n.data["w"]), []value{x}
	}
	return n.conv(x, filters, append(c.attrs, onnxgraph.Ints("kernel_shape", c.w[2:]...))...), wanted
}

// gradientCases are every form that a filter's gradient has, and every way in which an input's gradient falls into phases.
func gradientCases(b int64) []gradientCase {
	ints := onnxgraph.Ints
	return []gradientCase{
		{"3×3", []int64{3, b, 6, 5}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 Transpose, 4 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3, rows of whole blocks", []int64{2, 2 * b, 4, 2 * b}, []int64{b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 ReduceSum, 3 blocked Conv, 5 blocked ReorderInput, 4 blocked ReorderOutput"},
		{"3×3 of one block, rows of whole blocks", []int64{2, b, 4, 2 * b}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 ReduceSum, 3 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3, many channels for their size", []int64{3, 2 * b, 3, 2}, []int64{3 * b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 Transpose, 4 blocked Conv, 5 blocked ReorderInput, 4 blocked ReorderOutput"},
		{"3×3, rows of parts of a block", []int64{8, 2 * b, 4, b / 4}, []int64{b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 2 Transpose, 3 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3, groups of images", []int64{24, b, 2, b / 2}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 ReduceSum, 2 Transpose, 3 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3 of stride 2, rows of whole blocks", []int64{2, 2 * b, 4, 4 * b}, []int64{b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}, "2 Abs, 3 Concat, 1 Expand, 4 Gather, 1 Mul, 1 ReduceSum, 1 Transpose, 6 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3 of stride 2, groups of images", []int64{24, 2 * b, 4, b}, []int64{3 * b, 2 * b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}, "2 Abs, 3 Concat, 1 Expand, 4 Gather, 1 Mul, 1 ReduceSum, 2 Transpose, 6 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"2×3 of stride 3, not all rows and columns read", []int64{2, b, 11, 13}, []int64{b, b, 2, 3}, false, []onnxgraph.Attribute{ints("strides", 3, 4)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Mul, 1 Pad, 2 Transpose, 3 blocked Conv, 4 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"5×3", []int64{2, 2 * b, 7, 6}, []int64{b, 2 * b, 5, 3}, false, []onnxgraph.Attribute{ints("pads", 2, 1, 2, 1)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 Transpose, 4 blocked Conv, 5 blocked ReorderInput, 4 blocked ReorderOutput"},
		{"3×1", []int64{2, 2 * b, 7, 6}, []int64{b, 2 * b, 3, 1}, false, []onnxgraph.Attribute{ints("pads", 1, 0, 1, 0)}, "2 Abs, 1 Expand, 1 Gather, 1 Mul, 1 ReduceSum, 4 blocked Conv, 5 blocked ReorderInput, 4 blocked ReorderOutput"},
		{"1×7", []int64{2, 2 * b, 7, 6}, []int64{b, 2 * b, 1, 7}, false, []onnxgraph.Attribute{ints("pads", 0, 3, 0, 3)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 ReduceSum, 4 blocked Conv, 5 blocked ReorderInput, 4 blocked ReorderOutput"},
		{"padding wider than the kernel at one side", []int64{2, b, 4, 4}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 0, 0, 3, 19)}, "2 Abs, 1 Expand, 1 Gather, 1 Mul, 1 Pad, 1 ReduceSum, 1 Slice, 2 Transpose, 4 blocked Conv, 6 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"padding wider than the kernel at the other", []int64{2, b, 4, 4}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 3, 3, 0, 0)}, "2 Abs, 1 Expand, 1 Gather, 1 Mul, 1 Pad, 1 ReduceSum, 1 Slice, 2 Transpose, 4 blocked Conv, 6 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3 without padding", []int64{2, b, 6, 5}, []int64{b, b, 3, 3}, false, nil, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 ReduceSum, 4 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3, padded by all of the kernel but one", []int64{2, b, 6, 5}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 2, 2, 2, 2)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 ReduceSum, 4 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"a filter for each two channels", []int64{2, 2 * b, 6, 5}, []int64{b, 2, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("pads", 1, 1, 1, 1)}, "2 Abs, 2 Concat, 1 Conv, 1 Expand, 1 MatMul, 1 Mul, 3 Pad, 1 ReduceSum, 4 Slice, 2 Transpose"},
		{"frozen 3×3", []int64{2, b, 6, 5}, []int64{2 * b, b, 3, 3}, true, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "1 Abs, 1 Expand, 1 Gather, 1 Mul, 1 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"dilated 3×3", []int64{2, b, 8, 9}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{ints("dilations", 2, 3), ints("pads", 2, 3, 2, 3)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 ReduceSum, 4 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"frozen dilated 3×3", []int64{2, b, 8, 9}, []int64{2 * b, b, 3, 3}, true, []onnxgraph.Attribute{ints("dilations", 2, 1)}, "1 Abs, 1 Expand, 1 Gather, 1 Mul, 1 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"3×3 of stride 2", []int64{2, b, 6, 8}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}, "2 Abs, 3 Concat, 1 Expand, 4 Gather, 1 Mul, 2 Transpose, 6 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"frozen 3×3 of stride 2", []int64{2, b, 6, 8}, []int64{2 * b, b, 3, 3}, true, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}, "1 Abs, 3 Concat, 1 Expand, 4 Gather, 1 Mul, 4 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"3×3 of stride 2, odd size", []int64{2, b, 7, 5}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Mul, 1 Pad, 2 Transpose, 3 blocked Conv, 4 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"2×3 of stride 2 and 1", []int64{2, b, 6, 5}, []int64{b, b, 2, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 1), ints("pads", 0, 1, 0, 1)}, "2 Abs, 3 Concat, 1 Expand, 3 Gather, 1 Mul, 1 ReduceSum, 5 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"1×1", []int64{2, b, 6, 5}, []int64{3 * b, b, 1, 1}, false, nil, "2 Abs, 1 Expand, 1 Gather, 1 MatMul, 1 Mul, 1 ReduceSum, 1 Transpose, 1 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"1×1 of one block", []int64{2, b, 6, 5}, []int64{b, b, 1, 1}, false, nil, "2 Abs, 1 Expand, 1 Gather, 1 MatMul, 1 Mul, 1 ReduceSum, 1 Transpose, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"1×1 of one pixel", []int64{4, b, 1, 1}, []int64{3 * b, b, 1, 1}, false, nil, "2 Abs, 1 Expand, 1 Gather, 1 MatMul, 1 Mul, 3 Transpose, 1 blocked Conv"},
		{"1×1 of stride 2", []int64{2, b, 6, 4}, []int64{2 * b, b, 1, 1}, false, []onnxgraph.Attribute{ints("strides", 2, 2)}, "2 Abs, 3 Concat, 2 Expand, 1 Gather, 1 MatMul, 1 Mul, 1 ReduceSum, 1 Transpose, 2 blocked Conv, 2 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"1×1 of stride 2, padded to the size of the image", []int64{2, b, 4, 6}, []int64{2 * b, b, 1, 1}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 2, 3, 2, 3)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 MatMul, 1 Mul, 1 Pad, 1 ReduceSum, 1 Transpose, 1 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"5×5", []int64{2, b, 7, 6}, []int64{b, b, 5, 5}, false, []onnxgraph.Attribute{ints("pads", 2, 2, 2, 2)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 Transpose, 4 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3 of an image", []int64{2, 3, 6, 5}, []int64{2 * b, 3, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Conv, 1 Expand, 1 Mul, 1 ReduceSum, 2 Slice, 2 Transpose, 3 blocked Conv, 3 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"dilated 3×2 of stride 2 of an image", []int64{2, 3, 9, 8}, []int64{b, 3, 3, 2}, false, []onnxgraph.Attribute{ints("strides", 2, 1), ints("dilations", 1, 2), ints("pads", 1, 0, 1, 2)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Mul, 1 Pad, 1 ReduceSum, 1 Slice, 1 Transpose, 2 blocked Conv, 3 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"1×1 of few channels", []int64{2, 3, 6, 5}, []int64{b, 3, 1, 1}, false, nil, "2 Abs, 1 Conv, 1 Expand, 1 Mul, 1 ReduceSum, 1 Slice, 2 Transpose, 3 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"1×1 of few channels of one pixel", []int64{2, 3, 1, 1}, []int64{b, 3, 1, 1}, false, nil, "2 Abs, 1 Conv, 1 Expand, 1 Mul, 1 Slice, 4 Transpose, 3 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"3×3 of one place, of few channels", []int64{2, 3, 3, 3}, []int64{b, 3, 3, 3}, false, nil, "2 Abs, 1 Conv, 1 Expand, 1 Mul, 2 Slice, 4 Transpose, 3 blocked Conv, 2 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"7×7 of an image", []int64{2, 3, 9, 8}, []int64{b, 3, 7, 7}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 3, 3, 3, 3)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Mul, 1 Pad, 1 Slice, 3 Transpose, 2 blocked Conv, 3 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"padding wider than the kernel", []int64{2, b, 4, 4}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 3, 3, 3, 3)}, "2 Abs, 1 Expand, 1 Gather, 1 Mul, 1 Pad, 1 ReduceSum, 1 Slice, 2 Transpose, 3 blocked Conv, 6 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"grouped", []int64{2, 2 * b, 6, 5}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", 2), ints("pads", 1, 1, 1, 1)}, "2 Abs, 2 Concat, 1 Conv, 1 Expand, 1 MatMul, 1 Mul, 3 Pad, 1 ReduceSum, 4 Slice, 3 Transpose"},
		{"depthwise", []int64{2, b, 6, 5}, []int64{b, 1, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Expand, 1 Gather, 1 Mul, 1 ReduceSum, 2 blocked Conv, 3 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"frozen depthwise", []int64{2, b, 6, 5}, []int64{b, 1, 3, 3}, true, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("pads", 1, 1, 1, 1)}, "1 Abs, 1 Expand, 1 Gather, 1 Mul, 1 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"depthwise of stride 2", []int64{2, 2 * b, 6, 4}, []int64{2 * b, 1, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", 2*b), ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}, "2 Abs, 3 Concat, 1 Expand, 4 Gather, 1 Mul, 1 ReduceSum, 5 blocked Conv, 3 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"depthwise 5×5 of stride 2, dilated", []int64{2, b, 12, 14}, []int64{b, 1, 5, 5}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("strides", 2, 2), ints("dilations", 2, 2), ints("pads", 2, 2, 2, 2)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Mul, 1 Pad, 1 ReduceSum, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"depthwise 1×1 of stride 2", []int64{2, b, 6, 4}, []int64{b, 1, 1, 1}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("strides", 2, 2)}, "2 Abs, 3 Concat, 2 Expand, 1 Gather, 1 Mul, 1 ReduceSum, 1 Slice, 2 blocked Conv, 2 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"depthwise dilated 2×3, not all rows read", []int64{2, b, 13, 11}, []int64{b, 1, 2, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("strides", 4, 3), ints("dilations", 1, 2), ints("pads", 0, 1, 0, 2)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Mul, 1 Pad, 1 ReduceSum, 1 Slice, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"depthwise 1×1", []int64{3, 2 * b, 6, 5}, []int64{2 * b, 1, 1, 1}, false, []onnxgraph.Attribute{onnxgraph.Int("group", 2*b)}, "2 Abs, 1 Expand, 1 Gather, 1 Mul, 1 ReduceSum, 2 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"depthwise of one pixel", []int64{3, b, 1, 1}, []int64{b, 1, 1, 1}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b)}, "2 Abs, 1 Expand, 1 Gather, 1 Mul, 1 ReduceSum, 2 blocked Conv"},
		{"depthwise of two filters per channel", []int64{2, b, 6, 5}, []int64{2 * b, 1, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", b), ints("pads", 1, 1, 1, 1)}, "2 Abs, 2 Concat, 1 Conv, 1 Expand, 1 MatMul, 1 Mul, 3 Pad, 1 ReduceSum, 4 Slice, 2 Transpose"},
		{"3×3 with padding behind alone, rows of whole blocks", []int64{2, b, 6, 2 * b}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 0, 0, 2, 2)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 ReduceSum, 3 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3 of stride 2 without padding, rows of whole blocks", []int64{2, b, 5, 2*b + 1}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Mul, 1 ReduceSum, 1 Transpose, 2 blocked Conv, 4 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"3×3 of stride 2 and padding of TensorFlow", []int64{2, b, 6, 2 * b}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 0, 0, 1, 1)}, "2 Abs, 3 Concat, 1 Expand, 4 Gather, 1 Mul, 1 ReduceSum, 1 Transpose, 6 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"1×1 padded at one side, of stride 1", []int64{2, b, 5, 4}, []int64{2 * b, b, 1, 1}, false, []onnxgraph.Attribute{ints("pads", 0, 1, 0, 0)}, "2 Abs, 1 Expand, 1 Gather, 1 MatMul, 1 Mul, 1 Pad, 1 ReduceSum, 2 Transpose, 2 blocked Conv, 3 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"1×1 whose strides differ", []int64{2, b, 5, 4}, []int64{2 * b, b, 1, 1}, false, []onnxgraph.Attribute{ints("strides", 1, 2)}, "2 Abs, 2 Concat, 2 Expand, 1 Gather, 1 MatMul, 1 Mul, 1 ReduceSum, 1 Transpose, 2 blocked Conv, 2 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"padding that ONNX Runtime works out", []int64{2, b, 6, 5}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Str("auto_pad", "SAME_UPPER")}, "2 Abs, 2 Concat, 1 Expand, 1 Gather, 1 MatMul, 1 Mul, 3 Pad, 1 ReduceSum, 4 Slice, 3 Transpose, 1 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"3×3 of stride 2, parts of a block for three images", []int64{3, b, 4, b / 2}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("strides", 2, 2), ints("pads", 1, 1, 1, 1)}, "2 Abs, 3 Concat, 1 Expand, 4 Gather, 1 Mul, 1 ReduceSum, 1 Transpose, 7 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3, parts of a block for three images", []int64{3, b, 4, b / 4}, []int64{b, b, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 Transpose, 4 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"3×3 of an image, parts of a block for three", []int64{3, 3, 4, b / 4}, []int64{b, 3, 3, 3}, false, []onnxgraph.Attribute{ints("pads", 1, 1, 1, 1)}, "2 Abs, 1 Conv, 1 Expand, 1 Mul, 1 ReduceSum, 2 Slice, 2 Transpose, 3 blocked Conv, 3 blocked ReorderInput, 3 blocked ReorderOutput"},
		{"dilated 2×3 of stride 3, not all rows read", []int64{2, b, 13, 11}, []int64{b, b, 2, 3}, false, []onnxgraph.Attribute{ints("strides", 4, 3), ints("dilations", 1, 2)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Gather, 1 Mul, 1 Pad, 2 Transpose, 3 blocked Conv, 4 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"2×2 of stride 5, dilated in rows alone", []int64{2, b, 16, 11}, []int64{b, b, 2, 2}, false, []onnxgraph.Attribute{ints("strides", 5, 1), ints("dilations", 2, 1)}, "2 Abs, 1 ConvTranspose, 1 Expand, 1 Gather, 1 Mul, 1 Pad, 1 ReduceSum, 3 blocked Conv, 4 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"1×1 to one block", []int64{2, 2 * b, 6, 5}, []int64{b, 2 * b, 1, 1}, false, nil, "2 Abs, 1 Expand, 1 Gather, 1 MatMul, 1 Mul, 1 ReduceSum, 1 Transpose, 1 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"1×1 of few pixels", []int64{4, b, 2, 2}, []int64{3 * b, b, 1, 1}, false, nil, "2 Abs, 1 Expand, 1 Gather, 1 MatMul, 1 Mul, 3 Transpose, 1 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"3×3 that names what is the default", []int64{2, b, 6, 5}, []int64{2 * b, b, 3, 3}, false, []onnxgraph.Attribute{onnxgraph.Int("group", 1), ints("strides", 1, 1), ints("dilations", 1, 1), ints("pads", 0, 0, 0, 0)}, "2 Abs, 1 Expand, 2 Gather, 1 Mul, 1 Transpose, 4 blocked Conv, 5 blocked ReorderInput, 3 blocked ReorderOutput"},
	}
}

// TestConvolutionGradients compares gradients of convolutions before and after they are lowered.
func TestConvolutionGradients(t *testing.T) {
	orttest.Init(t)
	b, err := lowering.BlockSize()
	if err != nil {
		t.Fatal(err)
	}
	if b == 0 {
		t.Skip("this processor has no blocked operators")
	}
	for _, c := range gradientCases(b) {
		t.Run(c.name, func(t *testing.T) { lowered(t, c.build) })
	}
}

// TestGradientsOfShortcuts compares the gradient by what two convolutions of a stride read, which is put together once.
func TestGradientsOfShortcuts(t *testing.T) {
	orttest.Init(t)
	b, err := lowering.BlockSize()
	if err != nil {
		t.Fatal(err)
	}
	if b == 0 {
		t.Skip("this processor has no blocked operators")
	}
	for _, c := range shortcutCases(b) {
		t.Run(c.name, func(t *testing.T) { lowered(t, c.build) })
	}
}

// TestWhatIsMadeOfGradients combines gradients of two convolutions of a stride in other ways than a sum, and with others.
func TestWhatIsMadeOfGradients(t *testing.T) {
	orttest.Init(t)
	b, err := lowering.BlockSize()
	if err != nil {
		t.Fatal(err)
	}
	if b == 0 {
		t.Skip("this processor has no blocked operators")
	}
	for _, operator := range []string{"Add", "Sub", "Mul"} {
		for _, columns := range []int64{8, 16} { // of the second: where it is wider, only its first half takes part
			m, data, convolutions := differentiated(t, func(n *net) (value, []value) {
				var images, sums []value
				for i, width := range []int64{8, columns} {
					x, w := n.input(fmt.Sprint("x", i), 2, b, 6, width), n.input(fmt.Sprint("w", i), b, b, 3, 3)
					y := n.conv(x, w, onnxgraph.Ints("strides", 2, 2), onnxgraph.Ints("pads", 1, 1, 1, 1), onnxgraph.Ints("kernel_shape", 3, 3))
					y.SetType(onnxgraph.Float32, onnxgraph.Static(2, b, 3, width/2))
					mean := n.op("ReduceMean", keep(1), n.op("Mul", nil, y, y), n.Ints(2, 3))
					mean.Producer().Input(0).SetType(onnxgraph.Float32, onnxgraph.Static(2, b, 3, width/2))
					mean.SetType(onnxgraph.Float32, onnxgraph.Static(2, b, 1, 1))
					images, sums = append(images, x), append(sums, mean)
				}
				return n.op("Add", nil, sums...), images
			})
			n := &net{Builder: onnxgraph.NewBuilder(m.Graph)}
			first, second := m.Graph.Outputs()[0].Producer().Input(0), m.Graph.Outputs()[1].Producer().Input(0)
			if columns > 8 {
				second = n.op("Slice", nil, second, n.Ints(0), n.Ints(8), n.Ints(3))
			}
			m.Graph.RemoveOutputs()
			m.Graph.AddOutput(n.op("Abs", nil, n.op(operator, nil, first, second)), onnxgraph.Float32, nil)
			want := run(t, m, data)
			if _, err := lowering.Lower(m, convolutions, ort.Options{IntraOpThreads: 1}); err != nil {
				t.Fatal(err)
			}
			for name, got := range run(t, m, data) {
				near(t, got, want[name])
			}
			if t.Failed() {
				t.Fatalf("%s, %d columns", operator, columns)
			}
		}
	}
}

// shortcutCase is two convolutions that read x, of square filters. Where their strides differ, means over space are added.
type shortcutCase struct {
	name            string
	block           int64 // as many channels
	kernel, strides [2]int64
	takes           string // what computes its gradient by x with blocks of 8, as work has it
}

func shortcutCases(b int64) []shortcutCase {
	return []shortcutCase{
		{"3×3 and 1×1", b, [2]int64{3, 1}, [2]int64{2, 2}, "1 Abs, 1 Add, 3 Concat, 1 Expand, 5 Gather, 1 Mul, 5 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"1×1 and 3×3", b, [2]int64{1, 3}, [2]int64{2, 2}, "1 Abs, 1 Add, 3 Concat, 1 Expand, 5 Gather, 1 Mul, 5 blocked Conv, 2 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"both 1×1", b, [2]int64{1, 1}, [2]int64{2, 2}, "1 Abs, 1 Add, 3 Concat, 2 Expand, 2 Gather, 1 Mul, 2 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"both 3×3", b, [2]int64{3, 3}, [2]int64{2, 2}, "1 Abs, 4 Add, 3 Concat, 1 Expand, 8 Gather, 1 Mul, 8 blocked Conv, 3 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"strides 2 and 4", b, [2]int64{3, 3}, [2]int64{2, 4}, "1 Abs, 1 Add, 3 Concat, 1 ConvTranspose, 3 Expand, 4 Gather, 3 Mul, 1 Pad, 4 blocked Conv, 2 blocked ReorderInput, 2 blocked ReorderOutput"},
		{"strides 4 and 2", b, [2]int64{1, 3}, [2]int64{4, 2}, "1 Abs, 1 Add, 6 Concat, 4 Expand, 5 Gather, 3 Mul, 5 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
		{"strides 1 and 2", b, [2]int64{3, 1}, [2]int64{1, 2}, "1 Abs, 1 Add, 3 Concat, 4 Expand, 2 Gather, 3 Mul, 2 blocked Conv, 1 blocked ReorderInput, 1 blocked ReorderOutput"},
	}
}

func (c shortcutCase) build(n *net) (y value, wanted []value) {
	b := c.block
	x := n.input("x", 2, b, 8, 12)
	var branches []value
	for i, k := range c.kernel {
		s := c.strides[i]
		w := n.input(fmt.Sprint("w", i), 2*b, b, k, k)
		y := n.conv(x, w, onnxgraph.Ints("kernel_shape", k, k), onnxgraph.Ints("pads", k/2, k/2, k/2, k/2), onnxgraph.Ints("strides", s, s))
		y.SetType(onnxgraph.Float32, onnxgraph.Static(2, 2*b, 8/s, 12/s))
		if c.strides[0] != c.strides[1] {
			y = n.op("ReduceMean", keep(1), y, n.Ints(2, 3))
			y.SetType(onnxgraph.Float32, onnxgraph.Static(2, 2*b, 1, 1))
		}
		branches = append(branches, y)
	}
	return n.op("Add", nil, branches...), []value{x}
}

// lowered compares the gradients of a net's output by the wanted values before and after they are lowered.
func lowered(t *testing.T, build func(n *net) (y value, wanted []value)) {
	t.Helper()
	m, data, convolutions := differentiated(t, build)
	want := run(t, m, data)
	if _, err := lowering.Lower(m, convolutions, ort.Options{IntraOpThreads: 1}); err != nil {
		t.Fatal(err)
	}
	sameShapes(t, m, data)
	got := run(t, m, data)
	for name := range want {
		near(t, got[name], want[name])
	}
}

// differentiated makes a model of the gradients of a net's output by the wanted values.
func differentiated(t *testing.T, build func(n *net) (y value, wanted []value)) (*onnxgraph.Model, map[string]*onnxgraph.Tensor, []gradient.Convolution) {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	n := &net{onnxgraph.NewBuilder(m.Graph), rand.New(rand.NewPCG(1, 2)), map[string]*onnxgraph.Tensor{}}
	y, wanted := build(n)
	m.Graph.AddOutput(y, onnxgraph.Float32, nil)
	y.SetType(onnxgraph.Float32, onnxgraph.Static(run(t, m, n.data)[y.Name()].Dims()...))
	convolutions := differentiate(t, n, y, wanted)
	return m, n.data, convolutions
}

// TestGradientForms checks what the gradients take, in blocks of 8 as on a machine with AVX2: a fast form that is not taken shows
// here, since it changes no numbers.
func TestGradientForms(t *testing.T) {
	orttest.Init(t)
	for _, c := range gradientCases(8) {
		t.Run(c.name, func(t *testing.T) { takes(t, c.build, c.takes) })
	}
	for _, c := range shortcutCases(8) {
		t.Run(c.name, func(t *testing.T) { takes(t, c.build, c.takes) })
	}
}

// takes checks what computes the gradients of a net with blocks of 8.
func takes(t *testing.T, build func(n *net) (y value, wanted []value), want string) {
	t.Helper()
	m, data, convolutions := differentiated(t, build)
	declare(t, m, data)
	blocked.Lower(m, convolutions, 8)
	if got := work(m); got != want {
		t.Errorf("takes %q, want %q", got, want)
	}
	eachOnce(t, m)
}

// differentiate makes outputs of the gradients of Σ y·z, for some z of y's shape, by the wanted values.
func differentiate(t *testing.T, n *net, y value, wanted []value) []gradient.Convolution {
	t.Helper()
	shape, ok := y.StaticShape()
	if !ok {
		t.Fatal("the output has no shape")
	}
	product := n.op("Mul", nil, y, n.input("z", shape...))
	loss := n.op("ReduceSum", keep(0), product, n.Ints(0, 1, 2, 3))
	for v, s := range map[value][]int64{product: shape, loss: {}} {
		v.SetType(onnxgraph.Float32, onnxgraph.Static(s...))
	}
	gradients, err := gradient.Of(n.Builder, loss, wanted...)
	if err != nil {
		t.Fatal(err)
	}
	n.Graph.RemoveOutputs()
	for _, v := range wanted {
		n.Graph.AddOutput(n.op("Abs", nil, gradients.Of[v]), onnxgraph.Float32, nil)
	}
	return gradients.Convolutions
}
