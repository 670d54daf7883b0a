package opset

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// all returns a rewrite that takes several steps, up to the first that fails.
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

// defaultAttr states an attribute whose default is another one in the newer version, or which is required there.
func defaultAttr(a onnxgraph.Attribute) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		if !n.Has(a.Name()) {
			n.SetAttr(a)
		}
		return nil
	}
}

// renameAttr gives an attribute, which is a list of integers, another name.
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

// intsToInput makes an attribute that is a list of integers an input.
func intsToInput(name string, input int) rewrite {
	return func(n *onnxgraph.Node, _ types) error {
		if n.Has(name) {
			setVector(n, input, name, n.Ints(name))
			n.RemoveAttr(name)
		}
		return nil
	}
}

// intToInput makes an attribute that is an integer an input of one element.
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

// floatsToInput makes an attribute that is a list of numbers an input.
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

// floatToInput makes an attribute that is a number a scalar input, of the element type of input 0.
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

// setVector makes a new constant vector an input of n.
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
