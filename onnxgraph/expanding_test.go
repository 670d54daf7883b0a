package onnxgraph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// fromConstants adds a node to a graph that reads constants: values, tensors, or nil where an input is absent.
func fromConstants(g *Graph, op string, inputs []any, attrs ...Attribute) *Value {
	var values []*Value
	for _, in := range inputs {
		switch in := in.(type) {
		case *Value:
			values = append(values, in)
		case *Tensor:
			values = append(values, g.AddConstant("c", in))
		default:
			values = append(values, nil)
		}
	}
	return g.AddNode(op, values, attrs...).Output(0)
}

func reloaded(t *testing.T, m *Model) error {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(data, "")
	return err
}

func list(numbers ...int64) *Tensor     { return vector(numbers) }
func zeros(dims ...int64) *Tensor       { return NewTensor(dims, make([]float32, ElementCount(dims))) }
func floats(numbers ...float32) *Tensor { return vector(numbers) }

// TestExpandingConstants loads models of one node that makes a tensor of constants: it is refused where that is huge, with
// the operator and what it would make, and loaded where it is small.
func TestExpandingConstants(t *testing.T) {
	const huge = 1 << 40
	for _, c := range []struct {
		op     string
		inputs func(n int64) []any // for small and for huge tensors
		attrs  func(n int64) []Attribute
		want   string // of a huge one
	}{
		{"ConstantOfShape", func(n int64) []any { return []any{list(n, 2)} }, nil, "float32 of dims [1099511627776 2]"},
		{"ConstantOfShape", func(n int64) []any { return []any{list(n)} }, func(int64) []Attribute { return []Attribute{TensorAttr("value", list(7))} }, "int64 of dims [1099511627776]"},
		{"Range", func(n int64) []any { return []any{NewScalar[int64](5), NewScalar(n + 5), NewScalar[int64](1)} }, nil, "int64 of dims [1099511627776]"},
		{"Range", func(n int64) []any { return []any{NewScalar[int64](0), NewScalar(-3 * n), NewScalar[int64](-3)} }, nil, "int64 of dims [1099511627776]"},
		{"Expand", func(n int64) []any { return []any{zeros(3, 1), list(2, 1, n)} }, nil, "float32 of dims [2 3 1099511627776]"},
		{"Tile", func(n int64) []any { return []any{zeros(2, 3), list(n, 1)} }, nil, "float32 of dims [2199023255552 3]"},
		{"OneHot", func(n int64) []any { return []any{list(1, 0), NewScalar(n), floats(0, 1)} }, nil, "float32 of dims [2 1099511627776]"},
		{"OneHot", func(n int64) []any { return []any{list(1, 0), list(n), floats(0, 1)} }, func(int64) []Attribute { return []Attribute{Int("axis", 0)} }, "float32 of dims [1099511627776 2]"},
		{"Pad", func(n int64) []any { return []any{zeros(2, 3), list(0, 1, 0, n)} }, nil, "float32 of dims [2 1099511627780]"},
		{"Pad", func(n int64) []any { return []any{zeros(2, 3), list(1, n), nil, list(-2)} }, nil, "float32 of dims [1099511627779 3]"},
		{"Pad", func(int64) []any { return []any{zeros(2, 3)} }, func(n int64) []Attribute { return []Attribute{Ints("pads", n, 0, 0, 0)} }, "float32 of dims [1099511627778 3]"},
		{"Resize", func(n int64) []any { return []any{zeros(1, 1, 2, 3), nil, floats(1, 1, 1, float32(n))} }, nil, "float32 of dims [1 1 2 3298534883328]"},
		{"Resize", func(n int64) []any { return []any{zeros(1, 1, 2, 3), nil, nil, list(1, 1, n, 3)} }, nil, "float32 of dims [1 1 1099511627776 3]"},
		{"Resize", func(n int64) []any { return []any{zeros(1, 1, 2, 3), nil, nil, list(n)} }, func(int64) []Attribute { return []Attribute{Ints("axes", 2)} }, "float32 of dims [1 1 1099511627776 3]"},
		{"Resize", func(n int64) []any { return []any{zeros(2, 3), floats(float32(n), 1)} }, nil, "float32 of dims [2199023255552 3]"},
		{"Upsample", func(int64) []any { return []any{zeros(2, 3)} }, func(n int64) []Attribute { return []Attribute{Floats("scales", float32(n), 1)} }, "float32 of dims [2199023255552 3]"},
		{"RandomNormal", nil, func(n int64) []Attribute { return []Attribute{Ints("shape", n, 2)} }, "float32 of dims [1099511627776 2]"},
		{"RandomUniform", nil, func(n int64) []Attribute { return []Attribute{Ints("shape", n), Int("dtype", int64(Float64))} }, "float64 of dims [1099511627776]"},
		{"Multinomial", func(int64) []any { return []any{zeros(2, 3)} }, func(n int64) []Attribute { return []Attribute{Int("sample_size", n)} }, "int32 of dims [2 1099511627776]"},
		{"HannWindow", func(n int64) []any { return []any{NewScalar(n)} }, nil, "float32 of dims [1099511627776]"},
		{"HammingWindow", func(n int64) []any { return []any{NewScalar(n)} }, nil, "float32 of dims [1099511627776]"},
		{"BlackmanWindow", func(n int64) []any { return []any{NewScalar(n)} }, func(int64) []Attribute { return []Attribute{Int("output_datatype", int64(Float64))} }, "float64 of dims [1099511627776]"},
		{"MelWeightMatrix", func(n int64) []any {
			return []any{NewScalar[int64](3), NewScalar(n), NewScalar[int64](8000), NewScalar[float32](0), NewScalar[float32](4000)}
		}, nil, "float32 of dims [549755813889 3]"},
	} {
		for _, n := range []int64{4, huge} {
			m := New("g", 8, 18)
			var inputs []any
			var attrs []Attribute
			if c.inputs != nil {
				inputs = c.inputs(n)
			}
			if c.attrs != nil {
				attrs = c.attrs(n)
			}
			fromConstants(m.Graph, c.op, inputs, attrs...)
			err := reloaded(t, m)
			switch {
			case n < huge && err != nil:
				t.Errorf("%s, small: %v", c.op, err)
			case n == huge && (err == nil || !strings.Contains(err.Error(), c.op) || !strings.Contains(err.Error(), "makes "+c.want+" ")):
				t.Errorf("%s: got error %v, want one with %q", c.op, err, c.want)
			}
		}
	}
}

// TestExpansionPassedOn loads models in which a huge tensor comes about by several nodes, or from a shape that is computed.
func TestExpansionPassedOn(t *testing.T) {
	const n = 1 << 16
	shape := func(g *Graph) *Value { // of [65536 65536], computed
		one := fromConstants(g, "Unsqueeze", []any{NewScalar[int64](1 << 15), list(0)})
		two := fromConstants(g, "Mul", []any{one, NewScalar[int64](2)})
		sizes := fromConstants(g, "Shape", []any{zeros(n, 1)})
		first := fromConstants(g, "Gather", []any{sizes, list(-2)})
		both := fromConstants(g, "Concat", []any{two, first}, Int("axis", 0))
		more := fromConstants(g, "Sub", []any{fromConstants(g, "Add", []any{both, list(5)}), list(5, 5)})
		return fromConstants(g, "Identity", []any{fromConstants(g, "Cast", []any{fromConstants(g, "Cast", []any{more}, Int("to", int64(Float64)))}, Int("to", int64(Int64)))})
	}
	for _, c := range []struct {
		op, want string // "" if it is loaded
		add      func(g *Graph)
	}{
		{"Expand", "[65536 65536]", func(g *Graph) { fromConstants(g, "Expand", []any{zeros(1, 1), list(n, n)}) }},
		{"ConstantOfShape", "", func(g *Graph) { shape(g) }},
		{"MatMul", "[65536 65536]", func(g *Graph) { fromConstants(g, "MatMul", []any{zeros(n, 1), zeros(1, n)}) }},
		{"MatMul", "", func(g *Graph) { fromConstants(g, "MatMul", []any{zeros(1, n), zeros(n, 1)}) }},
		{"MatMul", "[65536 1 65536]", func(g *Graph) { fromConstants(g, "MatMul", []any{zeros(n, 1, 1), zeros(1, 1, n)}) }},
		{"Gemm", "[65536 65536]", func(g *Graph) {
			fromConstants(g, "Gemm", []any{zeros(1, n), zeros(n, 1)}, Int("transA", 1), Int("transB", 1))
		}},
		{"Gather", "[65536 65536]", func(g *Graph) {
			fromConstants(g, "Gather", []any{zeros(1, n), NewTensor([]int64{n}, make([]int64, n))})
		}},
		{"Gather", "[65536 65536]", func(g *Graph) {
			fromConstants(g, "Gather", []any{zeros(n, 1), NewTensor([]int64{n}, make([]int64, n))}, Int("axis", 1))
		}},
		{"Where", "[65536 65536]", func(g *Graph) {
			fromConstants(g, "Where", []any{fromConstants(g, "Less", []any{zeros(n, 1), zeros(1)}), zeros(1, n), floats(1)})
		}},
		{"EyeLike", "float64 of dims [16384 16384]", func(g *Graph) {
			fromConstants(g, "EyeLike", []any{fromConstants(g, "ConstantOfShape", []any{list(1<<14, 1<<14)})}, Int("dtype", int64(Float64)))
		}},
		{"Softmax", "[4 65536 4096]", func(g *Graph) {
			x := fromConstants(g, "ConstantOfShape", []any{list(4096, 4, n)}, TensorAttr("value", NewTensor([]int64{1}, []uint8{1})))
			y := fromConstants(g, "Transpose", []any{x}, Ints("perm", 1, 2, 0))
			fromConstants(g, "Neg", []any{fromConstants(g, "Softmax", []any{y})})
		}},
		{"Tile", "[65536 65536]", func(g *Graph) {
			x := fromConstants(g, "Reshape", []any{zeros(16, 16, 16, 16), list(0, -1)})
			x = fromConstants(g, "Flatten", []any{fromConstants(g, "Unsqueeze", []any{x, list(0, -1)})})
			fromConstants(g, "Tile", []any{fromConstants(g, "Reshape", []any{fromConstants(g, "Squeeze", []any{x}), list(1, -1)}), list(n, 1)})
		}},
		{"Cast", "float64 of dims [16384 16384]", func(g *Graph) {
			x := fromConstants(g, "ConstantOfShape", []any{list(1<<14, 1<<14)})
			fromConstants(g, "Cast", []any{x}, Int("to", int64(Float64)))
		}},
		{"Tile", "[1048576 4194304]", func(g *Graph) { // of few numbers, which are no vector
			x := fromConstants(g, "Concat", []any{zeros(1, 2), zeros(1, 2)}, Int("axis", 1))
			fromConstants(g, "Tile", []any{x, list(1<<20, 1<<20)})
		}},
		{"Slice", "", func(g *Graph) { // of which nothing is known, nor of what comes of it
			x := fromConstants(g, "Slice", []any{zeros(4), list(0), list(0)})
			fromConstants(g, "Tile", []any{x, list(1 << 50)})
		}},
		{"Tile", "", func(g *Graph) { fromConstants(g, "Tile", []any{zeros(0, 4), list(1<<50, 1<<50)}) }},
		{"Expand", "", func(g *Graph) { fromConstants(g, "Expand", []any{zeros(4), list(1<<50, -1)}) }},
		{"Expand", "", func(g *Graph) { fromConstants(g, "Expand", []any{zeros(4), list(1<<50, 3)}) }},
	} {
		m := New("g", 8, 18)
		c.add(m.Graph)
		err := reloaded(t, m)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.op) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got error %v, want one with %q", c.op, err, c.want)
		}
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow", "Mod", "PRelu", "Min", "Max", "Sum", "Mean", "Equal", "Less", "Greater", "And", "Or", "Xor"} {
		m := New("g", 8, 18)
		fromConstants(m.Graph, op, []any{zeros(n, 1), zeros(1, n)})
		if err := reloaded(t, m); err == nil || !strings.Contains(err.Error(), "[65536 65536]") {
			t.Errorf("%s: got error %v, want one with the dims", op, err)
		}
	}
	m := New("g", 8, 18)
	fromConstants(m.Graph, "ConstantOfShape", []any{shape(m.Graph)})
	if err := reloaded(t, m); err == nil || !strings.Contains(err.Error(), "[65536 65536]") {
		t.Errorf("a shape that is computed: got error %v", err)
	}
}

// TestExpansionsCountTogether loads models whose nodes each make a tensor below the limit: together they may be above it, and the
// limit is higher for a model that stores much itself.
func TestExpansionsCountTogether(t *testing.T) {
	doubled := func(stored, levels int64) *Model {
		m := New("g", 8, 18)
		x := m.Graph.AddConstant("x", zeros(stored))
		for range levels {
			x = fromConstants(m.Graph, "Concat", []any{x, x}, Int("axis", 0))
		}
		return m
	}
	gibibyte := func(count int) *Model {
		m := New("g", 8, 18)
		for range count {
			fromConstants(m.Graph, "ConstantOfShape", []any{list(1 << 28)})
		}
		return m
	}
	storing := func(elements int64) *Model {
		m := New("g", 8, 18)
		m.Graph.AddConstant("x", zeros(elements))
		fromConstants(m.Graph, "ConstantOfShape", []any{list(1<<29 + 1<<22)})
		return m
	}
	absurd := storing(0)
	absurd.Graph.AddConstant("y", &Tensor{proto: &onnxpb.TensorProto{DataType: proto.Int32(1), Dims: []int64{1 << 40, 1 << 40}}})
	for _, c := range []struct {
		name string
		m    *Model
		want int // faults
	}{
		{"doubled 27 times", doubled(1, 27), 0},
		{"doubled 28 times", doubled(1, 28), 0},
		{"doubled 29 times", doubled(1, 29), 1},
		{"doubled, after which nothing is known", doubled(1, 60), 1},
		{"an eighth of it stored", doubled(1<<20, 9), 1},
		{"a gibibyte", gibibyte(1), 0},
		{"two", gibibyte(2), 0},
		{"four", gibibyte(4), 2},
		{"more than two", storing(0), 1},
		{"more than two, and some of it stored", storing(1 << 20), 0},
		{"beside a constant of dims that no computer can hold", absurd, 1},
	} {
		got := 0
		if err := reloaded(t, c.m); err != nil {
			got = strings.Count(err.Error(), "from constants only")
		}
		if got != c.want {
			t.Errorf("%s: %d faults, want %d", c.name, got, c.want)
		}
	}
}

// TestExpansionByDomain loads nodes that would make huge tensors: what operators of domains that ONNX Runtime does not have make is
// not known.
func TestExpansionByDomain(t *testing.T) {
	for domain, known := range map[string]bool{"": true, "com.microsoft": true, "elsewhere": false} {
		m := New("g", 8, 18)
		m.SetOpset(domain, 18)
		m.Graph.AddNodeOf(domain, "ConstantOfShape", []*Value{m.Graph.AddConstant("c", list(1<<40))}, 1)
		if err := reloaded(t, m); (err != nil) != known {
			t.Errorf("domain %q: got error %v", domain, err)
		}
	}
}

// TestExpansionsOfTooFewInputs loads nodes that lack inputs, or have one that says nothing: ONNX Runtime says what is wrong with them.
func TestExpansionsOfTooFewInputs(t *testing.T) {
	for op := range expansions {
		for count := range 5 {
			for _, in := range []*Tensor{zeros(), zeros(2, 2), list(1, 2)} {
				m := New("g", 8, 18)
				var inputs []any
				for range count {
					inputs = append(inputs, in)
				}
				fromConstants(m.Graph, op, inputs)
				if err := reloaded(t, m); err != nil && !strings.Contains(err.Error(), op) {
					t.Errorf("%s of %d inputs: %v", op, count, err)
				}
			}
		}
	}
}

// TestExpansionByFunctions calls functions with constants: the tensors that they compute count for each call.
func TestExpansionByFunctions(t *testing.T) {
	constant := func(attr *onnxpb.AttributeProto, output string) *onnxpb.NodeProto {
		n := node("Constant", nil, []string{output})
		n.Attribute = []*onnxpb.AttributeProto{attr}
		return n
	}
	sizes := func(name, parameter string, numbers ...int64) *onnxpb.AttributeProto {
		a := &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INTS.Enum(), Ints: numbers}
		if parameter != "" {
			a.RefAttrName = proto.String(parameter)
		}
		return a
	}
	double := func() *onnxpb.FunctionProto {
		f := fn("F0", "Relu")
		f.Node[0] = node("Concat", []string{"v0", "v0"}, []string{"v1"})
		f.Node[0].Attribute = []*onnxpb.AttributeProto{Int("axis", 0).proto}
		return f
	}
	filled := func(without *onnxpb.AttributeProto) *onnxpb.FunctionProto { // makes a tensor of the dims that a parameter gives
		f := fn("F0", "Relu")
		f.Node = []*onnxpb.NodeProto{constant(sizes("value_ints", "dims"), "s"), node("ConstantOfShape", []string{"s"}, []string{"v1"})}
		if f.Attribute = []string{"dims"}; without != nil {
			f.Attribute, f.AttributeProto = nil, []*onnxpb.AttributeProto{without}
		}
		return f
	}
	const huge = 1 << 40
	several := func() *onnxpb.FunctionProto {
		f := filled(sizes("dims", "", huge))
		f.AttributeProto = append([]*onnxpb.AttributeProto{sizes("other", "", 1)}, f.AttributeProto...)
		return f
	}
	tensor := TensorAttr("dims", list(huge)).proto
	filledBy := func(attribute string, without *onnxpb.AttributeProto) *onnxpb.FunctionProto {
		f := filled(without)
		f.Node[0].Attribute[0] = &onnxpb.AttributeProto{Name: proto.String(attribute), Type: without.Type, RefAttrName: without.Name}
		return f
	}
	passing := func() *onnxpb.FunctionProto { // passes its own parameter on to F0
		f := fn("F1", "F0")
		f.Attribute = []string{"sizes"}
		f.Node[0].Attribute = []*onnxpb.AttributeProto{sizes("dims", "sizes")}
		return f
	}
	inIf := func() *onnxpb.FunctionProto { return nest("F1", 1, "F0") }
	times := func(n int, op string) (nodes []*onnxpb.NodeProto) {
		for i := range n {
			nodes = append(nodes, calling(op, fmt.Sprint("y", i), fmt.Sprint("y", i+1)))
		}
		return nodes
	}
	with := func(n *onnxpb.NodeProto, a *onnxpb.AttributeProto) []*onnxpb.NodeProto {
		n.Attribute = []*onnxpb.AttributeProto{a}
		return []*onnxpb.NodeProto{n}
	}
	for _, c := range []struct {
		name      string
		nodes     []*onnxpb.NodeProto
		functions []*onnxpb.FunctionProto
		want      string // "" if it is loaded
	}{
		{"doubled 20 times", times(20, "F0"), []*onnxpb.FunctionProto{double()}, ""},
		{"doubled 40 times", times(40, "F0"), []*onnxpb.FunctionProto{double()}, `node Concat "Concat", called by node F0 "F0": it makes float32 of dims [536870912] from constants only, 2.15 GB; with all others made so these are 4.29 GB, and at most 2.15 GB`},
		{"doubled by functions that call it", times(10, "F1"), []*onnxpb.FunctionProto{double(), fn("F1", "F0", "F0", "F0", "F0")}, `called by node F0 "F0", called by node F1 "F1": it makes float32 of dims [536870912]`},
		{"a parameter", with(calling("F0", "y0", "y"), sizes("dims", "", 4, 4)), []*onnxpb.FunctionProto{filled(nil)}, ""},
		{"a huge parameter", with(calling("F0", "y0", "y"), sizes("dims", "", 4, huge)), []*onnxpb.FunctionProto{filled(nil)}, "[4 1099511627776]"},
		{"without a parameter", times(1, "F0"), []*onnxpb.FunctionProto{filled(sizes("dims", "", huge))}, "[1099511627776]"},
		{"another than without", with(calling("F0", "y0", "y"), sizes("dims", "", 4)), []*onnxpb.FunctionProto{filled(sizes("dims", "", huge))}, ""},
		{"a parameter that is passed on", with(calling("F1", "y0", "y"), sizes("sizes", "", huge)), []*onnxpb.FunctionProto{filled(nil), passing()}, "[1099511627776]"},
		{"a parameter that is missing", times(1, "F1"), []*onnxpb.FunctionProto{filled(nil), passing()}, ""},
		{"a parameter that is missing in the call of what calls it", times(1, "F2"), []*onnxpb.FunctionProto{filled(nil), passing(), fn("F2", "F1")}, ""},
		{"without a parameter, of several", times(1, "F0"), []*onnxpb.FunctionProto{several()}, "[1099511627776]"},
		{"without a tensor", times(1, "F0"), []*onnxpb.FunctionProto{filledBy("value", tensor)}, "[1099511627776]"},
		{"in a body", with(calling("F1", "y0", "y"), sizes("unused", "")), []*onnxpb.FunctionProto{filled(sizes("dims", "", huge)), inIf()}, "[1099511627776]"},
		{"not called", times(1, "Relu"), []*onnxpb.FunctionProto{filled(sizes("dims", "", huge))}, ""},
	} {
		one := proto.CloneOf(zeros(1).proto)
		one.Name = proto.String("y0")
		m := &onnxpb.ModelProto{IrVersion: proto.Int64(10), OpsetImport: fn("").OpsetImport, Functions: c.functions,
			Graph: &onnxpb.GraphProto{Node: c.nodes, Initializer: []*onnxpb.TensorProto{one}}}
		_, err := Parse(marshal(t, m), "")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestSparseExpansion loads sparse constants, which ONNX Runtime makes dense.
func TestSparseExpansion(t *testing.T) {
	for _, c := range []struct {
		dims []int64
		want string
	}{{[]int64{4, 4}, ""}, {[]int64{1 << 20, 1 << 20}, "float32 of dims [1048576 1048576]"}} {
		sparse := &onnxpb.SparseTensorProto{Values: proto.CloneOf(floats(1).proto), Indices: proto.CloneOf(list(0).proto), Dims: c.dims}
		sparse.Values.Name = proto.String("sparse")
		for what, graph := range map[string]*onnxpb.GraphProto{
			"initializer": {SparseInitializer: []*onnxpb.SparseTensorProto{sparse}},
			"node": {Node: []*onnxpb.NodeProto{{OpType: proto.String("Constant"), Output: []string{"node"}, Attribute: []*onnxpb.AttributeProto{{
				Name: proto.String("sparse_value"), Type: onnxpb.AttributeProto_SPARSE_TENSOR.Enum(), SparseTensor: sparse}}}}},
		} {
			data, err := proto.Marshal(&onnxpb.ModelProto{IrVersion: proto.Int64(8), Graph: graph,
				OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(18)}}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(data, "")
			if (err == nil) != (c.want == "") || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("%s of dims %v: got error %v, want one with %q", what, c.dims, err, c.want)
			}
		}
	}
}
