package normalization_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestAdd adds a normalization behind blocks of every kind: the model computes what it did, after training
// changed the normalization too once it is folded, and is then one convolution again.
func TestAdd(t *testing.T) {
	orttest.Init(t)
	for _, c := range convcases.Cases {
		if c.DType != onnxgraph.Undefined || !c.Runs() {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			m, x := c.Model(), c.Data()
			if _, err := transform.Convert(m, transform.Options{Expansion: 2}); err != nil {
				t.Fatal(err)
			}
			want, ports := transformtest.Execute(t, m, x), m.Graph.Outputs()[0].Name()
			added, err := normalization.Add(m)
			if err != nil || len(added) != 1 || added[0].Status != transform.Added || added[0].Mean == "" {
				t.Fatalf("added %+v (%v)", added, err)
			}
			if got := transformtest.Execute(t, m, x); transformtest.Difference(t, got, want) > 1e-5 {
				t.Errorf("the output differs by %.2g", transformtest.Difference(t, got, want))
			}
			if name := m.Graph.Outputs()[0].Name(); name != ports {
				t.Errorf("the output is called %q, was %q", name, ports)
			}
			again, err := normalization.Add(m)
			if err != nil || again[0].Status != transform.Skipped {
				t.Errorf("added another: %+v (%v)", again, err)
			}
			transformtest.DisturbNorm(t, m)
			want = transformtest.Execute(t, m, x)
			if _, err := transform.Merge(m); err != nil {
				t.Fatal(err)
			}
			if folded, err := normalization.Fold(m); err != nil || len(folded) != 1 || folded[0].Status != transform.Folded {
				t.Errorf("folded %+v (%v)", folded, err)
			}
			if got := transformtest.Execute(t, m, x); transformtest.Difference(t, got, want) > 1e-4 || len(m.Graph.Nodes()) != 1 {
				t.Errorf("the exported model has %d nodes, and its output differs by %.2g", len(m.Graph.Nodes()), transformtest.Difference(t, got, want))
			}
		})
	}
}

// TestAddRefuses leaves alone what cannot train, and models that are too old for it.
func TestAddRefuses(t *testing.T) {
	for _, place := range convcases.Places {
		m := convcases.Nest(convcases.Named("bias").Model(), place)
		if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random}); err != nil {
			t.Fatal(err)
		}
		rows, err := normalization.Add(m)
		if err != nil || place.Rewritten != (len(rows) > 0) {
			t.Errorf("%s: %+v, %v", place.Name, rows, err)
		}
		for _, row := range rows {
			if row.Status != transform.Skipped || !strings.Contains(row.Reason, "only the main graph trains") || row.Mean != "" {
				t.Errorf("%s: %+v", place.Name, row)
			}
		}
	}
	for opset, refused := range map[int64]bool{6: true, 7: false} {
		m := transformtest.Converted(t, convcases.Named("bias"), transform.Options{})
		m.SetOpset("", opset)
		if _, err := normalization.Add(m); (err != nil) != refused || refused && !strings.Contains(err.Error(), "operator set 6 is older than 7") {
			t.Errorf("operator set %d: error %v", opset, err)
		}
		m.SetMetadata("rcfreeze.block.conv", "{")
		if _, err := normalization.Add(m); err == nil || !strings.Contains(err.Error(), "is no record") {
			t.Errorf("operator set %d, a damaged record: error %v", opset, err)
		}
	}
}

// TestAddLooksThroughNodes finds a normalization behind nodes that pass on what they read, and no other.
func TestAddLooksThroughNodes(t *testing.T) {
	for _, c := range []struct {
		operator string
		constant bool // its second input
		passes   bool
	}{
		{"Identity", false, true}, {"Dropout", false, true}, {"Cast", false, true}, {"Add", true, true}, {"Sub", true, true}, {"Mul", true, true}, {"Div", true, true},
		{"Relu", false, false}, {"Pow", true, false}, {"Add", false, false},
	} {
		m := transformtest.Converted(t, convcases.Named("bias"), transform.Options{})
		g := m.Graph
		y := g.Outputs()[0]
		g.RemoveOutputs()
		inputs := []*onnxgraph.Value{y}
		if c.constant {
			inputs = append(inputs, g.AddConstant("c", onnxgraph.NewScalar(float32(2))))
		} else if c.operator == "Add" {
			inputs = append(inputs, y)
		}
		norm := []*onnxgraph.Value{g.AddNode(c.operator, inputs).Output(0)}
		for range 4 {
			norm = append(norm, g.AddConstant("n", onnxgraph.NewTensor([]int64{4}, []float32{1, 2, 3, 4})))
		}
		g.AddOutput(g.AddNode("BatchNormalization", norm).Output(0), onnxgraph.Float32, nil)
		rows, err := normalization.Add(m)
		if err != nil || (rows[0].Status == transform.Skipped) != c.passes {
			t.Errorf("%+v: %+v, %v", c, rows, err)
		}
	}
}

// TestAddBeside does not take for a normalization of the block's output one that only has it as a parameter.
func TestAddBeside(t *testing.T) {
	for index := range 5 {
		m := transformtest.Converted(t, convcases.Named("bias"), transform.Options{})
		inputs := slices.Repeat([]*onnxgraph.Value{m.Graph.Value(convcases.X)}, 5)
		inputs[index] = m.Graph.Outputs()[0]
		m.Graph.AddOutput(m.Graph.AddNode("BatchNormalization", inputs).Output(0), onnxgraph.Float32, nil)
		rows, err := normalization.Add(m)
		if err != nil || (rows[0].Status == transform.Skipped) != (index == 0) {
			t.Errorf("the output as input %d of a normalization: %+v, %v", index, rows, err)
		}
	}
}

// TestAddInPlace puts the normalization between the block and its reader, in the order of the file, too. It has the
// block's name, a declared shape on both sides, and the settings of PyTorch's layers.
func TestAddInPlace(t *testing.T) {
	m := transformtest.Converted(t, convcases.Named("bias"), transform.Options{})
	y := m.Graph.Outputs()[0]
	m.Graph.RemoveOutputs()
	m.Graph.AddOutput(m.Graph.AddNode("Relu", []*onnxgraph.Value{y}).Output(0), onnxgraph.Float32, nil)
	shape, _ := y.StaticShape()
	if _, err := normalization.Add(m); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, n := range m.Graph.Nodes() {
		order = append(order, n.OpType())
	}
	if want := []string{"Conv", "Conv", "BatchNormalization", "Relu"}; !slices.Equal(order, want) {
		t.Fatalf("the nodes are %v, want %v", order, want)
	}
	norm := m.Graph.Nodes()[2]
	if x := norm.Input(0); norm.Name() != "conv/batchnorm" || x.Name() != "conv/batchnorm_input" || norm.Output(0) != y || m.Graph.Nodes()[3].Input(0) != y {
		t.Errorf("%s reads %q and puts out %q", norm, x.Name(), norm.Output(0).Name())
	}
	for _, v := range []*onnxgraph.Value{norm.Input(0), y} {
		if got, ok := v.StaticShape(); !ok || !slices.Equal(got, shape) || v.DType() != onnxgraph.Float32 {
			t.Errorf("%q is declared as %v of dims %v, want float32 of %v", v.Name(), v.DType(), got, shape)
		}
	}
	if epsilon, momentum := norm.Float("epsilon", 0), norm.Float("momentum", 0); epsilon != 1e-5 || momentum != 0.9 {
		t.Errorf("epsilon %v, momentum %v", epsilon, momentum)
	}
}

// TestAddIsNotDoubled has normalizations behind blocks, directly and with a constant added before.
func TestAddIsNotDoubled(t *testing.T) {
	normalized, err := architecture.New("cifar-resnet", architecture.Options{Depth: 8, Width: 2})
	if err != nil {
		t.Fatal(err)
	}
	biased := normalized.Clone()
	for _, n := range biased.Graph.Nodes() {
		if n.Is("BatchNormalization") && n.Input(0).Producer().Is("Conv") {
			x := n.Input(0)
			bias := biased.Graph.AddConstant("b", onnxgraph.NewTensor([]int64{1, 1, 1}, []float32{0.5}))
			n.SetInput(0, biased.Graph.AddNode("Add", []*onnxgraph.Value{bias, x}).Output(0))
		}
	}
	plain, err := architecture.New("vgg", architecture.Options{Depth: 11, Width: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := normalization.Fold(plain); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		m    *onnxgraph.Model
		want transform.Status
	}{"normalized": {normalized, transform.Skipped}, "bias before": {biased, transform.Skipped}, "folded": {plain, transform.Added}} {
		if _, err := transform.Convert(c.m, transform.Options{}); err != nil {
			t.Fatal(err)
		}
		before := len(c.m.Graph.Nodes())
		rows, err := normalization.Add(c.m)
		if err != nil || len(rows) == 0 {
			t.Fatalf("%s: %+v (%v)", name, rows, err)
		}
		added := 0
		for _, row := range rows {
			if row.Status != c.want || row.Status == transform.Skipped && !strings.Contains(row.Reason, "normalizes") {
				t.Errorf("%s: %+v, want it %s", name, row, c.want)
			}
			if row.Status == transform.Added {
				added++
			}
		}
		if got := len(c.m.Graph.Nodes()) - before; got != added {
			t.Errorf("%s: %d nodes more, %d are reported", name, got, added)
		}
		trained, err := parameter.Frozen.Trained(c.m)
		if err != nil || added > 0 && !slices.Contains(trained, rows[0].Node+".batchnorm.scale") {
			t.Errorf("%s: %q train (%v)", name, trained, err)
		}
	}
}
