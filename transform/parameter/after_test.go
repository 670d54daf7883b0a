package parameter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// newForked returns x → a → {left, right} → sum → last, with a weight that left and last share, and one that reaches
// last by way of a Transpose.
func newForked(t *testing.T) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	g := m.Graph
	x, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 3))
	if err != nil {
		t.Fatal(err)
	}
	weight := func(name string) *onnxgraph.Value {
		return g.AddConstant(name, onnxgraph.NewTensor([]int64{3, 3}, make([]float32, 9)))
	}
	node := func(name, opType string, inputs ...*onnxgraph.Value) *onnxgraph.Value {
		n := g.AddNode(opType, inputs)
		n.Rename(name)
		return n.Output(0)
	}
	shared := weight("shared")
	a := node("a", "MatMul", x, weight("a.weight"))
	left := node("left", "MatMul", a, shared)
	right := node("right", "MatMul", a, weight("right.weight"))
	sum := node("sum", "Add", left, right)
	turned := node("turned", "Transpose", weight("turned.weight"))
	last := node("last", "MatMul", node("shared again", "MatMul", sum, shared), turned)
	g.AddOutput(last, onnxgraph.Float32, nil)
	return m
}

func TestAfter(t *testing.T) {
	all := []string{"a.weight", "shared", "right.weight", "turned.weight"}
	for name, want := range map[string][]string{
		"a":     {"shared", "right.weight", "turned.weight"},
		"left":  {"turned.weight"}, // shared is read by left itself, too
		"right": {"turned.weight"},
		"sum":   {"turned.weight"},
	} {
		m := newForked(t)
		n, err := FindNode(m, name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := After(m, n, all)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("after %s: %q (%v), want %q", name, got, err, want)
		}
	}
	for _, captured := range []string{"x", "a", "left", "right", "sum"} { // a body reads it, and what reads the node with the body comes behind it
		m := newForked(t)
		if n, err := FindNode(m, captured); err == nil {
			m = convcases.Capture(m, n.Output(0).Name())
		} else {
			m = convcases.Capture(m, captured)
		}
		for name, want := range map[string][]string{"a": {"shared", "right.weight", "turned.weight"}, "left": {"turned.weight"}, "sum": {"turned.weight"}} {
			n, err := FindNode(m, name)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := After(m, n, all); err != nil || !slices.Equal(got, want) {
				t.Errorf("after %s, where a body reads %s: %q (%v), want %q", name, captured, got, err, want)
			}
		}
	}
	beside := newForked(t) // what is behind reads a weight first, and then what is not
	beside.Graph.AddOutput(beside.Graph.AddNode("MatMul", []*onnxgraph.Value{beside.Graph.Value("x"), beside.Graph.Value("right.weight")}).Output(0), onnxgraph.Float32, nil)
	n, err := FindNode(beside, "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := After(beside, n, all); err != nil || !slices.Equal(got, []string{"shared", "turned.weight"}) {
		t.Errorf("with a node beside: %q, %v", got, err)
	}
	for name, want := range map[string]string{"last": "no parameter", "turned": "does not depend on the images"} {
		m := newForked(t)
		n, err := FindNode(m, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := After(m, n, all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("after %s: got error %v, want one with %q", name, err, want)
		}
	}
}

// TestAfterAbsentInputs has nodes whose optional inputs are absent, and weights that the file lists among its inputs, as old
// files do: these are no images.
func TestAfterAbsentInputs(t *testing.T) {
	m := newForked(t)
	g := m.Graph
	clip := g.AddNode("Clip", []*onnxgraph.Value{g.Outputs()[0], nil, g.AddConstant("most", onnxgraph.NewScalar(float32(1)))})
	g.RemoveOutputs()
	g.AddOutput(clip.Output(0), onnxgraph.Float32, nil)
	m.SetIRVersion(3) // in which every initializer is an input, too
	old, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = onnxgraph.Parse(old, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shared", "turned.weight"} {
		v := m.Graph.Value(name)
		added := m.Graph.AddConstant("as an input", v.Constant())
		onnxgraph.ReplaceUses(v, added)
		onnxgraph.RemoveUnused(v)
		if !m.Graph.Rename(added, name) || !added.IsInput() {
			t.Fatalf("%s is no input", name)
		}
	}
	for name, want := range map[string][]string{"a": {"shared", "turned.weight"}, "sum": {"turned.weight"}} {
		n, err := FindNode(m, name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := After(m, n, []string{"shared", "turned.weight", "gone"}); err != nil || !slices.Equal(got, want) {
			t.Errorf("after %s: %q, %v, want %q", name, got, err, want)
		}
	}
	turned, err := FindNode(m, "turned")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := After(m, turned, []string{"shared"}); !strings.Contains(errorText(err), "does not depend on the images") {
		t.Errorf("after a node that reads only a weight: error %v", err)
	}
}

// TestAfterWithBodies keeps what a body reads too, wherever that is.
func TestAfterWithBodies(t *testing.T) {
	for _, place := range convcases.Places {
		m := convcases.Nest(convcases.Cases[0].Model(), place)
		w := m.Graph.Value(convcases.Weight)
		if w == nil || place.Inside {
			continue
		}
		front := m.Graph.AddNode("Relu", []*onnxgraph.Value{m.Graph.Value(convcases.X)})
		own := m.Graph.AddConstant("own", convcases.Draw(onnxgraph.Float32, 1, 4, 3, 3, 3))
		for _, weight := range []*onnxgraph.Value{w, own} {
			m.Graph.AddOutput(m.Graph.AddNode("Conv", []*onnxgraph.Value{front.Output(0), weight}).Output(0), onnxgraph.Float32, nil)
		}
		if got, err := After(m, front, []string{w.Name(), own.Name()}); err != nil || !slices.Equal(got, []string{"own"}) {
			t.Errorf("%s: %q, %v", place.Name, got, err)
		}
	}
}

// TestFindNodeAmongAbsentOutputs looks past a node whose first output is absent.
func TestFindNodeAmongAbsentOutputs(t *testing.T) {
	m := newForked(t)
	n := m.Graph.AddNodeOf("", "TopK", []*onnxgraph.Value{m.Graph.Value("x"), m.Graph.AddConstant("k", onnxgraph.NewTensor([]int64{1}, []int64{1}))}, 2)
	n.Rename("best")
	m.Graph.AddOutput(n.Output(1), onnxgraph.Int64, nil)
	n.RemoveOutput(0)
	if n.Output(0) != nil || n.Output(1) == nil {
		t.Fatalf("%s has the outputs %v", n, n.Outputs())
	}
	for _, name := range []string{"best", n.Output(1).Name()} {
		if found, err := FindNode(m, name); err != nil || found != n {
			t.Errorf("%q: found %v, %v", name, found, err)
		}
	}
	constant := m.Graph.AddNode("Constant", nil, onnxgraph.TensorAttr("value", onnxgraph.NewScalar(float32(1))))
	constant.Rename("lasts")
	m.Graph.AddOutput(constant.Output(0), onnxgraph.Float32, nil)
	if _, err := FindNode(m, "las"); !strings.Contains(errorText(err), `names are "last"`) || strings.Contains(errorText(err), "lasts") {
		t.Errorf("error %v, want one that proposes nodes which compute something", err)
	}
}

func TestFindNode(t *testing.T) {
	m := newForked(t)
	n, err := FindNode(m, "sum")
	if err != nil || n.Name() != "sum" {
		t.Errorf("found %v (%v), want sum", n, err)
	}
	if same, err := FindNode(m, n.Output(0).Name()); err != nil || same != n {
		t.Errorf("by its output: found %v (%v), want sum", same, err)
	}
	for name, want := range map[string]string{
		"Sum":     `similar names are "sum"`,
		"lats":    `similar names are "last"`,
		"rigt":    `similar names are "right"`,
		"AGAIN":   `similar names are "shared again"`,
		"t":       `similar names are "left", "last", "right", "turned"`,
		"encoder": `the first names are "a", "left", "right", "sum", "turned"`,
	} {
		if _, err := FindNode(m, name); !strings.HasSuffix(errorText(err), ": there is none; "+want) {
			t.Errorf("%s: got error %v, want one that ends in %s", name, err, want)
		}
	}
	if got := similar("x", nil); got != "there are no names" {
		t.Errorf("among no names: %s", got)
	}
	best := m.Graph.AddNodeOf("", "TopK", []*onnxgraph.Value{m.Graph.Value("x"), nil}, 2)
	best.Rename("lost")
	m.Graph.AddOutput(best.Output(1), onnxgraph.Int64, nil)
	best.RemoveOutput(0)
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	twice, err := onnxgraph.Parse(bytes.ReplaceAll(data, []byte("last"), []byte("left")), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FindNode(twice, "left"); !strings.Contains(errorText(err), "2 nodes have that name") {
		t.Errorf("got error %v, want one that says that 2 nodes have the name", err)
	}
	// Two nodes have one name, of which one puts out only its second output.
	if twice, err = onnxgraph.Parse(bytes.ReplaceAll(data, []byte("lost"), []byte("last")), ""); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("by what it produces, %q, %q", m.Graph.Outputs()[0].Name(), m.Graph.Outputs()[1].Name())
	if _, err := FindNode(twice, "last"); !strings.Contains(errorText(err), want) {
		t.Errorf("got error %v, want one that proposes %s", err, want)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
