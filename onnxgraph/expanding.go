package onnxgraph

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph/internal/onnxpb"
)

// A few bytes can ask for a tensor of any size: a ConstantOfShape of [1048576 1048576], or an Add of constants of dims [65536 1]
// and [1 65536]. ONNX Runtime computes what depends on constants only when it opens a model, and so takes all memory there.
// Which tensors these are, and how large, follows from the file alone: no number of them is computed for it but shapes.

// mostExpanded bounds the bytes of all that a model computes from constants only. What real models compute so are
// their weights in another form: timesStored allows for that.
const (
	mostExpanded = 1 << 31
	timesStored  = 8
)

// expansionFaults says which nodes and sparse constants make tensors from constants only that are too large, alone or with
// those before them.
func (m *Model) expansionFaults() []error {
	e := expansion{known: map[*Value]*outline{}}
	var stored, total float64
	graphs := m.Graphs() // each after the one that it is in
	for _, g := range graphs {
		for _, v := range g.values {
			if t := v.Constant(); t != nil && t.Len() >= 0 {
				e.known[v] = &outline{t.DType(), convert[float64](t.Dims()), t}
				stored += e.known[v].bytes()
			}
		}
	}
	limit := mostExpanded + timesStored*stored
	var faults []error
	add := func(what string, v *Value, x *outline) {
		if total+x.bytes() > limit {
			faults = append(faults, fmt.Errorf("%s: it makes %v of dims %.0f from constants only, %s; with all others made so these are %s, and at most %s are allowed: "+
				"check the constants that give its shape, or store what it makes as an initializer",
				what, x.dtype, x.dims, gigabytes(x.bytes()), gigabytes(total+x.bytes()), gigabytes(limit)))
			return // what comes of it is not known
		}
		total += x.bytes()
		e.known[v] = x
	}
	for _, g := range graphs {
		for _, v := range g.initializers {
			if v.sparse != nil {
				add(fmt.Sprintf("sparse initializer %q", v.name), v, sparseOutline(v.sparse))
			}
		}
		for _, n := range sortNodes(g.nodes).order {
			if x := e.output(n); x != nil {
				add("node "+n.String(), n.outputs[0], x)
			}
		}
	}
	return faults
}

func gigabytes(bytes float64) string { return fmt.Sprintf("%.3g GB", bytes/1e9) }

// outline is what is known of a tensor that depends on constants only.
type outline struct {
	dtype    DType
	dims     []float64 // which do not overflow
	constant *Tensor   // the tensor, or its numbers, nil if they are not known
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

// mostNumbers is above the length of all that gives a shape.
const mostNumbers = 64

// numbers returns the elements of a small constant, nil if they are not known.
func (x *outline) numbers() []float64 {
	if x == nil || x.constant == nil || !x.dtype.IsNumber() || x.constant.Len() > mostNumbers {
		return nil
	}
	data, err := x.constant.Float64s()
	if err != nil {
		return nil // whoever needs it will say so
	}
	return data
}

// withNumbers returns a vector.
func withNumbers(dtype DType, data []float64) *outline {
	return &outline{dtype, []float64{float64(len(data))}, vector(data)}
}

// expansion has the outlines of all values that are known to depend on constants only.
type expansion struct{ known map[*Value]*outline }

// output returns the outline of what a node computes, nil if that is not known.
func (e expansion) output(n *Node) *outline {
	if n.Domain() != "" && n.Domain() != "com.microsoft" || n.Output(0) == nil || n.HasBody() ||
		slices.ContainsFunc(n.attrs, Attribute.IsReference) {
		return nil
	}
	if n.Is("Constant") {
		if p := n.attr("sparse_value"); p != nil {
			return sparseOutline(p.GetSparseTensor())
		}
		return nil
	}
	in := make([]*outline, max(len(n.inputs), 6)) // no rule looks at more
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
		return nil // ONNX Runtime says what is wrong with it
	}
	return x
}
