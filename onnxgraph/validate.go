package onnxgraph

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
)

// Validate checks the rules for all ONNX files, and lists all faults: missing operator sets, cycles of nodes and of functions,
// tensors whose data does not fit their dims, attributes given twice, and nodes that would crash ONNX Runtime. Names are checked
// when a model is read, and no method can make them invalid.
func (m *Model) Validate() error {
	var faults []error
	if m.IRVersion() < 1 {
		faults = append(faults, errors.New("no version given of the file format (ir_version)"))
	}
	if m.Opset("") == 0 && usesOwnDomain(m.Graph) {
		faults = append(faults, errors.New("no version given of the operator set \"\" (ai.onnx), which nodes use"))
	}
	for _, f := range m.Functions {
		if opsetOf(f.proto.OpsetImport, "") == 0 && usesOwnDomain(f.Body) {
			faults = append(faults, fmt.Errorf("function %q: no version given of the operator set \"\" (ai.onnx), which its nodes use", f.Name()))
		}
	}
	for _, g := range m.Graphs() {
		faults = append(faults, g.validate()...)
	}
	nesting := m.nestingFaults()
	if len(nesting) == 0 {
		faults = append(faults, m.expansionFaults()...)
	}
	return errors.Join(append(faults, nesting...)...)
}

func usesOwnDomain(g *Graph) bool {
	for _, n := range g.AllNodes() {
		if n.Domain() == "" {
			return true
		}
	}
	return false
}

// initializerFaults lists the faults of initializers. Initializers with the same fault, such as a missing data file, are listed
// together.
func (g *Graph) initializerFaults() []error {
	var different []error
	names := map[string][]string{} // by the text of the fault
	for _, v := range g.initializers {
		if v.constant == nil {
			continue
		}
		if err := v.constant.validate(); err != nil {
			text := err.Error()
			if names[text] == nil {
				different = append(different, err)
			}
			names[text] = append(names[text], fmt.Sprintf("%q", v.name))
		}
	}
	for i, err := range different {
		different[i] = fmt.Errorf("initializer %s: %w", Listed(names[err.Error()]), err)
	}
	return different
}

func (g *Graph) validate() []error {
	var faults []error
	for _, cycle := range sortNodes(g.nodes).cycles {
		faults = append(faults, fmt.Errorf("graph %q: nodes that depend on each other in a cycle: %s", g.Name(), Listed(mapSlice(cycle, (*Node).String))))
	}
	faults = append(faults, g.inputFaults()...)
	faults = append(faults, g.initializerFaults()...)
	for _, n := range g.nodes {
		if n.OpType() == "" {
			faults = append(faults, fmt.Errorf("node %s: no operator is named", n))
		}
		for _, fault := range n.faults() {
			faults = append(faults, fmt.Errorf("node %s: %w", n, fault))
		}
		seen := map[string]bool{}
		for _, a := range n.attrs {
			if seen[a.Name()] {
				faults = append(faults, fmt.Errorf("node %s: attribute %q is given twice", n, a.Name()))
			}
			seen[a.Name()] = true
			if err := a.validate(); err != nil {
				faults = append(faults, fmt.Errorf("node %s: attribute %q: %w", n, a.Name(), err))
			}
			if a.tensor != nil {
				if err := a.tensor.validate(); err != nil {
					faults = append(faults, fmt.Errorf("node %s: attribute %q: %w", n, a.Name(), err))
				}
			}
		}
	}
	return faults
}

// validate checks that the attribute, unless it is a reference, has a value of its stated type.
func (a Attribute) validate() error {
	if a.IsReference() {
		return nil
	}
	stated := a.proto.GetType()
	if stated == onnxpb.AttributeProto_UNDEFINED {
		return errors.New("no type is given")
	}
	for _, field := range []struct {
		kind onnxpb.AttributeProto_AttributeType
		set  bool
	}{
		{onnxpb.AttributeProto_FLOAT, a.proto.F != nil}, {onnxpb.AttributeProto_FLOATS, len(a.proto.Floats) > 0},
		{onnxpb.AttributeProto_INT, a.proto.I != nil}, {onnxpb.AttributeProto_INTS, len(a.proto.Ints) > 0},
		{onnxpb.AttributeProto_STRING, a.proto.S != nil}, {onnxpb.AttributeProto_STRINGS, len(a.proto.Strings) > 0},
		{onnxpb.AttributeProto_TENSOR, a.proto.T != nil}, {onnxpb.AttributeProto_TENSORS, len(a.proto.Tensors) > 0},
		{onnxpb.AttributeProto_GRAPH, a.proto.G != nil}, {onnxpb.AttributeProto_GRAPHS, len(a.proto.Graphs) > 0},
	} {
		if field.set && field.kind != stated {
			return fmt.Errorf("its type is %v, but it holds %v", stated, field.kind)
		}
	}
	return nil
}

// validate checks that the number of elements matches the dims, without reading external data.
func (t *Tensor) validate() error {
	n := t.Len()
	if n < 0 {
		return fmt.Errorf("dims %v: negative, or too many elements", t.Dims())
	}
	have, err := t.rawSize()
	if err != nil {
		return err
	}
	dtype := t.DType()
	if dtype == Undefined {
		return errors.New("no element type is given")
	}
	if _, known := dtypes[dtype]; !known || t.proto.Segment != nil {
		return nil // from a newer schema, or a part of a tensor: kept as it is
	}
	if dtype == String {
		return mismatch(t, int64(len(t.proto.StringData)), n, "strings")
	}
	return mismatch(t, have, dtype.byteSize(n), "bytes")
}

func mismatch(t *Tensor, have, need int64, unit string) error {
	if have == need {
		return nil
	}
	return fmt.Errorf("%v of dims %v needs %d %s, has %d", t.DType(), t.Dims(), need, unit, have)
}
