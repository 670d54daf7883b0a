package opset

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// upsampleScales brings Upsample to version 7, where one list holds the scales of all dimensions.
func upsampleScales(n *onnxgraph.Node, _ types) error {
	if n.Has("height_scale") && n.Has("width_scale") {
		n.SetAttr(onnxgraph.Floats("scales", 1, 1, n.Float("height_scale", 1), n.Float("width_scale", 1)))
		n.RemoveAttr("height_scale", "width_scale")
	}
	if n.Str("mode", "") == "bilinear" {
		n.SetAttr(onnxgraph.Str("mode", "linear"))
	}
	return nil
}

// resizeCoordinates brings Resize to version 11, which states how an output position becomes an input
// position. Version 10 divided by the scale and took the position below when it enlarged, the one above
// when it reduced (as ONNX Runtime does; the standard left that open).
func resizeCoordinates(n *onnxgraph.Node, _ types) error {
	scales := n.Input(1)
	if n.Str("mode", "nearest") == "nearest" {
		mode, err := nearestMode(scales)
		if err != nil {
			return err
		}
		n.SetAttr(onnxgraph.Str("nearest_mode", mode))
	}
	n.SetAttr(onnxgraph.Str("coordinate_transformation_mode", "asymmetric"))
	n.SetInput(2, scales)
	setVector(n, 1, "roi", []float32{})
	return nil
}

func nearestMode(scales *onnxgraph.Value) (string, error) {
	t := scales.Constant()
	if t == nil {
		return "floor", nil // an upsampling, which is what scales computed from shapes are for
	}
	factors, err := t.Float64s()
	if err != nil {
		return "", err
	}
	enlarges := slices.ContainsFunc(factors, func(f float64) bool { return f > 1 })
	reduces := slices.ContainsFunc(factors, func(f float64) bool { return f < 1 })
	switch {
	case enlarges && reduces:
		return "", fmt.Errorf("scales %v enlarge one dimension and reduce another, which no nearest_mode rounds as before", factors)
	case reduces:
		return "ceil", nil
	}
	return "floor", nil
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
