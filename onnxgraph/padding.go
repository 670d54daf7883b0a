package onnxgraph

import (
	"fmt"
	"slices"
)

// These checks depend on the size of an image. If the model does not state it, only a run shows the fault, and ONNX Runtime may
// crash.

// transposedFaults checks a transposed convolution.
func transposedFaults(n *Node) []error {
	return slices.Concat(filterFaults(n, 1, 2, 1), outputPaddingFaults(n), outputShapeFaults(n))
}

// outputPaddingFaults checks that the output padding of a transposed convolution is less than a stride. ONNX allows values up to
// the dilation, but ONNX Runtime then reads outside the input and computes wrong numbers.
func outputPaddingFaults(n *Node) []error {
	padding := n.literal("output_padding").GetInts()
	strides := n.perAxis("strides", len(padding), 1)
	for i, p := range padding {
		if i < len(strides) && p >= strides[i] {
			return []error{fmt.Errorf("output_padding is %d, must be less than the stride of each axis, %d: ONNX Runtime computes wrong numbers for more", padding, strides)}
		}
	}
	return nil
}

// outputShapeFaults checks that the output of a transposed convolution is no larger than its filters can fill from an input of
// the declared size, plus the zeros of less than one stride. For larger outputs, ONNX Runtime reads outside the input.
func outputShapeFaults(n *Node) []error {
	shape := n.Input(0).shape()
	filters := n.Input(1).shape()
	asked := n.literal("output_shape").GetInts()
	axes := len(shape) - 2
	if axes < 1 || len(filters) != len(shape) || len(asked) < axes {
		return nil
	}
	asked = asked[len(asked)-axes:] // some models give batch size and channels, too
	w := n.Window(axes)
	for i, size := range asked {
		from, kernel := shape[2+i].Size, filters[2+i].Size
		if from < 1 || kernel < 1 || len(w.Strides) != axes || len(w.Dilations) != axes ||
			max(from, kernel, w.Strides[i], w.Dilations[i]) > maxSize {
			continue
		}
		if most := w.Strides[i]*from + w.Dilations[i]*(kernel-1); size > most {
			return []error{fmt.Errorf("output_shape is %d, but of its input %q of shape %v it can make at most %d along axis %d",
				asked, n.Input(0).name, shape, most, 2+i)}
		}
	}
	return nil
}

// columnFaults checks that a Col2Im has the right number of columns for its image. Otherwise ONNX Runtime reads outside the
// columns, or writes outside the image.
func columnFaults(n *Node) []error {
	faults := windowFaults(n)
	image, block := n.list("", 1), n.list("", 2)
	if len(block) > 0 && slices.Min(block) < 1 {
		faults = append(faults, fmt.Errorf("its blocks have the shape %d, must be 1 or more", block))
	}
	shape := n.Input(0).shape()
	axes := len(image)
	w := n.Window(axes)
	if len(faults) > 0 || len(shape) != 3 || axes == 0 || len(block) != axes || len(w.Strides) != axes || len(w.Dilations) != axes || len(w.Pads) != 2*axes {
		return faults
	}
	columns := int64(1)
	for i, size := range image {
		if max(size, block[i], w.Strides[i], w.Dilations[i], w.Pads[i], w.Pads[i+axes]) > maxSize {
			return []error{fmt.Errorf("it makes an image of shape %d from blocks of shape %d, which is too large", image, block)}
		}
		columns *= min(max(0, (size+w.Pads[i]+w.Pads[i+axes]-w.Dilations[i]*(block[i]-1)-1)/w.Strides[i]+1), maxSize)
		columns = min(columns, maxSize)
	}
	if found := shape[2].Size; found >= 0 && found != columns {
		return []error{fmt.Errorf("for an image of shape %d it needs %d columns, but its input %q has the shape %v", image, columns, n.Input(0).name, shape)}
	}
	return nil
}

// reflectionFaults checks that a Pad in mode reflect has enough elements to reflect in an input of the declared shape. ONNX
// requires that; otherwise ONNX Runtime reads outside the input.
func reflectionFaults(n *Node) []error {
	if string(n.literal("mode").GetS()) != "reflect" {
		return nil
	}
	shape := n.Input(0).shape()
	axes := n.list("", 3)
	if n.Input(3) == nil {
		for i := range shape {
			axes = append(axes, int64(i))
		}
	}
	pads := n.list("pads", 1)
	if len(pads) != 2*len(axes) {
		return nil // not known, or ONNX Runtime reports what is wrong
	}
	for i, axis := range axes {
		at, ok := axisOf(float64(axis), len(shape))
		begin, end := pads[i], pads[i+len(axes)]
		if !ok || min(begin, end) < 0 {
			continue
		}
		if size := shape[at].Size; size > 0 && max(begin, end) >= size {
			return []error{fmt.Errorf("it pads axis %d of its input %q by reflection with %d and %d, but that has the shape %v: both must be less than %d",
				at, n.Input(0).name, begin, end, shape, size)}
		}
	}
	return nil
}

// shape returns the declared shape, nil if v is nil or not even the rank is known.
func (v *Value) shape() []Dim {
	if v == nil {
		return nil
	}
	shape, _ := v.Shape()
	return shape
}
