package gradient

import (
	"fmt"
	"math"
	"slices"
)

// resizeRule: Resize is linear, axis by axis: out = M·in, so din = Mᵀ·dout. If the shape stays the same, ONNX Runtime copies the
// elements even if a scale is not 1, such as 1.1 for 4 elements.
func resizeRule(c *call) value {
	if slices.Equal(c.shape(c.x()), c.shape(c.y())) {
		return c.dy()
	}
	d, shape := c.dy(), slices.Clone(c.shape(c.y()))
	for axis, scale := range c.resizeScales() {
		in := c.shape(c.x())[axis]
		d = c.along(d, shape, int64(axis), c.resizeMatrix(in, shape[axis], scale))
		shape[axis] = in
	}
	return d
}

// resizeScales returns the scale of every axis, which the node gives directly or by its sizes.
func (c *call) resizeScales() []float32 {
	in, out := c.shape(c.x()), c.shape(c.y())
	scales := make([]float32, len(in))
	for i := range scales {
		scales[i] = float32(out[i]) / float32(in[i])
	}
	if v := c.in(2); v != nil {
		axes := sequence(0, len(in))
		if c.Node.Has("axes") {
			axes = c.fromZero(c.Node.Ints("axes"), len(in))
		}
		given, _ := v.Constant().Float32s() // if their file is missing, ONNX Runtime reports it
		for k, scale := range given {
			scales[axes[k]] = scale
		}
	}
	return scales
}

// resizeMatrix returns the matrix that maps in elements to out elements along an axis.
func (c *call) resizeMatrix(in, out int64, scale float32) matrix {
	coordinate := coordinates[c.Node.Str("coordinate_transformation_mode", "half_pixel")]
	round := roundings[c.Node.Str("nearest_mode", "round_prefer_floor")]
	m := newMatrix(out, in)
	last := float32(in - 1)
	for i := range out {
		at := coordinate(float32(i), scale, float32(in), float32(out))
		if c.Node.Str("mode", "nearest") == "nearest" {
			m.add(i, int64(min(max(round(at), 0), last)), 1)
			continue
		}
		at = min(max(at, 0), last)
		below := int64(at)
		part := float64(at) - float64(below)
		m.add(i, below, 1-part)
		m.add(i, min(below+1, in-1), part)
	}
	return m
}

// coordinates maps, for each mode, a position in the output to one in the input. It computes in float32 as ONNX Runtime does,
// because the choice of the nearest neighbor depends on rounding.
var coordinates = map[string]func(i, scale, in, out float32) float32{
	"asymmetric": func(i, scale, _, _ float32) float32 { return i / scale },
	"half_pixel": halfPixel,
	"half_pixel_symmetric": func(i, scale, in, out float32) float32 {
		return in/2*(1-out/(scale*in)) + (i+0.5)/scale - 0.5
	},
	"pytorch_half_pixel": func(i, scale, in, out float32) float32 {
		if out <= 1 {
			return 0
		}
		return halfPixel(i, scale, in, out)
	},
	"align_corners": func(i, _, in, out float32) float32 {
		if out == 1 {
			return 0
		}
		return i * (in - 1) / (out - 1)
	},
}

func halfPixel(i, scale, _, _ float32) float32 { return (i+0.5)/scale - 0.5 }

// roundings says, for each nearest_mode, which input a position between inputs is rounded to.
var roundings = map[string]func(float32) float32{
	"round_prefer_floor": func(v float32) float32 { return float32(math.Ceil(float64(v) - 0.5)) },
	"round_prefer_ceil":  func(v float32) float32 { return float32(math.Floor(float64(v) + 0.5)) },
	"floor":              func(v float32) float32 { return float32(math.Floor(float64(v))) },
	"ceil":               func(v float32) float32 { return float32(math.Ceil(float64(v))) },
}

func resizeOnly(c *call) string {
	mode := c.Node.Str("mode", "nearest")
	transformation := c.Node.Str("coordinate_transformation_mode", "half_pixel")
	rounding := c.Node.Str("nearest_mode", "round_prefer_floor")
	policy := c.Node.Str("keep_aspect_ratio_policy", "stretch")
	switch {
	case mode != "nearest" && mode != "linear":
		return fmt.Sprintf("mode=%s has no rule, nearest and linear have", mode)
	case coordinates[transformation] == nil:
		return fmt.Sprintf("coordinate_transformation_mode=%s has no rule: resize by half_pixel, asymmetric or align_corners", transformation)
	case roundings[rounding] == nil:
		return fmt.Sprintf("nearest_mode=%s is unknown", rounding)
	case c.Node.Int("antialias", 0) != 0:
		return "antialias=1 has no rule, 0 has"
	case policy != "stretch":
		return fmt.Sprintf("keep_aspect_ratio_policy=%s has no rule, stretch has: export it with fixed sizes", policy)
	}
	return ""
}
