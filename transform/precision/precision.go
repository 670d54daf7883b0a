// Package precision changes the floating-point type of models: of weights, inputs, outputs and all computations.
package precision

import (
	"errors"
	"fmt"
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

// MakeFloat32 says what to do with a model that computes in another type than float32, where that is needed.
const MakeFloat32 = "make one with `rcfreeze convert MODEL -o OUT --precision fp32`"

// Types are the types that Convert supports, by their short names.
var Types = map[string]onnxgraph.DType{"fp32": onnxgraph.Float32, "fp16": onnxgraph.Float16}

// Report says what Convert changed.
type Report struct {
	Constants int      `json:"constants"`         // constants whose type changed
	Casts     int      `json:"casts"`             // Casts that were removed, because their two types are now the same
	Inputs    []string `json:"inputs,omitempty"`  // inputs of the model whose type changed
	Outputs   []string `json:"outputs,omitempty"` // outputs of the model whose type changed
}

// Changed reports whether anything was changed.
func (r *Report) Changed() bool {
	return r.Constants > 0 || r.Casts > 0 || r.Inputs != nil || r.Outputs != nil
}

// IsAll reports whether all floating-point constants, inputs and outputs of the model have the type dtype.
func IsAll(m *onnxgraph.Model, dtype onnxgraph.DType) bool {
	c := &converter{to: dtype}
	for _, g := range m.Graphs() {
		for _, list := range [][]*onnxgraph.Value{g.Inputs(), g.Outputs(), g.Initializers()} {
			for _, v := range list {
				if t, err := v.Densified(); c.changes(v.DType()) || err == nil && t != nil && c.changes(t.DType()) {
					return false
				}
			}
		}
		for _, n := range g.Nodes() {
			for _, a := range n.Attributes() {
				if t := n.Tensor(a.Name()); t != nil && c.changes(t.DType()) {
					return false
				}
			}
			for _, name := range dtypeAttributes {
				if n.Domain() == "" && c.changes(onnxgraph.DType(n.Int(name, 0))) {
					return false
				}
			}
		}
	}
	return true
}

// Convert changes all floating-point numbers of the model to one type, Float32 or Float16: constants, inputs, outputs and
// computed values, also in bodies and functions. Integers and booleans stay. Operators that ONNX defines only for float32 get
// Casts around them. The records of blocks are updated. The error lists everything that cannot be converted, such as weights
// beyond the range of the type; the model is then unchanged.
func Convert(m *onnxgraph.Model, to onnxgraph.DType) (*Report, error) {
	r, err := convert(m, to)
	if err != nil {
		return nil, fmt.Errorf("converting %s to %v: %w", m.Path(), to, err)
	}
	return r, nil
}

func convert(m *onnxgraph.Model, to onnxgraph.DType) (*Report, error) {
	if to != onnxgraph.Float32 && to != onnxgraph.Float16 {
		return nil, errors.New("only float32 and float16 can be chosen")
	}
	blocks, err := transform.Blocks(m)
	if err != nil {
		return nil, err
	}
	c := &converter{model: m, to: to, dtypes: opset.DTypes(m), report: &Report{},
		kept: map[*onnxgraph.Value]bool{}, added: map[*onnxgraph.Node]bool{}}
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, v := range m.Graph.Inputs() {
		if c.changes(v.DType()) && v.Constant() == nil {
			c.report.Inputs = append(c.report.Inputs, v.Name())
		}
	}
	for _, v := range m.Graph.Outputs() {
		if c.changes(v.DType()) {
			c.report.Outputs = append(c.report.Outputs, v.Name())
		}
	}
	for _, g := range m.Graphs() {
		g.MapTypes(c.mapped)
	}
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			c.keepFloat32(n)
		}
	}
	for _, g := range m.Graphs() {
		c.convertConstants(g)
	}
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			c.dropCast(n)
		}
	}
	for i := range blocks {
		if err := blocks[i].Rehash(m); err != nil {
			return nil, err
		}
	}
	return c.report, nil
}

// converter converts one model.
type converter struct {
	model  *onnxgraph.Model
	to     onnxgraph.DType
	dtypes map[*onnxgraph.Value]onnxgraph.DType // the known types in the source
	report *Report

	kept  map[*onnxgraph.Value]bool // float32 constants that stay
	added map[*onnxgraph.Node]bool  // Casts at inputs and outputs that can only be float32
}

// changes reports whether numbers of the type must be converted.
func (c *converter) changes(dtype onnxgraph.DType) bool { return dtype.IsFloat() && dtype != c.to }

// mapped returns the new type of numbers of the type dtype.
func (c *converter) mapped(dtype onnxgraph.DType) onnxgraph.DType {
	if c.changes(dtype) {
		return c.to
	}
	return dtype
}

// dtypeOf returns the type of a value in the source, Undefined if it is not known.
func (c *converter) dtypeOf(v *onnxgraph.Value) onnxgraph.DType {
	if known := v.DType(); known != onnxgraph.Undefined {
		return known
	}
	return c.dtypes[v]
}

// dtypeAttributes are the attributes that hold an element type, by their names.
var dtypeAttributes = []string{"to", "dtype", "output_datatype", "output_dtype", "softmax_precision"}

// check lists everything that cannot be converted.
func (c *converter) check() error {
	var faults []error
	for _, g := range c.model.Graphs() {
		for _, v := range g.Initializers() {
			if err := c.checkTensor(denseOf(v)); err != nil {
				faults = append(faults, fmt.Errorf("constant %q: %w", v.Name(), err))
			}
		}
		for _, n := range g.Nodes() {
			faults = append(faults, c.checkNode(n)...)
		}
	}
	return errors.Join(faults...)
}

func (c *converter) checkNode(n *onnxgraph.Node) []error {
	var faults []error
	if n.Is("Cast") && c.model.Opset("") < 6 {
		faults = append(faults, fmt.Errorf("node %s: operator set %d names types in words: raise it with ONNX's version converter", n, c.model.Opset("")))
	}
	if n.Domain() != "" && c.to != onnxgraph.Float32 && !c.isFunction(n) {
		faults = append(faults, fmt.Errorf("node %s is an operator of domain %q, which may support only float32", n, n.Domain()))
	}
	for _, name := range append([]string{"value", "value_float", "value_floats"}, dtypeAttributes...) {
		for _, a := range n.Attributes() {
			if n.Domain() == "" && a.Name() == name && a.IsReference() {
				faults = append(faults, fmt.Errorf("node %s: callers of function %q give its attribute %q: inline the model's functions first (onnx.inliner does)", n, n.Graph().Name(), name))
			}
		}
	}
	if n.Is("Constant") && n.Output(0) != nil {
		if err := c.checkTensor(denseOf(n.Output(0))); err != nil {
			faults = append(faults, fmt.Errorf("node %s: %w", n, err))
		}
		return faults
	}
	for _, a := range n.Attributes() {
		if err := c.checkTensor(n.Tensor(a.Name()), nil); err != nil {
			faults = append(faults, fmt.Errorf("node %s, attribute %q: %w", n, a.Name(), err))
		}
	}
	return faults
}

func (c *converter) isFunction(n *onnxgraph.Node) bool {
	for _, f := range c.model.Functions {
		if f.Name() == n.OpType() && f.Domain() == n.Domain() {
			return true
		}
	}
	return false
}

// denseOf returns the tensor of a constant, nil if it holds no numbers.
func denseOf(v *onnxgraph.Value) (*onnxgraph.Tensor, error) {
	if t := v.Constant(); t != nil {
		return t, nil
	}
	return v.Densified()
}

// checkTensor reports finite numbers that are too large for the new type.
func (c *converter) checkTensor(t *onnxgraph.Tensor, err error) error {
	if t == nil || !c.changes(t.DType()) || c.to == onnxgraph.Float32 && t.DType() != onnxgraph.Float64 {
		return err
	}
	const largest16 = 65504
	limit := float64(math.MaxFloat32)
	if c.to == onnxgraph.Float16 {
		limit = largest16
	}
	data, err := t.Float64s()
	if err != nil {
		return err
	}
	largest := 0.0
	for _, v := range data {
		if size := math.Abs(v); size > largest && !math.IsInf(v, 0) { // also false for NaN
			largest = size
		}
	}
	if largest > limit {
		return fmt.Errorf("it holds %g, beyond the largest %v, %g", largest, c.to, limit)
	}
	return nil
}
