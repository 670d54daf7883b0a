package opset

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// all returns a rewrite that runs several rewrites in turn, up to the first that fails.
func all(steps ...rewrite) rewrite {
	return func(n *onnxgraph.Node, t types) error {
		for _, step := range steps {
			if err := step(n, t); err != nil {
				return err
			}
		}
		return nil
	}
}

func removeAttrs(names ...string) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		n.RemoveAttr(names...)
		return nil
	}
}

// defaultAttr adds an attribute that has another default in the newer version, or that is required there.
func defaultAttr(a onnxgraph.Attribute) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		if !n.Has(a.Name()) {
			n.SetAttr(a)
		}
		return nil
	}
}

// renameAttr renames an attribute that is a list of integers.
func renameAttr(old, name string) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		if n.Has(old) {
			n.SetAttr(onnxgraph.Ints(name, n.Ints(old)...))
			n.RemoveAttr(old)
		}
		return nil
	}
}

func setOpType(opType string) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		n.SetOpType(opType)
		return nil
	}
}

// intsToInput turns an attribute that is a list of integers into an input.
func intsToInput(name string, input int) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		if n.Has(name) {
			setVector(n, input, name, n.Ints(name))
			n.RemoveAttr(name)
		}
		return nil
	}
}

// intToInput turns an integer attribute into an input of one element.
func intToInput(name string, input int) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		if !n.Has(name) {
			return fmt.Errorf("it has no attribute %q", name)
		}
		setVector(n, input, name, []int64{n.Int(name, 0)})
		n.RemoveAttr(name)
		return nil
	}
}

// floatsToInput turns an attribute that is a list of numbers into an input.
func floatsToInput(name string, input int) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		if !n.Has(name) {
			return fmt.Errorf("it has no attribute %q", name)
		}
		setVector(n, input, name, n.Floats(name))
		n.RemoveAttr(name)
		return nil
	}
}

// floatToInput turns an attribute that is a number into a scalar input with the element type of input 0.
func floatToInput(name string, input int) rewrite {
	return func(n *onnxgraph.Node, t types) error {
		if !n.Has(name) {
			return nil
		}
		dtype := t.of(n.Input(0)).dtype
		scalar, err := onnxgraph.FromFloat64s(dtype, nil, []float64{float64(n.Float(name, 0))})
		if err != nil {
			return fmt.Errorf("attribute %q becomes an input of the same element type as input 0, which is %v: "+
				"declare a floating-point type by shape inference", name, dtype)
		}
		setConstant(n, input, name, scalar)
		n.RemoveAttr(name)
		return nil
	}
}

// setVector adds a constant vector as an input of n.
func setVector[T int64 | float32](n *onnxgraph.Node, input int, name string, v []T) {
	setConstant(n, input, name, onnxgraph.NewTensor([]int64{int64(len(v))}, slices.Clone(v)))
}

func setConstant(n *onnxgraph.Node, input int, name string, t *onnxgraph.Tensor) {
	base := n.Name()
	if base == "" {
		base = n.OpType()
	}
	n.SetInput(input, n.Graph().AddConstant(base+"."+name, t))
}
