package opset

import (
	"errors"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// upsampleScales brings Upsample to version 7, where one list holds the scales of all dimensions.
func upsampleScales(n *onnxgraph.Node, _ types) error {
	if n.Has("height_scale") && n.Has("width_scale") {
		height, width := n.Float("height_scale", 1), n.Float("width_scale", 1)
		n.SetAttr(onnxgraph.Floats("scales", 1, 1, height, width))
		n.RemoveAttr("height_scale", "width_scale")
	}
	if n.Str("mode", "") == "bilinear" {
		n.SetAttr(onnxgraph.Str("mode", "linear"))
	}
	return nil
}

// resizeCoordinates brings Resize to version 11, which states how an output position becomes an input
// position. Version 10 divided by the scale and took, in each dimension, the position below where it enlarged,
// the one above where it reduced (as ONNX Runtime does; the standard left that open). The newer form rounds all
// dimensions in one way: where that is not enough, a second node reduces what the first has enlarged.
func resizeCoordinates(n *onnxgraph.Node, _ types) error {
	scales := n.Input(1)
	if scales == nil {
		return errors.New("it has no scales")
	}
	if n.Str("mode", "nearest") != "nearest" {
		scaleBy(n, scales)
		return nil
	}
	enlarging, reducing, err := separateScales(n.Graph(), scales)
	switch {
	case err != nil:
		return err
	case reducing == nil:
		scaleBy(n, scales, onnxgraph.Str("nearest_mode", "floor"))
	case enlarging == nil:
		scaleBy(n, scales, onnxgraph.Str("nearest_mode", "ceil"))
	default:
		second := n.Graph().AddNode("Resize", nil)
		n.SwapOutput(0, second, 0)
		second.SetInput(0, n.Output(0))
		scaleBy(n, enlarging, onnxgraph.Str("nearest_mode", "floor"))
		scaleBy(second, reducing, onnxgraph.Str("nearest_mode", "ceil"))
		onnxgraph.RemoveUnused(scales)
	}
	return nil
}

// scaleBy states the scales of a Resize of version 11 whose positions are divided by them.
func scaleBy(n *onnxgraph.Node, scales *onnxgraph.Value, rounding ...onnxgraph.Attribute) {
	n.SetAttr(append(rounding, onnxgraph.Str("coordinate_transformation_mode", "asymmetric"))...)
	n.SetInput(2, scales)
	setVector(n, 1, "roi", []float32{})
}

// separateScales returns the scales with 1 for the dimensions that are reduced, and those with 1 for the dimensions
// that are enlarged; nil for the second, or else the first, where it is known that all would be 1.
func separateScales(g *onnxgraph.Graph, scales *onnxgraph.Value) (enlarging, reducing *onnxgraph.Value, err error) {
	t := scales.Constant()
	if t == nil {
		one := g.AddConstant("one", onnxgraph.NewScalar(float32(1)))
		enlarging = g.AddNode("Max", []*onnxgraph.Value{scales, one}).Output(0)
		reducing = g.AddNode("Min", []*onnxgraph.Value{scales, one}).Output(0)
		return enlarging, reducing, nil
	}
	factors, err := t.Float32s()
	if err != nil {
		return nil, nil, err
	}
	up, down := make([]float32, len(factors)), make([]float32, len(factors))
	for i, f := range factors {
		up[i], down[i] = max(f, 1), min(f, 1)
	}
	switch {
	case slices.Equal(up, factors):
		return scales, nil, nil
	case slices.Equal(down, factors):
		return nil, scales, nil
	}
	enlarging = g.AddConstant(scales.Name(), onnxgraph.NewTensor(t.Dims(), up))
	reducing = g.AddConstant(scales.Name(), onnxgraph.NewTensor(t.Dims(), down))
	return enlarging, reducing, nil
}

// halfPixelRounding holds how to round in mode half_pixel, whose coordinates are 1/2 less than those of
// tf_half_pixel_for_nn, to come to the same position.
var halfPixelRounding = map[string]string{
	"floor":              "round_prefer_ceil",
	"round_prefer_floor": "ceil",
}

// resizeTensorFlowHalfPixel brings Resize to version 13, which abolished the mode tf_half_pixel_for_nn.
func resizeTensorFlowHalfPixel(n *onnxgraph.Node, _ types) error {
	if n.Str("coordinate_transformation_mode", "") != "tf_half_pixel_for_nn" {
		return nil
	}
	rounding, ok := halfPixelRounding[n.Str("nearest_mode", "round_prefer_floor")]
	if !ok || n.Str("mode", "nearest") != "nearest" {
		return errors.New("coordinate_transformation_mode=tf_half_pixel_for_nn was abolished, and no newer mode equals it with this mode and nearest_mode")
	}
	n.SetAttr(onnxgraph.Str("coordinate_transformation_mode", "half_pixel"), onnxgraph.Str("nearest_mode", rounding))
	return nil
}
