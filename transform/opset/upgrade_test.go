package opset_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

// TestDropoutMask reads the mask of an old Dropout, which had the element type of the data. ONNX Runtime's
// own masks of those versions are zeros, against the meaning of a mask, so they are no reference.
func TestDropoutMask(t *testing.T) {
	orttest.Init(t)
	m, feed := calling(t, 7, "Dropout", []*onnxgraph.Tensor{waves(4)}, append(float32s(4), float32s(4)...))
	got, err := run(upgraded(t, m), feed)
	if err != nil {
		t.Fatal(err)
	}
	if err := differ(got, tensors{"y0": waves(4), "y1": floats(dims(4), 1, 1, 1, 1)}); err != nil {
		t.Error(err)
	}
}

// TestLeftAlone checks which models stay byte for byte as they are.
func TestLeftAlone(t *testing.T) {
	for _, c := range []struct {
		name                 string
		version, target      int64
		operators, complaint string
		lines                int // of the error behind its first
	}{
		{"the same version", 18, 18, "Relu", "", 0},
		{"a newer version", 21, 18, "Relu", "", 0},
		{"an unreachable version", 18, 19, "Relu", `upgrading model "g" from opset 18 to 19: the newest that can be reached is 18`, 0},
		{"old forms without a newer one", 2, 18, "Clip GRU Softmax Tile MeanVarianceNormalization Scan ImageScaler Scan", `Scan "Scan_1", whose form changed in opset 9`, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := onnxgraph.New("g", 3, c.version)
			x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2))
			if err != nil {
				t.Fatal(err)
			}
			for _, op := range strings.Fields(c.operators) {
				m.Graph.AddNode(op, []*onnxgraph.Value{x}, onnxgraph.Float("min", 0))
			}
			before, err := m.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			err = opset.Upgrade(m, c.target)
			if (err != nil) != (c.complaint != "") || err != nil && !strings.Contains(err.Error(), c.complaint) {
				t.Errorf("got error %v, want %q", err, c.complaint)
			}
			if err != nil && strings.Count(err.Error(), "\n") != c.lines {
				t.Errorf("the error must have %d lines, one for each node without a newer form: %v", c.lines+1, err)
			}
			if after, err := m.Bytes(); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the model has changed (%v)", err)
			}
		})
	}
}

// TestForms checks changes that no numbers show: ONNX Runtime does not run these old forms, or the values
// differ by less than rounding.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		version int64
		op      string
		inputs  []*onnxgraph.Tensor
		attr    onnxgraph.Attribute
		ok      func(n *onnxgraph.Node) bool
	}{
		{5, "Selu", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Ints("consumed_inputs", 0), func(n *onnxgraph.Node) bool {
			return n.Float("alpha", 0) == 1.6732 && n.Float("gamma", 0) == 1.0507 && !n.Has("consumed_inputs")
		}},
		{5, "Selu", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Float("alpha", 2), func(n *onnxgraph.Node) bool {
			return n.Float("alpha", 0) == 2 && n.Float("gamma", 0) == 1.0507
		}},
		{6, "Dropout", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Float("ratio", 0.3), func(n *onnxgraph.Node) bool {
			ratio := n.Input(1).Constant()
			return len(n.Attributes()) == 0 && ratio.Rank() == 0 && slices.Equal(numbers(t, ratio), []float64{float64(float32(0.3))})
		}},
		{15, "RoiAlign", []*onnxgraph.Tensor{waves(1, 1, 2, 2), waves(1, 4), ints(0)}, onnxgraph.Int("output_width", 1), func(n *onnxgraph.Node) bool {
			return n.Str("coordinate_transformation_mode", "") == "output_half_pixel"
		}},
		{12, "Softmax", []*onnxgraph.Tensor{waves(2, 3)}, onnxgraph.Int("axis", 1), func(n *onnxgraph.Node) bool { return n.Is("Softmax") }},
		{12, "Softmax", []*onnxgraph.Tensor{waves(2, 3)}, onnxgraph.Int("axis", -1), func(n *onnxgraph.Node) bool { return n.Is("Softmax") }},
		{12, "Softmax", []*onnxgraph.Tensor{waves(2, 3, 1, 1)}, onnxgraph.Int("axis", -3), func(n *onnxgraph.Node) bool { return n.Is("Softmax") }},
		{12, "Softmax", []*onnxgraph.Tensor{waves(3, 1, 1)}, onnxgraph.Int("axis", 0), func(n *onnxgraph.Node) bool { return n.Is("Softmax") }},
		{6, "LSTM", []*onnxgraph.Tensor{waves(1, 1, 2)}, onnxgraph.Int("output_sequence", 1), func(n *onnxgraph.Node) bool {
			return len(n.Attributes()) == 0
		}},
	} {
		m, _ := calling(t, c.version, c.op, c.inputs, float32s(2), c.attr)
		nodes := upgraded(t, m).Graph.Nodes()
		if len(nodes) != 1 || !c.ok(nodes[0]) {
			t.Errorf("%s of opset %d: wrong form after the upgrade: %v with attributes %v", c.op, c.version, nodes, nodes[0].Attributes())
		}
	}
}

// TestSplitSizesInput upgrades Split of opset 1, which could take the sizes as an input.
func TestSplitSizesInput(t *testing.T) {
	orttest.Init(t)
	m, feed := calling(t, 1, "Split", []*onnxgraph.Tensor{floats(dims(3), 1, 2, 3)}, append(float32s(1), float32s(2)...))
	m.Graph.Nodes()[0].SetInput(1, m.Graph.AddConstant("sizes", floats(dims(2), 1, 2)))
	got, err := run(upgraded(t, m), feed)
	if err != nil {
		t.Fatal(err)
	}
	if err := differ(got, tensors{"y0": floats(dims(1), 1), "y1": floats(dims(2), 2, 3)}); err != nil {
		t.Error(err)
	}
}

// TestNoNewerForm checks that what the newer form cannot express is an error that names the node.
func TestNoNewerForm(t *testing.T) {
	for _, c := range []struct {
		name      string
		version   int64
		op        string
		inputs    []*onnxgraph.Tensor
		outputs   []port
		attr      onnxgraph.Attribute
		complaint string
	}{
		{"statistics of each activation", 8, "BatchNormalization", statistics(), float32s(2), onnxgraph.Int("spatial", 0), "spatial=0"},
		{"saved statistics", 8, "BatchNormalization", statistics(), []port{{onnxgraph.Float32, dims(2)}, {}, {}, {onnxgraph.Float32, dims(2)}}, onnxgraph.Float("epsilon", 0), "output 3"},
		{"outputs in test mode", 6, "BatchNormalization", statistics(), append(float32s(2), float32s(2)...), onnxgraph.Int("is_test", 1), "output 1"},
		{"no such axis", 6, "Add", []*onnxgraph.Tensor{waves(2), waves(2)}, float32s(2), onnxgraph.Int("axis", 1), "attribute axis=1 does not fit inputs of ranks 1 and 1"},
		{"a vector to a scalar", 6, "Add", []*onnxgraph.Tensor{onnxgraph.NewScalar[float32](1), waves(2)}, float32s(2), onnxgraph.Int("axis", 0), "does not fit inputs of ranks 0 and 1"},
		{"an operand of unknown rank", 6, "Add", []*onnxgraph.Tensor{waves(2, 2), waves(2)}, float32s(2), onnxgraph.Int("axis", 0), "ranks of the inputs, which are not known"},
		{"no scales of a Resize", 10, "Resize", []*onnxgraph.Tensor{waves(2, 2)}, float32s(1), onnxgraph.Str("mode", "nearest"), "it has no scales"},
		{"no slope", 6, "PRelu", []*onnxgraph.Tensor{waves(2, 2)}, float32s(1), onnxgraph.Ints("consumed_inputs", 0), "it has no slope"},
		{"no such axis from the end", 6, "Add", []*onnxgraph.Tensor{waves(2, 2), waves(2)}, float32s(2), onnxgraph.Int("axis", -3), "attribute axis=-3 does not fit inputs of ranks 2 and 1"},
		{"a fraction as power", 1, "LpPool", []*onnxgraph.Tensor{waves(1, 1, 2)}, float32s(1, 1, 1), onnxgraph.Float("p", 2.5), "p=2.5 must be an integer"},
		{"computed sizes", 1, "Split", []*onnxgraph.Tensor{waves(3), waves(2)}, float32s(1), onnxgraph.Int("axis", 0), "must be constant"},
		{"no scales", 8, "Upsample", []*onnxgraph.Tensor{waves(1, 1, 2, 2)}, float32s(1), onnxgraph.Str("mode", "nearest"), `no attribute "scales"`},
		{"one scale", 6, "Upsample", []*onnxgraph.Tensor{waves(1, 1, 2, 2)}, float32s(1), onnxgraph.Float("height_scale", 2), `no attribute "scales"`},
		{"the other scale", 6, "Upsample", []*onnxgraph.Tensor{waves(1, 1, 2, 2)}, float32s(1), onnxgraph.Float("width_scale", 2), `no attribute "scales"`},
		{"no number of elements", 9, "TopK", []*onnxgraph.Tensor{waves(2)}, float32s(1), onnxgraph.Int("axis", 0), `no attribute "k"`},
		{"limits of an unknown type", 10, "Clip", []*onnxgraph.Tensor{waves(1)}, float32s(1), onnxgraph.Float("max", 1), `attribute "max"`},
		{"mask of an unknown type", 9, "Dropout", []*onnxgraph.Tensor{waves(1)}, append(float32s(1), float32s(1)...), onnxgraph.Float("ratio", 0.5), "its mask is used"},
		{"no such type", 5, "Cast", []*onnxgraph.Tensor{waves(2)}, float32s(2), onnxgraph.Str("to", "FLOTE"), `"FLOTE"`},
		{"TensorFlow ceil", 12, "Resize", []*onnxgraph.Tensor{waves(2)}, float32s(2), onnxgraph.Str("coordinate_transformation_mode", "tf_half_pixel_for_nn"), "no newer mode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := calling(t, c.version, c.op, c.inputs, c.outputs, c.attr)
			switch n := m.Graph.Nodes()[0]; c.op {
			case "Add":
				n.SetAttr(onnxgraph.Int("broadcast", 1))
			case "Resize":
				n.SetAttr(onnxgraph.Str("nearest_mode", "ceil"))
			case "Clip", "Dropout":
				n.SetInput(0, m.Graph.AddNodeOf("custom", "Anything", nil, 1).Output(0))
			}
			switch n := m.Graph.Nodes()[0]; c.name {
			case "an operand of unknown rank":
				n.SetInput(1, m.Graph.AddNodeOf("custom", "Anything", nil, 1).Output(0))
			}
			err := opset.Upgrade(m, 18)
			if err == nil || !strings.Contains(err.Error(), c.complaint) || !strings.Contains(err.Error(), `"`+c.op+`"`) {
				t.Errorf("got %v, want an error with %q that names the node", err, c.complaint)
			}
			if err != nil && strings.Count(err.Error(), "\n") != 1 {
				t.Errorf("the node is listed more than once: %v", err)
			}
		})
	}
}

// TestIRVersion compares with the table in ONNX's Versioning.md.
func TestIRVersion(t *testing.T) {
	for version, want := range map[int64]int64{1: 4, 8: 4, 9: 4, 10: 5, 11: 6, 12: 7, 14: 7, 15: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11} {
		if got := opset.IRVersion(version); got != want {
			t.Errorf("opset %d: got IR version %d, want %d", version, got, want)
		}
	}
}

// TestOldInitializers upgrades files of IR version 3, whose initializers had to be inputs, too, and of
// version 4, where that makes them defaults.
func TestOldInitializers(t *testing.T) {
	for ir, inputs := range map[int64]int{3: 1, 4: 2} {
		m, _ := calling(t, 6, "PRelu", []*onnxgraph.Tensor{waves(2, 3, 4)}, float32s(2, 3, 4))
		slope := m.Graph.AddConstant("slope", waves(3))
		m.Graph.Nodes()[0].SetInput(1, slope)
		if !slope.IsInput() {
			t.Fatal("the test's initializer is no input")
		}
		m.SetIRVersion(ir)
		m = upgraded(t, m)
		if len(m.Graph.Inputs()) != inputs {
			t.Errorf("IR version %d: the upgraded model has %d inputs, want %d", ir, len(m.Graph.Inputs()), inputs)
		}
		if len(m.Graph.Initializers()) != 2 {
			t.Errorf("IR version %d: %d initializers, want the slope and the axes of its Unsqueeze", ir, len(m.Graph.Initializers()))
		}
	}
}

// TestVersions checks that the forms that ONNX Runtime does not run change in the version in which ONNX changed them,
// and neither before nor after.
func TestVersions(t *testing.T) {
	for _, c := range []struct {
		version int64
		ops     string
		inputs  []*onnxgraph.Tensor
		attr    onnxgraph.Attribute
		fails   bool // no newer form is known
	}{
		{2, "GlobalLpPool LpPool", []*onnxgraph.Tensor{waves(1, 1, 2)}, onnxgraph.Float("p", 3), false},
		{2, "Pad", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Ints("paddings", 1, 1), false},
		{3, "GRU", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Int("hidden_size", 2), true},
		{4, "Concat", []*onnxgraph.Tensor{waves(1, 2)}, onnxgraph.Int("other", 2), false},
		{5, "Reshape", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Ints("shape", 2, 1), false},
		{6, "Abs Add BatchNormalization Ceil Clip Div Dropout Elu Exp Floor HardSigmoid InstanceNormalization LeakyRelu Log Max " +
			"Mean Min Mul Neg PRelu Reciprocal Relu Selu Sigmoid Sqrt Sub Sum Tanh", []*onnxgraph.Tensor{waves(2), waves(2)}, onnxgraph.Ints("consumed_inputs", 0), false},
		{6, "Cast", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Str("to", "FLOAT16"), false},
		{6, "Tile", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Int("other", 2), true},
		{7, "Add And Div Equal Greater Less Mul Or Pow Sub Xor Gemm", []*onnxgraph.Tensor{waves(2), waves(2)}, onnxgraph.Int("broadcast", 0), false},
		{7, "BatchNormalization Dropout", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Int("is_test", 1), false},
		{7, "GRU LSTM RNN", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Int("output_sequence", 1), false},
		{9, "BatchNormalization", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Int("spatial", 1), false},
		{9, "MeanVarianceNormalization Scan", []*onnxgraph.Tensor{waves(2)}, onnxgraph.Int("other", 2), true},
		{10, "ATen Affine ConstantFill Crop DynamicSlice GRUUnit GivenTensorFill ImageScaler ParametricSoftplus Scale ScaledTanh",
			[]*onnxgraph.Tensor{waves(2)}, onnxgraph.Int("other", 2), true},
	} {
		for _, op := range strings.Fields(c.ops) {
			m, _ := calling(t, c.version-1, op, c.inputs, float32s(2), c.attr)
			old := form(m)
			err := opset.Upgrade(m, c.version)
			if (err != nil) != c.fails || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("changed in opset %d: no newer form", c.version)) {
				t.Errorf("%s to opset %d: got error %v", op, c.version, err)
			}
			if !c.fails && form(m) == old {
				t.Errorf("%s keeps its form in opset %d: %s", op, c.version, old)
			}
			for _, same := range []int64{c.version - 2, c.version} { // the version that it is in; it goes to the next
				if same < 1 || same+1 == 7 || same+1 == 6 { // changed in another way then
					continue
				}
				m, _ := calling(t, same, op, c.inputs, float32s(2), c.attr)
				if err := opset.Upgrade(m, same+1); err != nil || form(m) != old {
					t.Errorf("%s from opset %d to %d: got %s (%v), want %s", op, same, same+1, form(m), err, old)
				}
			}
		}
	}
}

// form states the nodes of a model with their attributes and inputs.
func form(m *onnxgraph.Model) string {
	var s strings.Builder
	for _, n := range m.Graph.Nodes() {
		fmt.Fprint(&s, n.OpType(), n.Attributes(), len(n.Inputs()), " ")
	}
	return s.String()
}

// TestBareNodes upgrades nodes without inputs and attributes, of every operator that changed and every version: that is
// an error or leaves the node to others, but never ends the program.
func TestBareNodes(t *testing.T) {
	for _, op := range strings.Fields(`Add BatchNormalization Cast Clip Concat Dropout Gemm GlobalLpPool GRU Hardmax LpPool Pad PRelu
		ReduceMean ReduceSum Relu Reshape Resize RoiAlign Scan Scatter Selu Slice Softmax Split Squeeze TopK Unsqueeze Upsample`) {
		for version := int64(1); version < opset.Newest; version++ {
			for outputs := range 3 {
				m := onnxgraph.New("bare", 3, version)
				m.Graph.AddNodeOf("", op, nil, outputs)
				if err := opset.Upgrade(m, opset.Newest); err != nil && !strings.Contains(err.Error(), op) {
					t.Errorf("%s of opset %d: the error does not name the node: %v", op, version, err)
				}
			}
		}
	}
}

// TestResizeRounds compares nearest neighbors of the old form, which it chose in each dimension by whether that is
// enlarged, with scales that are known and with those that only the caller knows.
func TestResizeRounds(t *testing.T) {
	orttest.Init(t)
	for _, c := range []struct {
		scales []float32
		nodes  int // where they are known
	}{
		{[]float32{1, 1, 1, 1}, 1},
		{[]float32{1, 1, 2, 1.7}, 1},
		{[]float32{1, 1, 1, 1.3}, 1},
		{[]float32{1, 1, 0.75, 0.41}, 1},
		{[]float32{1, 1, 0.61, 1}, 1},
		{[]float32{1, 1, 0.61, 1.7}, 2},
		{[]float32{1, 1, 2.5, 0.41}, 2},
	} {
		out := dims(1, 2, int64(7*c.scales[2]), int64(9*c.scales[3]))
		m, feed := calling(t, 10, "Resize", []*onnxgraph.Tensor{waves(1, 2, 7, 9), floats(dims(4), c.scales...)}, float32s(out...))
		known, image := calling(t, 10, "Resize", []*onnxgraph.Tensor{waves(1, 2, 7, 9)}, float32s(out...))
		known.SetIRVersion(4)
		known.Graph.Nodes()[0].SetInput(1, known.Graph.AddConstant("scales", floats(dims(4), c.scales...)))
		want, err := run(m, feed)
		if err != nil {
			t.Fatal(err)
		}
		got, err := run(upgraded(t, m), feed)
		if err == nil {
			err = differ(got, want)
		}
		if err != nil {
			t.Errorf("scales %v from the caller: %v", c.scales, err)
		}
		newer := upgraded(t, known)
		if got, err = run(newer, image); err == nil {
			err = differ(got, want)
		}
		if err != nil {
			t.Errorf("known scales %v: %v", c.scales, err)
		}
		if n := len(newer.Graph.Nodes()); n != c.nodes {
			t.Errorf("known scales %v: got %d nodes, want %d", c.scales, n, c.nodes)
		}
		checkNothingLeft(t, newer)
	}
}

// checkNothingLeft checks that no initializer and no node of the main graph is without a reader.
func checkNothingLeft(t *testing.T, m *onnxgraph.Model) {
	t.Helper()
	for _, v := range m.Graph.Initializers() {
		if !v.IsUsed() {
			t.Errorf("nothing reads initializer %q", v.Name())
		}
	}
	for _, n := range m.Graph.Nodes() {
		if !slices.ContainsFunc(n.Outputs(), func(v *onnxgraph.Value) bool { return v != nil && v.IsUsed() }) {
			t.Errorf("nothing reads what %s makes", n)
		}
	}
}

// last returns the node that makes the model's first output.
func last(m *onnxgraph.Model) *onnxgraph.Node { return m.Graph.Outputs()[0].Producer() }

// TestNewInitializers checks what the constants are called that attributes become.
func TestNewInitializers(t *testing.T) {
	for name, want := range map[string]string{"": "Clip.max", "act3": "act3.max"} {
		m, _ := calling(t, 10, "Clip", []*onnxgraph.Tensor{waves(2)}, float32s(2), onnxgraph.Float("max", 1))
		m.SetIRVersion(4)
		m.Graph.Nodes()[0].Rename(name)
		if got := last(upgraded(t, m)).Input(2).Name(); got != want {
			t.Errorf("the limit of node %q is called %q, want %q", name, got, want)
		}
	}
}

// TestAbsentOutputs upgrades a node whose first output the file leaves out.
func TestAbsentOutputs(t *testing.T) {
	m, _ := calling(t, 9, "TopK", []*onnxgraph.Tensor{floats(dims(3), 1, 3, 2)}, []port{{}, {onnxgraph.Int64, dims(2)}}, onnxgraph.Int("k", 2))
	m.Graph.Nodes()[0].RemoveOutput(0)
	if n := upgraded(t, m).Graph.Nodes()[0]; n.Input(1) == nil || n.Output(0) != nil {
		t.Errorf("%s reads %v and makes %v", n, n.Inputs(), n.Outputs())
	}
}

// TestNoSuchAxis upgrades a Softmax along an axis that its input has not: ONNX Runtime says so, not this.
func TestNoSuchAxis(t *testing.T) {
	for _, axis := range []int64{-5, 5} {
		m, _ := calling(t, 12, "Softmax", []*onnxgraph.Tensor{waves(2, 3)}, float32s(2, 3), onnxgraph.Int("axis", axis))
		upgraded(t, m)
	}
}
