package opset

import (
	"errors"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// upsampleScales brings Upsample to version 7, which has one list with the scales of all dimensions.
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

// resizeCoordinates brings Resize to version 11, which says how to map an output position to an input position. Version 10
// divided the position by the scale. It then rounded down in dimensions that it enlarged, and up in dimensions that it reduced
// (ONNX Runtime does so; the standard left it open). The newer form rounds in the same direction in all dimensions. For a node
// that enlarges some dimensions and reduces others, a second node does the reduction.
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

// scaleBy sets the scales of a Resize of version 11 that divides positions by them.
func scaleBy(n *onnxgraph.Node, scales *onnxgraph.Value, rounding ...onnxgraph.Attribute) {
	n.SetAttr(append(rounding, onnxgraph.Str("coordinate_transformation_mode", "asymmetric"))...)
	n.SetInput(2, scales)
	setVector(n, 1, "roi", []float32{})
}

// separateScales returns two lists of scales: enlarging has 1 for the dimensions that are reduced, and reducing has 1 for those
// that are enlarged. If one list is known to be all 1, it is nil; if both are, only reducing is nil.
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

// halfPixelRounding says how to round in mode half_pixel to get the same position as in mode tf_half_pixel_for_nn, whose
// coordinates are larger by 1/2.
var halfPixelRounding = map[string]string{
	"floor":              "round_prefer_ceil",
	"round_prefer_floor": "ceil",
}

// resizeTensorFlowHalfPixel brings Resize to version 13, which no longer has the mode tf_half_pixel_for_nn.
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
