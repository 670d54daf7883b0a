package opset_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

// TestUnknownRank upgrades nodes behind a Reshape to a shape that only the caller knows: Softmax over one or more dimensions must
// not need the rank, and Clip finds the element type.
func TestUnknownRank(t *testing.T) {
	orttest.Init(t)
	type step struct {
		op    string
		attrs attrs
	}
	for _, c := range []struct {
		opset int64
		steps []step
	}{
		{9, []step{{"Clip", attrs{onnxgraph.Float("min", 0)}}, {"Softmax", nil}}},
		{12, []step{{"Softmax", attrs{onnxgraph.Int("axis", -3)}}}},
		{12, []step{{"Softmax", attrs{onnxgraph.Int("axis", -2)}}}},
		{12, []step{{"Softmax", attrs{onnxgraph.Int("axis", -1)}}}},
		{12, []step{{"Softmax", attrs{onnxgraph.Int("axis", 0)}}}},
		{12, []step{{"Softmax", attrs{onnxgraph.Int("axis", 1)}}}},
		{12, []step{{"Softmax", attrs{onnxgraph.Int("axis", 2)}}}},
	} {
		m := onnxgraph.New("unknown", 4, c.opset)
		x, errX := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(24))
		shape, errShape := m.Graph.AddInput("shape", onnxgraph.Int64, onnxgraph.Static(3))
		if err := errors.Join(errX, errShape); err != nil {
			t.Fatal(err)
		}
		y := m.Graph.AddNode("Reshape", []*onnxgraph.Value{x, shape}).Output(0)
		for _, s := range c.steps {
			y = m.Graph.AddNode(s.op, []*onnxgraph.Value{y}, s.attrs...).Output(0)
		}
		m.Graph.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(2, 3, 4))
		feed := tensors{"x": waves(24), "shape": ints(2, 3, 4)}
		want, err := run(m, feed)
		if err != nil {
			t.Fatal(err)
		}
		got, err := run(upgraded(t, m), feed)
		if err == nil {
			err = differ(got, want)
		}
		if err != nil {
			t.Errorf("opset %d, %v: %v", c.opset, c.steps, err)
		}
	}
}

// TestInferredTypes upgrades nodes whose newer form depends on the element type or the rank of an input that the model
// does not declare: it follows from what comes before.
func TestInferredTypes(t *testing.T) {
	type step struct {
		op     string
		inputs []*onnxgraph.Tensor // behind the one that the step before made
		attrs  attrs

		declared []onnxgraph.Dim // what the model says of the shape of its output, if anything
	}
	relu := step{op: "Relu"}
	for _, c := range []struct {
		name    string
		steps   []step // from a float32 [2, 3, 4]
		dtype   onnxgraph.DType
		rank    int // -1: not known
		version int64
	}{
		{"nothing", nil, onnxgraph.Float32, 3, 6},
		{"Relu of another domain", []step{{op: "custom.Relu"}}, onnxgraph.Undefined, -1, 6},
		{"Squeeze, declared", []step{{op: "Squeeze", declared: onnxgraph.Static(2, 3, 4, 1)}}, onnxgraph.Float32, 4, 6},
		{"Add of a scalar", []step{{op: "Add", inputs: []*onnxgraph.Tensor{onnxgraph.NewScalar[float32](1)}, attrs: attrs{onnxgraph.Int("broadcast", 1)}}}, onnxgraph.Float32, 3, 6},
		{"Relu", []step{relu, relu}, onnxgraph.Float32, 3, 6},
		{"Cast", []step{relu, {op: "Cast", attrs: attrs{onnxgraph.Int("to", int64(onnxgraph.Float16))}}}, onnxgraph.Float16, 3, 6},
		{"Cast by name", []step{{op: "Cast", attrs: attrs{onnxgraph.Str("to", "DOUBLE")}}, relu}, onnxgraph.Float64, 3, 5},
		{"Flatten", []step{relu, {op: "Flatten"}, relu}, onnxgraph.Float32, 2, 6},
		{"Gemm", []step{{op: "Flatten"}, {op: "Gemm", inputs: []*onnxgraph.Tensor{waves(12, 3), waves(3)}}}, onnxgraph.Float32, 2, 6},
		{"Reshape", []step{{op: "Reshape", inputs: []*onnxgraph.Tensor{ints(1, 2, 3, 4)}}}, onnxgraph.Float32, 4, 6},
		{"Reshape attribute", []step{{op: "Reshape", attrs: attrs{onnxgraph.Ints("shape", 1, 2, 3, 4)}}}, onnxgraph.Float32, 4, 4},
		{"Add of more dimensions", []step{{op: "Add", inputs: []*onnxgraph.Tensor{waves(5, 2, 3, 4)}}}, onnxgraph.Float32, 4, 6},
		{"Mul of fewer dimensions", []step{{op: "Mul", inputs: []*onnxgraph.Tensor{waves(4)}, attrs: attrs{onnxgraph.Int("broadcast", 1)}}}, onnxgraph.Float32, 3, 6},
		{"Squeeze", []step{{op: "Squeeze"}}, onnxgraph.Float32, -1, 6},
		{"Add of an unknown rank", []step{{op: "Squeeze"}, {op: "Add", inputs: []*onnxgraph.Tensor{waves(5, 2, 3, 4)}}}, onnxgraph.Float32, -1, 6},
		{"Shape", []step{{op: "Shape"}}, onnxgraph.Undefined, -1, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The last output of the chain, of which nothing is declared, is read by op.
			chain := func(op string, inputs []*onnxgraph.Tensor, a ...onnxgraph.Attribute) *onnxgraph.Model {
				m := onnxgraph.New("chain", 4, c.version)
				x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 3, 4))
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range append(slices.Clone(c.steps), step{op: op, inputs: inputs, attrs: a}) {
					in := []*onnxgraph.Value{x}
					for _, constant := range s.inputs {
						in = append(in, m.Graph.AddConstant("c", constant))
					}
					domain, op, named := strings.Cut(s.op, ".")
					if !named {
						domain, op = "", domain
					}
					x = m.Graph.AddNodeOf(domain, op, in, 1, s.attrs...).Output(0)
					if s.declared != nil {
						x.SetType(onnxgraph.Float32, s.declared)
					}
				}
				m.Graph.AddOutput(x, onnxgraph.Float32, nil)
				return m.Clone() // with attributes of its own
			}
			clip := chain("Clip", nil, onnxgraph.Float("min", 0.5))
			err := opset.Upgrade(clip, opset.Newest)
			if (err != nil) != (c.dtype == onnxgraph.Undefined) || err != nil && !strings.Contains(err.Error(), "element type") {
				t.Errorf("Clip: got error %v", err)
			}
			if err == nil {
				if limit := last(clip).Input(1).Constant(); limit.DType() != c.dtype || limit.Rank() != 0 {
					t.Errorf("Clip: the limit is %v%v, want a scalar of %v", limit.DType(), limit.Dims(), c.dtype)
				}
			}
			prelu := chain("PRelu", []*onnxgraph.Tensor{waves(3)})
			err = opset.Upgrade(prelu, opset.Newest)
			if (err != nil) != (c.rank < 0) || err != nil && !strings.Contains(err.Error(), "needs the ranks of the inputs") {
				t.Errorf("PRelu: got error %v", err)
			}
			if err == nil {
				if got := aligning(last(prelu).Input(1)); got != c.rank-2 {
					t.Errorf("PRelu: %d dimensions behind the slope, want %d", got, c.rank-2)
				}
			}
			single := chain("PRelu", []*onnxgraph.Tensor{waves(1)})
			if err := opset.Upgrade(single, opset.Newest); err != nil || last(single).Input(1).Producer() != nil {
				t.Errorf("PRelu of one slope for all: got error %v; it reads %v", err, last(single).Input(1))
			}
			add := chain("Add", []*onnxgraph.Tensor{waves(3)}, onnxgraph.Int("broadcast", 1), onnxgraph.Int("axis", 1))
			err = opset.Upgrade(add, opset.Newest)
			if (err != nil) != (c.rank < 0) || err != nil && !strings.Contains(err.Error(), "needs the ranks of the inputs") {
				t.Errorf("Add: got error %v", err)
			}
			if err == nil {
				if got := aligning(last(add).Input(1)); got != c.rank-2 {
					t.Errorf("Add: %d dimensions behind the vector, want %d", got, c.rank-2)
				}
			}
		})
	}
}

// aligning returns how many dimensions of size 1 v has been given behind its own.
func aligning(v *onnxgraph.Value) int {
	if n := v.Producer(); n != nil && n.Is("Unsqueeze") {
		if axes := int(n.Input(1).Constant().Len()); axes > 0 {
			return axes
		}
		return -1 // of no use
	}
	return 0
}

// TestBodies upgrades a Clip behind a Relu in the branches of an If, whose types are declared nowhere.
func TestBodies(t *testing.T) {
	orttest.Init(t)
	flat := onnxgraph.New("flat", 8, 10)
	x, err := flat.Graph.AddInput(convcases.X, onnxgraph.Float32, onnxgraph.Static(4))
	if err != nil {
		t.Fatal(err)
	}
	relu := flat.Graph.AddNode("Relu", []*onnxgraph.Value{x})
	y := flat.Graph.AddNode("Clip", relu.Outputs(), onnxgraph.Float("max", 0.5)).Output(0)
	flat.Graph.Rename(y, convcases.Y)
	flat.Graph.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(4))
	m := convcases.Nest(flat, convcases.Places[0])
	got, err := run(upgraded(t, m), tensors{convcases.X: floats(dims(4), -1, 0.25, 2, 3)})
	if err == nil {
		err = differ(got, tensors{convcases.Y: floats(dims(4), 0, 0.25, 0.5, 0.5)})
	}
	if err != nil {
		t.Error(err)
	}
}

// TestDTypes infers the element types of values in the main graph, in bodies and in functions. What is not known is not there.
func TestDTypes(t *testing.T) {
	flat := onnxgraph.New("flat", 8, 18)
	x, err := flat.Graph.AddInput(convcases.X, onnxgraph.Float32, onnxgraph.Static(4))
	if err != nil {
		t.Fatal(err)
	}
	cast := flat.Graph.AddNode("Cast", []*onnxgraph.Value{x}, onnxgraph.Int("to", int64(onnxgraph.Float64)))
	relu := flat.Graph.AddNode("Relu", cast.Outputs())
	y := flat.Graph.AddNode("Cast", relu.Outputs(), onnxgraph.Int("to", int64(onnxgraph.Float32))).Output(0)
	unknown := flat.Graph.AddNode("Shape", []*onnxgraph.Value{x}).Output(0)
	flat.Graph.Rename(relu.Output(0), "doubles")
	flat.Graph.Rename(unknown, "unknown")
	flat.Graph.Rename(y, convcases.Y)
	flat.Graph.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(4))
	models := map[string]*onnxgraph.Model{"main graph": flat}
	for _, place := range convcases.Places {
		models[place.Name] = convcases.Nest(flat, place)
	}
	for place, m := range models {
		found := 0
		list := opset.DTypes(m)
		for _, g := range m.Graphs() {
			if v := g.Value("doubles"); v != nil {
				found++
				if list[v] != onnxgraph.Float64 {
					t.Errorf("%s: the value is taken for %v, want float64", place, list[v])
				}
			}
			if _, known := list[g.Value("unknown")]; known {
				t.Errorf("%s: there is an entry for a value of unknown type", place)
			}
		}
		if found == 0 {
			t.Errorf("%s: the value is not there", place)
		}
	}
}
