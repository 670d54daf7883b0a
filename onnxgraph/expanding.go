package onnxgraph

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
)

// A few bytes can describe a tensor of any size: a ConstantOfShape of [1048576 1048576], or an Add of constants of dims [65536 1]
// and [1 65536]. ONNX Runtime computes nodes that depend only on constants when it opens a model, and could then use up all
// memory. This file finds these tensors and their sizes from the model alone. Of their elements, it computes only shapes.

// mostExpanded limits the total bytes of the tensors that a model computes only from constants. Real models compute their weights
// in another form in this way: timesStored allows for that.
const (
	mostExpanded = 1 << 31
	timesStored  = 8
)

// expansionFaults lists the nodes and sparse constants that make tensors from constants alone which are too large, singly or
// together with those before them. The caller must have checked that no function calls itself.
func (m *Model) expansionFaults() []error { return m.expanded().faults }

// expanded returns what is known of the tensors that a model computes from constants. The caller must have checked that no
// function calls itself.
func (m *Model) expanded() *expansion {
	e := &expansion{known: map[*Value]*outline{}, defined: m.defined()}
	var stored float64
	for _, g := range m.Graphs() {
		for _, v := range g.values {
			if t := v.Constant(); t != nil && t.Len() >= 0 {
				e.known[v] = &outline{t.DType(), convert[float64](t.Dims()), t}
				stored += e.known[v].bytes()
			}
		}
	}
	e.limit = mostExpanded + timesStored*stored
	e.follow(m.Graph)
	return e
}

// expansion follows the computations on constants that ONNX Runtime does when it opens the model.
type expansion struct {
	defined      map[operator]*Function
	known        map[*Value]*outline // all values that are known to depend only on constants
	calls        []*Node             // the calls of functions that lead to the current node
	limit, total float64             // bytes
	faults       []error
}

// follow follows the nodes of a graph and of their bodies.
func (e *expansion) follow(g *Graph) {
	for _, v := range g.initializers {
		if v.sparse != nil {
			e.add(fmt.Sprintf("sparse initializer %q", v.name), v, sparseOutline(v.sparse))
		}
	}
	for _, n := range sortNodes(g.nodes).order {
		if f := e.defined[n.operator()]; f != nil {
			e.call(n, f)
			continue
		}
		for _, body := range n.bodies() {
			e.follow(body)
		}
		if y := n.Output(0); y != nil && y.Constant() == nil {
			delete(e.known, y) // from another call of the function
			if x := e.output(n); x != nil {
				e.add("node "+n.String(), y, x)
			}
		}
	}
}

// call follows a function with the inputs and attributes of the node n that calls it.
func (e *expansion) call(n *Node, f *Function) {
	pass := func(to, from *Value) {
		if to == nil {
			return
		}
		if delete(e.known, to); e.known[from] != nil {
			e.known[to] = e.known[from]
		}
	}
	for i, in := range f.Body.inputs {
		pass(in.value, n.Input(i))
	}
	e.calls = append(e.calls, n)
	e.follow(f.Body)
	e.calls = e.calls[:len(e.calls)-1]
	for i, out := range f.Body.outputs {
		pass(n.Output(i), out.value)
	}
}

// add records the outline of a value. If it is too large, add records a fault instead, and everything computed from the value is
// unknown.
func (e *expansion) add(what string, v *Value, x *outline) {
	if e.total+x.bytes() <= e.limit {
		e.total += x.bytes()
		e.known[v] = x
		return
	}
	for _, n := range slices.Backward(e.calls) {
		what += ", called by node " + n.String()
	}
	e.faults = append(e.faults, fmt.Errorf("%s: it makes %v of dims %.0f from constants only, %s; with all others made so these are %s, and at most %s are allowed: "+
		"check the constants that give its shape, or store what it makes as an initializer",
		what, x.dtype, x.dims, gigabytes(x.bytes()), gigabytes(e.total+x.bytes()), gigabytes(e.limit)))
}

// parameter returns the attribute that the current calls pass for a function's parameter, nil if it is not known.
func (e *expansion) parameter(a *Attribute) *Attribute {
	for _, n := range slices.Backward(e.calls) {
		if a == nil || !a.IsReference() {
			return a
		}
		name := a.proto.GetRefAttrName()
		f := e.defined[n.operator()]
		if a = n.find(name); a == nil {
			a = f.without(name)
		}
	}
	return a
}

func gigabytes(bytes float64) string { return fmt.Sprintf("%.3g GB", bytes/1e9) }

// outline is what is known of a tensor that depends only on constants.
type outline struct {
	dtype    DType
	dims     []float64 // float64 cannot overflow
	constant *Tensor   // the tensor, nil if its elements are not known
}

func sparseOutline(p *onnxpb.SparseTensorProto) *outline {
	return &outline{dtype: DType(p.GetValues().GetDataType()), dims: convert[float64](p.GetDims())}
}

func (x *outline) bytes() float64 { return product(x.dims) * float64(max(x.dtype.Bits(), 4)) / 8 }

func product(dims []float64) float64 {
	p := 1.0
	for _, d := range dims {
		p *= d
	}
	return p
}

// mostNumbers is more than the length of any vector that describes a shape.
const mostNumbers = 64

// numbers returns the elements of a small constant, nil if they are not known.
func (x *outline) numbers() []float64 {
	if x == nil || x.constant == nil || x.constant.Len() > mostNumbers {
		return nil
	}
	data, _ := x.constant.Float64s() // nil if they are not numbers or cannot be read: code that needs them will report it
	return data
}

// withNumbers returns the outline of a vector with the given elements.
func withNumbers(dtype DType, data []float64) *outline {
	return &outline{dtype, []float64{float64(len(data))}, vector(data)}
}

// output returns the outline of a node's output, nil if it is not known.
func (e *expansion) output(n *Node) *outline {
	if n.Domain() != "" && n.Domain() != "com.microsoft" {
		return nil
	}
	if n.Is("Constant") {
		return e.constant(n)
	}
	if slices.ContainsFunc(n.attrs, Attribute.IsReference) {
		return nil
	}
	in := make([]*outline, max(len(n.inputs), 4)) // rules read at most four inputs of a node that has fewer
	for i, v := range n.inputs {
		if in[i] = e.known[v]; in[i] == nil && v != nil {
			return nil
		}
	}
	rule, ok := expansions[n.OpType()]
	if !ok || len(n.inputs) < rule.inputs || slices.Contains(in[:rule.inputs], nil) {
		return nil
	}
	x := rule.outline(n, in)
	if x == nil || slices.ContainsFunc(x.dims, func(d float64) bool { return !(d >= 0) }) {
		return nil // ONNX Runtime reports what is wrong with it
	}
	return x
}

// constant returns the outline of a Constant that is not a dense tensor itself.
func (e *expansion) constant(n *Node) *outline {
	if len(n.attrs) != 1 {
		return nil
	}
	a := e.parameter(&n.attrs[0])
	if a == nil || a.IsReference() {
		return nil
	}
	if name := n.attrs[0].Name(); name != "sparse_value" {
		if t := a.constant(name); t != nil && t.Len() >= 0 {
			return &outline{t.DType(), convert[float64](t.Dims()), t}
		}
		return nil
	}
	return sparseOutline(a.proto.GetSparseTensor())
}
