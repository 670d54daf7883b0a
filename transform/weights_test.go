package transform_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// chain adds nodes that each read what the one before computes, and returns what the last does. A step's further inputs are
// constant vectors of integers.
func chain(g *onnxgraph.Graph, v *onnxgraph.Value, steps ...step) *onnxgraph.Value {
	for _, s := range steps {
		inputs := []*onnxgraph.Value{v}
		if v == nil {
			inputs = nil
		}
		if s.ints != nil {
			inputs = append(inputs, g.AddConstant("ints", onnxgraph.NewTensor([]int64{int64(len(s.ints))}, s.ints)))
		}
		v = g.AddNode(s.operator, inputs, s.attrs...).Output(0)
	}
	return v
}

type step struct {
	operator string
	ints     []int64
	attrs    []onnxgraph.Attribute
}

// weights are ways in which files give a convolution its weight, of dims [4, 3, 3, 3].
var weights = []struct {
	name   string
	opset  int64
	weight func(g *onnxgraph.Graph) *onnxgraph.Value
	reason string // why the convolution is left alone, "" if it is rewritten
}{
	{"initializer", 18, func(g *onnxgraph.Graph) *onnxgraph.Value { return drawnWeight(g, 4, 3, 3, 3) }, ""},
	{"Constant", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, nil, step{"Constant", nil, []onnxgraph.Attribute{onnxgraph.TensorAttr("value", convcases.Draw(onnxgraph.Float32, 1, 4, 3, 3, 3))}})
	}, ""},
	{"Constant of value_floats, Reshape", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		data, _ := convcases.Draw(onnxgraph.Float32, 1, 4*27).Float32s()
		return chain(g, nil, step{"Constant", nil, []onnxgraph.Attribute{onnxgraph.Floats("value_floats", data...)}}, step{"Reshape", []int64{4, 3, 3, 3}, nil})
	}, ""},
	{"Constant of value_ints, Cast, Reshape", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		data := make([]int64, 4*27)
		for i := range data {
			data[i] = int64(i*i%7 - 3)
		}
		return chain(g, nil, step{"Constant", nil, []onnxgraph.Attribute{onnxgraph.Ints("value_ints", data...)}},
			step{"Cast", nil, []onnxgraph.Attribute{onnxgraph.Int("to", int64(onnxgraph.Float32))}}, step{"Reshape", []int64{4, 3, 3, 3}, nil})
	}, ""},
	{"Constant of value_float, Unsqueeze", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, nil, step{"Constant", nil, []onnxgraph.Attribute{onnxgraph.Float("value_float", 2)}}, step{"Unsqueeze", []int64{0, 1, 2, 3}, nil})
	}, "not spatial"},
	{"default of an input", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		g.Model().SetIRVersion(3) // in which every initializer is an input, too
		w := drawnWeight(g, 4, 3, 3, 3)
		g.Model().SetIRVersion(8)
		return w
	}, ""},
	{"Identity, twice", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Identity", nil, nil}, step{"Identity", nil, nil})
	}, ""},
	{"Cast from float16", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, g.AddConstant("half", convcases.Draw(onnxgraph.Float16, 1, 4, 3, 3, 3)), step{"Cast", nil, []onnxgraph.Attribute{onnxgraph.Int("to", int64(onnxgraph.Float32))}})
	}, ""},
	{"Transpose", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 3, 3, 3, 4), step{"Transpose", nil, []onnxgraph.Attribute{onnxgraph.Ints("perm", 3, 2, 0, 1)}})
	}, ""},
	{"Transpose of all axes", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 3, 3, 3, 4), step{"Transpose", nil, nil})
	}, ""},
	{"Reshape with 0 and -1", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 27), step{"Reshape", []int64{0, -1, 3, 3}, nil})
	}, ""},
	{"Flatten, Reshape", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 2, 2, 27), step{"Flatten", nil, []onnxgraph.Attribute{onnxgraph.Int("axis", -1)}}, step{"Reshape", []int64{4, 3, 3, 3}, nil})
	}, ""},
	{"Unsqueeze, Squeeze", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Unsqueeze", []int64{-1, 0, 2}, nil}, step{"Squeeze", []int64{0, 2, -1}, nil})
	}, ""},
	{"Squeeze of all", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 1, 4, 3, 1, 3, 3), step{"Squeeze", nil, nil})
	}, ""},
	{"Unsqueeze and Squeeze by attribute", 11, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Unsqueeze", nil, []onnxgraph.Attribute{onnxgraph.Ints("axes", 0, 3)}}, step{"Squeeze", nil, []onnxgraph.Attribute{onnxgraph.Ints("axes", 3, 0)}})
	}, ""},
	{"Squeeze of one of two", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 1, 4, 3, 3, 1), step{"Squeeze", []int64{0}, nil})
	}, ""},
	{"Squeeze of one of two, by attribute", 11, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 1, 4, 3, 3, 1), step{"Squeeze", nil, []onnxgraph.Attribute{onnxgraph.Ints("axes", 0)}})
	}, ""},
	{"Flatten of all but the first axis, Reshape", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 9), step{"Flatten", nil, nil}, step{"Reshape", []int64{4, 3, 3, 3}, nil})
	}, ""},
	{"Flatten at both ends, Reshape", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 27), step{"Flatten", nil, []onnxgraph.Attribute{onnxgraph.Int("axis", 0)}},
			step{"Flatten", nil, []onnxgraph.Attribute{onnxgraph.Int("axis", 2)}}, step{"Flatten", nil, []onnxgraph.Attribute{onnxgraph.Int("axis", -2)}}, step{"Reshape", []int64{4, 3, 3, 3}, nil})
	}, ""},
	{"Cast from integers", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		data := make([]int32, 4*27)
		for i := range data {
			data[i] = int32(i%5 - 2)
		}
		return chain(g, g.AddConstant("w", onnxgraph.NewTensor([]int64{4, 3, 3, 3}, data)), step{"Cast", nil, []onnxgraph.Attribute{onnxgraph.Int("to", int64(onnxgraph.Float32))}})
	}, ""},
	{"ConstantOfShape", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		value := onnxgraph.TensorAttr("value", onnxgraph.NewTensor([]int64{1}, []float32{0.3}))
		return chain(g, nil, step{"ConstantOfShape", []int64{4, 3, 3, 3}, []onnxgraph.Attribute{value}})
	}, ""},
	{"ConstantOfShape of zeros", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, nil, step{"ConstantOfShape", []int64{4, 3, 3, 3}, nil})
	}, ""},

	{"text", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, nil, step{"Constant", nil, []onnxgraph.Attribute{onnxgraph.Str("value_string", "text")}})
	}, "holds no numbers"},
	{"computed from constants", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Tanh", nil, nil})
	}, `is computed by Tanh "Tanh" from constants: export the model with constant folding`},
	{"computed from one constant by two ways", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		v := chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Tanh", nil, nil})
		return g.AddNode("Add", []*onnxgraph.Value{v, v}).Output(0)
	}, `is computed by Add "Add" from constants`},
	{"computed from constants, an input absent", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return g.AddNode("Clip", []*onnxgraph.Value{drawnWeight(g, 4, 3, 3, 3), nil, g.AddConstant("most", onnxgraph.NewScalar(float32(1)))}).Output(0)
	}, `is computed by Clip "Clip" from constants`},
	{"computed behind a Reshape", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 27), step{"Tanh", nil, nil}, step{"Reshape", []int64{4, 3, 3, 3}, nil})
	}, `is computed by Tanh "Tanh" from constants`},
	{"computed from constants by many nodes", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), slices.Repeat([]step{{"Tanh", nil, nil}}, 90)...)
	}, "from constants"},
	{"computed by more nodes than are followed", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), slices.Repeat([]step{{"Tanh", nil, nil}}, 110)...)
	}, "from the model's inputs, or by more than 100 nodes"},
	{"without a kernel", 18, func(g *onnxgraph.Graph) *onnxgraph.Value { return drawnWeight(g, 4, 3) }, "not filters × channels × kernel"},
	{"computed from the data", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, g.Value(convcases.X), step{"Exp", nil, nil})
	}, `is computed by Exp "Exp" from the model's inputs`},
	{"random", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, nil, step{"RandomNormal", nil, []onnxgraph.Attribute{onnxgraph.Ints("shape", 4, 3, 3, 3)}})
	}, "is computed by RandomNormal"},
	{"quantized", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"DequantizeLinear", nil, nil})
	}, "is quantized (DequantizeLinear \"DequantizeLinear\"): rewrite the floating-point model that was quantized"},
	{"input", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		w := drawnWeight(g, 4, 3, 3, 3)
		g.MakeInput(w)
		return w
	}, "is a graph input without data: store it"},
	{"absent", 18, func(*onnxgraph.Graph) *onnxgraph.Value { return nil }, "absent"},
	{"integers", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return g.AddConstant("i", onnxgraph.NewTensor([]int64{4, 3, 3, 3}, make([]int32, 108)))
	}, "not floating-point"},
	{"of no elements", 18, func(g *onnxgraph.Graph) *onnxgraph.Value { return drawnWeight(g, 0, 3, 3, 3) }, "malformed"},
	{"ConstantOfShape of no elements", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, nil, step{"ConstantOfShape", []int64{0, 3, 3, 3}, nil})
	}, "malformed: its weight"},
	{"1×1", 18, func(g *onnxgraph.Graph) *onnxgraph.Value { return drawnWeight(g, 4, 3, 1, 1) }, "not spatial"},
	{"a perm that is none", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Transpose", nil, []onnxgraph.Attribute{onnxgraph.Ints("perm", 0, 0, 1, 9)}})
	}, "perm"},
	{"a shape that does not fit", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Reshape", []int64{5, -1, 3, 3}, nil})
	}, "cannot be computed"},
	{"axes that are not there", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Unsqueeze", []int64{7}, nil})
	}, "axes [7] of 5"},
	{"axes before the first", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Unsqueeze", []int64{-6}, nil})
	}, "axes [-6] of 5"},
	{"flattened beyond the axes", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Flatten", nil, []onnxgraph.Attribute{onnxgraph.Int("axis", 5)}})
	}, "axis 5 of 4"},
	{"flattened before the axes", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Flatten", nil, []onnxgraph.Attribute{onnxgraph.Int("axis", -5)}})
	}, "axis -1 of 4"},
	{"two sizes left open", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 27), step{"Reshape", []int64{-1, -1, 3, 3}, nil})
	}, "cannot be computed"},
	{"an axis twice", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 27), step{"Unsqueeze", []int64{0, 0}, nil})
	}, "axes [0 0] repeat"},
	{"filled beyond measure", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, nil, step{"ConstantOfShape", []int64{1 << 40, 1 << 40, 3, 3}, nil})
	}, "cannot be computed"},
	{"filled just beyond measure", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, nil, step{"ConstantOfShape", []int64{1 << 12, 1 << 11, 2, 1}, nil})
	}, "cannot be computed"},
	{"filled with several numbers", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		value := onnxgraph.TensorAttr("value", onnxgraph.NewTensor([]int64{2}, []float32{0.3, 0.4}))
		return chain(g, nil, step{"ConstantOfShape", []int64{4, 3, 3, 3}, []onnxgraph.Attribute{value}})
	}, "cannot be computed"},
	{"a Cast that names no type", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Cast", nil, nil})
	}, "cannot be computed"},
	{"a shape with a 0 beyond the axes", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 27), step{"Reshape", []int64{4, 27, 0, 1}, nil})
	}, "cannot be computed"},
	{"a shape with a 0 that means none", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 27), step{"Reshape", []int64{0, 3, 3, 3}, []onnxgraph.Attribute{onnxgraph.Int("allowzero", 1)}})
	}, "cannot be computed"},
	{"an open size among none", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 27), step{"Reshape", []int64{0, -1, 3, 3}, []onnxgraph.Attribute{onnxgraph.Int("allowzero", 1)}})
	}, "cannot be computed"},
	{"axes that are no integers", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return g.AddNode("Squeeze", []*onnxgraph.Value{drawnWeight(g, 4, 3, 3, 3), g.AddConstant("axes", onnxgraph.NewTensor([]int64{1}, []float32{0}))}).Output(0)
	}, "cannot be computed"},
	{"a shape of no integers", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return g.AddNode("Reshape", []*onnxgraph.Value{drawnWeight(g, 4, 27), g.AddConstant("dims", onnxgraph.NewTensor([]int64{4}, []float32{4, 3, 3, 3}))}).Output(0)
	}, "cannot be computed"},
	{"filled in a shape of no integers", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return g.AddNode("ConstantOfShape", []*onnxgraph.Value{g.AddConstant("dims", onnxgraph.NewTensor([]int64{4}, []float32{4, 3, 3, 3}))}).Output(0)
	}, "cannot be computed"},
	{"another operator that is called Identity", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		g.Model().SetOpset("vendor", 1)
		return g.AddNodeOf("vendor", "Identity", []*onnxgraph.Value{drawnWeight(g, 4, 3, 3, 3)}, 1).Output(0)
	}, "is computed by"},
	{"a type without numbers", 18, func(g *onnxgraph.Graph) *onnxgraph.Value {
		return chain(g, drawnWeight(g, 4, 3, 3, 3), step{"Cast", nil, []onnxgraph.Attribute{onnxgraph.Int("to", int64(onnxgraph.String))}})
	}, "cannot be computed"},
}

func drawnWeight(g *onnxgraph.Graph, dims ...int64) *onnxgraph.Value {
	return g.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, dims...))
}

// TestWeights gives a convolution its weight in every way that files have: ONNX Runtime, which runs the source, must find
// the same in the block and in what it is merged to. Convolutions that are left alone say why.
func TestWeights(t *testing.T) {
	orttest.Init(t)
	c := convcases.Cases[0]
	for _, row := range weights {
		t.Run(row.name, func(t *testing.T) {
			c.Opset = row.opset
			m := c.Model()
			conv, old := m.Graph.Nodes()[0], m.Graph.Value(convcases.Weight)
			conv.SetInput(1, row.weight(m.Graph))
			onnxgraph.RemoveUnused(old)
			data, err := m.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if row.reason != "" {
				report, err := transform.Convert(m, transform.Options{})
				if err != nil || report[0].Status != transform.Skipped || !strings.Contains(report[0].Reason, row.reason) {
					t.Errorf("got %+v, %v, want the reason %q", report, err, row.reason)
				}
				if after, err := m.Bytes(); err != nil || !slices.Equal(after, data) {
					t.Errorf("the model is not as it was, %v", err)
				}
				return
			}
			want := transformtest.Execute(t, m, c.Data())
			report, err := transform.Convert(m, spanning(c, transform.Depthwise, transform.None))
			if err != nil || report[0].Status != transform.Converted {
				t.Fatalf("%+v, %v", report, err)
			}
			m = transformtest.Reloaded(t, m)
			transformtest.Compare(t, "the block", transformtest.Execute(t, m, c.Data()), want)
			if operators, _, _ := transformtest.Census(m); len(operators) != 1 {
				t.Errorf("what computed the weight is still there: %v", operators)
			}
			if outcomes, err := transform.Merge(m); err != nil || outcomes[0].Status != transform.Merged {
				t.Fatalf("%+v, %v", outcomes, err)
			}
			if name := m.Graph.Nodes()[0].Input(1).Name(); strings.HasPrefix(name, "ints") {
				t.Errorf("the merged weight is called %q, as a shape is", name)
			}
			transformtest.Compare(t, "the merged convolution", transformtest.Execute(t, transformtest.Reloaded(t, m), c.Data()), want)
		})
	}
}

// TestNodesThatReadNothing has weights from nodes without the inputs that they need, as no exporter writes them.
func TestNodesThatReadNothing(t *testing.T) {
	for _, operator := range []string{"Identity", "Cast", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "ConstantOfShape"} {
		m := convcases.Cases[0].Model()
		m.Graph.Nodes()[0].SetInput(1, m.Graph.AddNode(operator, nil).Output(0))
		report, err := transform.Convert(m, transform.Options{})
		if err != nil || report[0].Status != transform.Skipped || !strings.Contains(report[0].Reason, "cannot be computed from constants") {
			t.Errorf("%s: %+v, %v", operator, report, err)
		}
	}
}

// TestMalformed leaves convolutions alone whose attributes contradict their weight.
func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		name string
		attr onnxgraph.Attribute
	}{
		{"kernel_shape", onnxgraph.Ints("kernel_shape", 5, 5)},
		{"kernel_shape", onnxgraph.Ints("kernel_shape", 3)},
		{"groups", onnxgraph.Int("group", 0)},
		{"groups", onnxgraph.Int("group", 3)},
		{"strides", onnxgraph.Ints("strides", 0, 1)},
		{"strides", onnxgraph.Ints("strides", 1)},
		{"dilations", onnxgraph.Ints("dilations", 1)},
		{"dilations", onnxgraph.Ints("dilations", 1, 0)},
		{"pads", onnxgraph.Ints("pads", 1, 1)},
		{"auto_pad", onnxgraph.Str("auto_pad", "SAME")},
	} {
		name, attr := c.name, c.attr
		m := convcases.Cases[0].Model()
		m.Graph.Nodes()[0].SetAttr(attr)
		report, err := transform.Convert(m, transform.Options{})
		if err != nil || report[0].Status != transform.Skipped || !strings.Contains(report[0].Reason, "malformed") || !strings.Contains(report[0].Reason, name) {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

// TestSparseWeight converts a convolution whose weight is a sparse initializer, which cannot train: it computes what it did.
func TestSparseWeight(t *testing.T) {
	orttest.Init(t)
	c := convcases.Cases[0]
	m := c.Model()
	weight := m.Graph.Value(convcases.Weight)
	dense := make([]float32, weight.Constant().Len())
	dense[0], dense[len(dense)-1] = 2, -3
	weight.SetConstant(onnxgraph.NewTensor(weight.Constant().Dims(), dense))
	want := transformtest.Execute(t, m, c.Data())
	m = transformtest.Sparse(t, m, convcases.Weight)
	if roles := transformtest.RolesOf(t, m); len(roles) > 1 { // the initializer that has another name now
		t.Errorf("the roles are %v", roles)
	}
	if out, err := parameter.FindLeftOut(m); err != nil || !slices.Equal(out.Unsuited, []string{convcases.Weight}) || out.Constants != nil {
		t.Errorf("left out are %+v, %v", out, err)
	}
	report, err := transform.Convert(m, spanning(c, transform.Depthwise, transform.None))
	if err != nil || report[0].Status != transform.Converted {
		t.Fatalf("%+v, %v", report, err)
	}
	transformtest.Compare(t, "the block", transformtest.Execute(t, transformtest.Parsed(t, m), c.Data()), want)
}

// TestSparseBank tells of a block whose bank or 1×1 weight another tool has made sparse.
func TestSparseBank(t *testing.T) {
	for name, want := range map[string]string{"conv.bank": `no constant "conv.bank", its bank`, "conv.pointwise": `no constant "conv.pointwise", its pointwise weight`} {
		m := transformtest.Sparse(t, transformtest.Converted(t, convcases.Named("bias"), transform.Options{}), name)
		if _, err := transform.Blocks(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// TestSparseParameters separates what layers share beside a sparse weight, which stays and does not train.
func TestSparseParameters(t *testing.T) {
	m := transformtest.Sparse(t, transformtest.Sketch(t, "Conv x w1 g -> a\nConv a w2 g -> b"), "w1")
	if got := parameter.Separate(m); !slices.Equal(got, []parameter.Separated{{Name: "g", Copies: 2}}) {
		t.Errorf("separated %v", got)
	}
	if trained, err := parameter.Baseline.Trained(m); err != nil || slices.Contains(trained, "w1") || !slices.Contains(trained, "w2") {
		t.Errorf("%q train, %v", trained, err)
	}
}
