package opset_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort/orttest"
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

// TestUnknownTypes upgrades nodes behind a Reshape to a shape that only the caller knows: Softmax must not
// need the rank, and Clip finds the element type.
func TestUnknownTypes(t *testing.T) {
	orttest.Init(t)
	m := onnxgraph.New("unknown", 4, 9)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(24))
	if err != nil {
		t.Fatal(err)
	}
	shape, err := m.Graph.AddInput("shape", onnxgraph.Int64, onnxgraph.Static(3))
	if err != nil {
		t.Fatal(err)
	}
	reshape := m.Graph.AddNode("Reshape", []*onnxgraph.Value{x, shape})
	clip := m.Graph.AddNode("Clip", reshape.Outputs(), onnxgraph.Float("min", 0))
	softmax := m.Graph.AddNode("Softmax", clip.Outputs())
	m.Graph.AddOutput(softmax.Output(0), onnxgraph.Float32, onnxgraph.Static(2, 3, 4))

	feed := tensors{"x": waves(24), "shape": ints(2, 3, 4)}
	want, err := run(m, feed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := run(upgraded(t, m), feed)
	if err != nil {
		t.Fatal(err)
	}
	if err := differ(got, want); err != nil {
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
		{"an unreachable version", 18, 19, "Relu", "from opset 18 to 19: the newest that can be reached is 18", 0},
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
		{6, "LSTM", []*onnxgraph.Tensor{waves(1, 1, 2)}, onnxgraph.Int("output_sequence", 1), func(n *onnxgraph.Node) bool {
			return len(n.Attributes()) == 0
		}},
	} {
		m, _ := calling(t, c.version, c.op, c.inputs, float32s(2), c.attr)
		if n := upgraded(t, m).Graph.Nodes()[0]; !c.ok(n) {
			t.Errorf("%s of opset %d: wrong attributes after the upgrade: %v", c.op, c.version, n.Attributes())
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
		{"mixed scales", 10, "Resize", []*onnxgraph.Tensor{waves(2, 2)}, float32s(1, 4), onnxgraph.Str("mode", "nearest"), "enlarge one dimension and reduce another"},
		{"no such axis", 6, "Add", []*onnxgraph.Tensor{waves(2), waves(2)}, float32s(2), onnxgraph.Int("axis", 1), "does not fit"},
		{"no such type", 5, "Cast", []*onnxgraph.Tensor{waves(2)}, float32s(2), onnxgraph.Str("to", "FLOTE"), `"FLOTE"`},
		{"TensorFlow ceil", 12, "Resize", []*onnxgraph.Tensor{waves(2)}, float32s(2), onnxgraph.Str("coordinate_transformation_mode", "tf_half_pixel_for_nn"), "no newer mode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := calling(t, c.version, c.op, c.inputs, c.outputs, c.attr)
			switch n := m.Graph.Nodes()[0]; c.op {
			case "Add":
				n.SetAttr(onnxgraph.Int("broadcast", 1))
			case "Resize":
				n.SetInput(1, m.Graph.AddConstant("scales", floats(dims(2), 0.5, 2)))
				n.SetAttr(onnxgraph.Str("nearest_mode", "ceil"))
			}
			err := opset.Upgrade(m, 18)
			if err == nil || !strings.Contains(err.Error(), c.complaint) || !strings.Contains(err.Error(), `"`+c.op+`"`) {
				t.Errorf("got %v, want an error with %q that names the node", err, c.complaint)
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
