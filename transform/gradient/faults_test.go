package gradient_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// TestCheckBodies: a node depends on what its bodies read from outside, too. Else the gradient of filters that are
// used in a branch would be left out in silence.
func TestCheckBodies(t *testing.T) {
	for _, place := range convcases.Places {
		if place.Inside || !place.Rewritten {
			continue
		}
		m := convcases.Nest(convcases.Cases[0].Model(), place)
		err := gradient.Check(m.Graph.Outputs()[0], m.Graph.Value(convcases.Weight))
		var unsupported *gradient.UnsupportedError
		if !errors.As(err, &unsupported) || !unsupported.Faults[0].Node.HasBody() {
			t.Errorf("%s: got %v, want an error that names the node with the filters", place.Name, err)
		}
	}
}

// TestFaults has, for every reason not to differentiate a node, one that has it; the error must name node and reason.
func TestFaults(t *testing.T) {
	type values = []*onnxgraph.Value
	one := func(g *onnxgraph.Graph) *onnxgraph.Value { return g.AddConstant("one", constant(1)) }
	cases := []struct {
		op     string
		inputs func(g *onnxgraph.Graph, x *onnxgraph.Value) values // beside x
		attrs  []onnxgraph.Attribute
		reason string
	}{
		{"Tan", nil, nil, "no gradient rule for operators Tan ("},
		{"Dropout", func(g *onnxgraph.Graph, _ *onnxgraph.Value) values {
			return values{nil, g.AddConstant("mode", onnxgraph.NewScalar(true))}
		}, nil, "must be lowered first"},
		{"Dropout", func(g *onnxgraph.Graph, x *onnxgraph.Value) values {
			mode := g.AddNode("Not", values{g.AddConstant("off", onnxgraph.NewScalar(true))}).Output(0)
			mode.SetType(onnxgraph.Bool, onnxgraph.Static())
			return values{nil, mode}
		}, nil, "must be lowered first"},
		{"MaxPool", nil, attrs(list("kernel_shape", 1, 1), integer("storage_order", 1)), "export it with storage_order=0"},
		{"MaxPool", nil, attrs(list("kernel_shape", 1, 2), list("dilations", 1, 2), str("auto_pad", "SAME_UPPER")), "export it with pads in numbers"},
		{"AveragePool", nil, attrs(list("kernel_shape", 2, 1), list("dilations", 2, 1), str("auto_pad", "SAME_LOWER")), "export it with pads in numbers"},
		{"Resize", nil, attrs(str("mode", "cubic")), "mode=cubic has no rule"},
		{"Resize", nil, attrs(str("coordinate_transformation_mode", "tf_crop_and_resize")), "resize by half_pixel"},
		{"Resize", nil, attrs(str("nearest_mode", "up")), "nearest_mode=up is unknown"},
		{"Resize", nil, attrs(integer("antialias", 1)), "antialias=1"},
		{"Resize", nil, attrs(str("keep_aspect_ratio_policy", "not_larger")), "export it with fixed sizes"},
		{"Einsum", nil, attrs(str("equation", "...i->...i")), "name all axes"},
		{"Einsum", nil, attrs(str("equation", "iijk->jk")), "takes a diagonal"},
		{"Einsum", nil, attrs(str("equation", "ijkl->ijk")), "sum it by ReduceSum"},
		{"GatherND", nil, attrs(integer("batch_dims", 1)), "batch_dims=1"},
		{"ScatterND", nil, attrs(str("reduction", "mul")), "reduction=mul has no rule, none and add have"},
		{"Clip", func(_ *onnxgraph.Graph, x *onnxgraph.Value) values { return values{x} }, nil, "no gradient by input 1"},
		{"Clip", func(g *onnxgraph.Graph, _ *onnxgraph.Value) values {
			bound := g.AddNode("Size", values{g.AddConstant("c", onnxgraph.NewScalar(true))}).Output(0)
			return values{nil, bound} // after an absent input, one whose type is not known
		}, nil, "has no static shape and element type"},
		{"Tile", func(g *onnxgraph.Graph, x *onnxgraph.Value) values {
			repeats := g.AddNode("Shape", values{x}).Output(0)
			repeats.SetType(onnxgraph.Int64, onnxgraph.Static(4))
			return values{repeats}
		}, nil, "export the model with a constant there"},
		{"BatchNormalization", func(g *onnxgraph.Graph, x *onnxgraph.Value) values { return values{x, x, x, one(g)} }, nil, `statistics "x"`},
		{"BatchNormalization", func(g *onnxgraph.Graph, x *onnxgraph.Value) values { return values{x, x, one(g), x} }, nil, `statistics "x"`},
	}
	for _, c := range cases {
		m := onnxgraph.New("case", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 1, 1, 1))
		if err != nil {
			t.Fatal(err)
		}
		inputs := values{x}
		if c.inputs != nil {
			inputs = append(inputs, c.inputs(m.Graph, x)...)
		}
		y := m.Graph.AddNode(c.op, inputs, c.attrs...).Output(0)
		y.SetType(onnxgraph.Float32, onnxgraph.Static(1, 1, 1, 1))
		if err := gradient.Check(y, x); err == nil || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), c.op+` "`) {
			t.Errorf("%s: got error %v, want one that says %q", c.op, err, c.reason)
		}
	}
}

// TestComputedInputs checks which inputs beside the first must be constants: the error names each of them that is computed, and no
// other. Where they are left out, nothing is amiss.
func TestComputedInputs(t *testing.T) {
	for inputs, operators := range map[string]string{ // c for a constant, - for one that may be computed
		"c":    "Tile ReduceSum ReduceMean ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp",
		"c-c":  "Pad",
		"ccc":  "Resize",
		"cccc": "Slice",
		"-":    "Reshape Expand Squeeze Unsqueeze Gather GatherElements GatherND Split TopK",
	} {
		for _, op := range strings.Fields(operators) {
			m := onnxgraph.New("case", 8, 18)
			x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2))
			if err != nil {
				t.Fatal(err)
			}
			two := m.Graph.AddConstant("two", onnxgraph.NewTensor([]int64{1}, []int64{2}))
			computed := m.Graph.AddNode("Neg", []*onnxgraph.Value{two}).Output(0)
			computed.SetType(onnxgraph.Int64, onnxgraph.Static(1))
			given := []*onnxgraph.Value{x}
			for range inputs {
				given = append(given, computed)
			}
			for _, given := range [][]*onnxgraph.Value{given, given[:1]} {
				y := m.Graph.AddNode(op, given).Output(0)
				y.SetType(onnxgraph.Float32, onnxgraph.Static(2))
				err = gradient.Check(y, x)
				for i, kind := range inputs {
					refused := err != nil && strings.Contains(err.Error(), fmt.Sprintf("input %d, %q, is computed", i+1, computed.Name()))
					if refused != (kind == 'c' && len(given) > 1) {
						t.Errorf("%s of %d inputs: input %d is refused: %v", op, len(given), i+1, refused)
					}
				}
			}
		}
	}
}

// TestNoDerivative checks that operators without a derivative are no fault, and let nothing pass.
func TestNoDerivative(t *testing.T) {
	for _, op := range strings.Fields("Shape Size Constant ConstantOfShape Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Xor IsNaN IsInf " +
		"NonZero Sign Floor Ceil Round ArgMax ArgMin Hardmax OneHot Range") {
		m := onnxgraph.New("case", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1))
		if err != nil {
			t.Fatal(err)
		}
		y := m.Graph.AddNode(op, []*onnxgraph.Value{x}).Output(0)
		y.SetType(onnxgraph.Float32, onnxgraph.Static(1))
		loss := m.Graph.AddNode("Mul", []*onnxgraph.Value{x, y}).Output(0)
		loss.SetType(onnxgraph.Float32, onnxgraph.Static(1))
		gradients, err := gradient.Of(onnxgraph.NewBuilder(m.Graph), loss, x)
		if err != nil || gradients.Of[x].Producer() == nil || !slices.Contains(gradients.Of[x].Producer().Inputs(), y) || len(gradients.Of[x].Uses()) > 0 {
			t.Errorf("%s: the gradient of a product with it is not it: %v, %v", op, gradients, err)
		}
	}
}

// TestFurtherOutputs has losses that depend on outputs beside the first: where these have no gradient, the error names them.
func TestFurtherOutputs(t *testing.T) {
	for _, c := range []struct {
		op    string
		reads [2]int          // which outputs the loss reads
		dtype onnxgraph.DType // of those beside the first
		want  string
	}{
		{"LayerNormalization", [2]int{0, 0}, onnxgraph.Float32, ""},
		{"LayerNormalization", [2]int{1, 1}, onnxgraph.Float32, `output 1, "LayerNormalization_output_1", has no gradient`},
		{"LayerNormalization", [2]int{0, 2}, onnxgraph.Float32, `output 2, "LayerNormalization_output_2", has no gradient`},
		{"Split", [2]int{0, 2}, onnxgraph.Float32, ""},
		{"TopK", [2]int{0, 1}, onnxgraph.Int64, ""},
	} {
		m := onnxgraph.New("case", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1))
		if err != nil {
			t.Fatal(err)
		}
		outputs := m.Graph.AddNodeOf("", c.op, []*onnxgraph.Value{x, m.Graph.AddConstant("one", onnxgraph.NewTensor([]int64{1}, []float32{1}))}, 3).Outputs()
		for i, v := range outputs {
			v.SetType(onnxgraph.Float32, onnxgraph.Static(1))
			if i > 0 {
				v.SetType(c.dtype, onnxgraph.Static(1))
			}
		}
		loss := m.Graph.AddNode("Where", []*onnxgraph.Value{m.Graph.AddConstant("yes", onnxgraph.NewScalar(true)), outputs[c.reads[0]], outputs[c.reads[1]]}).Output(0)
		loss.SetType(onnxgraph.Float32, onnxgraph.Static(1))
		if err := gradient.Check(loss, x); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one that says %q", c.op, err, c.want)
		}
	}
}

// TestWholeError compares the whole message of nodes that cannot be differentiated for several reasons: each node is there
// once, with those that have the same one. An operator of another domain is none of ONNX's, whatever its name.
func TestWholeError(t *testing.T) {
	const head = "between what trains and the loss there are nodes that cannot be differentiated: train only what comes after " +
		"them, or export the model without them:\n  "
	const mode = "Dropout in training mode draws numbers that cannot be repeated; it must be lowered first"
	for _, c := range []struct{ nodes, want string }{
		{"Relu", ""},
		{"Floor", ""},
		{"Dropout", `Dropout "Dropout": ` + mode},
		{"Tan Relu custom.Floor Tan", `no gradient rule for operators Tan (Tan "Tan", Tan "Tan_1"); custom.Floor (Floor "Floor")`},
		{"Dropout Tan Dropout", `no gradient rule for operators Tan (Tan "Tan")` + "\n  " +
			`Dropout "Dropout", Dropout "Dropout_1": ` + mode},
	} {
		m := onnxgraph.New("chain", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2))
		if err != nil {
			t.Fatal(err)
		}
		y := x
		for _, op := range strings.Fields(c.nodes) {
			domain, op, named := strings.Cut(op, ".")
			if !named {
				domain, op = "", domain
			}
			inputs := []*onnxgraph.Value{y}
			if op == "Dropout" {
				inputs = append(inputs, nil, m.Graph.AddConstant("mode", onnxgraph.NewScalar(true)))
			}
			y = m.Graph.AddNodeOf(domain, op, inputs, 1).Output(0)
			y.SetType(onnxgraph.Float32, onnxgraph.Static(2))
		}
		got := ""
		if err := gradient.Check(y, x); err != nil {
			got = strings.TrimPrefix(err.Error(), head)
		}
		if got != c.want {
			t.Errorf("%s: got\n  %s\nwant\n  %s", c.nodes, got, c.want)
		}
	}
}

// TestHalfPrecision: what computes in a type of 16 bits is told to be brought to float32 first; a Cast from it is differentiated.
func TestHalfPrecision(t *testing.T) {
	for _, dtype := range []onnxgraph.DType{onnxgraph.Float16, onnxgraph.BFloat16, onnxgraph.Float32, onnxgraph.Float64} {
		for _, op := range []string{"Relu", "Cast"} {
			m := onnxgraph.New("case", 8, 18)
			x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2))
			if err != nil {
				t.Fatal(err)
			}
			y := m.Graph.AddNode(op, []*onnxgraph.Value{x}).Output(0)
			y.SetType(dtype, onnxgraph.Static(2))
			refused := op == "Relu" && (dtype == onnxgraph.Float16 || dtype == onnxgraph.BFloat16)
			err = gradient.Check(y, x)
			if refused && (err == nil || !strings.Contains(err.Error(), "computes in "+dtype.String())) || !refused && err != nil {
				t.Errorf("%s in %v: error %v", op, dtype, err)
			}
		}
	}
}

// TestUntypedInHalfPrecision has a node with two faults: the error tells both.
func TestUntypedInHalfPrecision(t *testing.T) {
	m := onnxgraph.New("case", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float16, onnxgraph.Static(2))
	if err != nil {
		t.Fatal(err)
	}
	untyped := m.Graph.AddNode("Neg", []*onnxgraph.Value{x}).Output(0)
	y := m.Graph.AddNode("Add", []*onnxgraph.Value{x, untyped}).Output(0)
	y.SetType(onnxgraph.Float16, onnxgraph.Static(2))
	err = gradient.Check(y, x)
	for _, want := range []string{`Add "Add": computes in float16`, fmt.Sprintf(`Add "Add": value %q has no static shape`, untyped.Name())} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one that says %s", err, want)
		}
	}
}

// TestLossOfOneElement checks that only a single number is differentiated, and that nothing is added otherwise.
func TestLossOfOneElement(t *testing.T) {
	for _, c := range []struct {
		shape []onnxgraph.Dim
		ok    bool
	}{{onnxgraph.Static(), true}, {onnxgraph.Static(1, 1), true}, {onnxgraph.Static(1, 2), false}, {onnxgraph.Static(0), false}} {
		m := onnxgraph.New("loss", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, c.shape)
		if err != nil {
			t.Fatal(err)
		}
		y := m.Graph.AddNode("Relu", []*onnxgraph.Value{x}).Output(0)
		y.SetType(onnxgraph.Float32, c.shape)
		_, err = gradient.Of(onnxgraph.NewBuilder(m.Graph), y, x)
		if c.ok && err != nil || !c.ok && (err == nil || !strings.Contains(err.Error(), "must have exactly one element") || len(m.Graph.Nodes()) != 1) {
			t.Errorf("a loss of shape %v: %v, %d nodes", c.shape, err, len(m.Graph.Nodes()))
		}
	}
}

// TestIntegersLetNothingPass: what goes through integers has no gradient, which is no error, and adds no nodes that stay.
func TestIntegersLetNothingPass(t *testing.T) {
	type value = *onnxgraph.Value
	op := func(g *onnxgraph.Graph, dtype onnxgraph.DType, op string, inputs []value, attrs ...onnxgraph.Attribute) value {
		y := g.AddNode(op, inputs, attrs...).Output(0)
		y.SetType(dtype, onnxgraph.Static(1))
		return y
	}
	round := func(g *onnxgraph.Graph, x value) value {
		return op(g, onnxgraph.Int64, "Cast", []value{x}, integer("to", int64(onnxgraph.Int64)))
	}
	back := func(g *onnxgraph.Graph, x value) value {
		return op(g, onnxgraph.Float32, "Cast", []value{x}, integer("to", int64(onnxgraph.Float32)))
	}
	for name, build := range map[string]func(g *onnxgraph.Graph, x value) value{
		"there and back": func(g *onnxgraph.Graph, x value) value { return back(g, round(g, x)) },
		"to an operator": func(g *onnxgraph.Graph, x value) value {
			zero := g.AddConstant("zero", onnxgraph.NewTensor([]int64{1}, []int64{0}))
			return back(g, op(g, onnxgraph.Int64, "Gather", []value{round(g, x), zero}))
		},
		"to an index": func(g *onnxgraph.Graph, x value) value {
			table := g.AddConstant("table", onnxgraph.NewTensor([]int64{3}, []float32{1, 2, 3}))
			return op(g, onnxgraph.Float32, "Gather", []value{table, round(g, x)})
		},
		"to an exponent": func(g *onnxgraph.Graph, x value) value {
			two := g.AddConstant("two", onnxgraph.NewTensor([]int64{1}, []float32{2}))
			return op(g, onnxgraph.Float32, "Pow", []value{two, round(g, x)})
		},
	} {
		m := onnxgraph.New("case", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1))
		if err != nil {
			t.Fatal(err)
		}
		loss := build(m.Graph, x)
		m.Graph.AddOutput(loss, onnxgraph.Float32, onnxgraph.Static(1))
		before := len(m.Graph.Nodes())
		gradients, err := gradient.Of(onnxgraph.NewBuilder(m.Graph), loss, x)
		if err != nil || gradients.Of[x] != nil {
			t.Errorf("%s: gradient %v, error %v, want none", name, gradients, err)
		}
		if m.Graph.Prune(); len(m.Graph.Nodes()) != before {
			t.Errorf("%s: %d nodes, want %d", name, len(m.Graph.Nodes()), before)
		}
	}
}
