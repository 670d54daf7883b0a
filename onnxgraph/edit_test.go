package onnxgraph

import (
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// chain returns a graph x → Relu → a → Neg → y and its nodes.
func chain(t *testing.T) (m *Model, relu, neg *Node) {
	t.Helper()
	m = New("chain", 8, 18)
	x, err := m.Graph.AddInput("x", Float32, Static(2))
	if err != nil {
		t.Fatal(err)
	}
	relu = m.Graph.AddNode("Relu", []*Value{x})
	neg = m.Graph.AddNode("Neg", []*Value{relu.Output(0)})
	m.Graph.AddOutput(neg.Output(0), Float32, Static(2))
	return m, relu, neg
}

// TestReplaceNode puts a node in another's place: the output keeps its identity, name and readers.
func TestReplaceNode(t *testing.T) {
	m, relu, neg := chain(t)
	a := relu.Output(0)
	name := a.Name()
	abs := m.Graph.AddNode("Abs", []*Value{relu.Input(0)})
	abs.TakeOutput(0, relu)
	m.Graph.Replace(relu, abs)
	if neg.Input(0) != a || a.Producer() != abs || a.Name() != name || m.Graph.Nodes()[0] != abs {
		t.Errorf("the reader has input %v, produced by %v", neg.Input(0).Name(), a.Producer())
	}
	if uses := m.Graph.Inputs()[0].Uses(); len(uses) != 1 || uses[0].Node != abs {
		t.Errorf("the input has uses %v, want one by Abs", uses)
	}
}

// TestRemoveUnusedStops removes what nothing needs, and no more: constants and nodes with other readers stay.
func TestRemoveUnusedStops(t *testing.T) {
	m, relu, _ := chain(t)
	c := m.Graph.AddConstant("c", NewScalar(float32(1)))
	sum := m.Graph.AddNode("Add", []*Value{relu.Output(0), c})
	shared := m.Graph.AddNode("Exp", []*Value{sum.Output(0)})
	RemoveUnused(sum.Output(0))
	if len(m.Graph.Nodes()) != 4 {
		t.Fatal("a value with a reader was removed")
	}
	RemoveUnused(shared.Output(0))
	if n := len(m.Graph.Nodes()); n != 2 || m.Graph.Value("c") != nil {
		t.Errorf("%d nodes are left, want Relu and Neg; constant: %v", n, m.Graph.Value("c"))
	}
}

// TestSortedKeepsOrder sorts a list that is in order, and one that is not.
func TestSortedKeepsOrder(t *testing.T) {
	m, relu, neg := chain(t)
	if s := m.Graph.Sorted(); s[0] != relu || s[1] != neg {
		t.Error("a sorted list changed")
	}
	m.Graph.nodes[0], m.Graph.nodes[1] = neg, relu
	if s := m.Graph.Sorted(); s[0] != relu || s[1] != neg {
		t.Error("an unsorted list stayed")
	}
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Parse(data, "."); err != nil || m.Graph.Nodes()[0].OpType() != "Relu" {
		t.Errorf("the saved list is not sorted: %v", err)
	}
}

// TestBuilderShares asks a builder twice for the same: it adds it once, until it is removed.
func TestBuilderShares(t *testing.T) {
	m, relu, _ := chain(t)
	b := NewBuilder(m.Graph)
	x := relu.Output(0)
	first := b.Op("Elu", []*Value{x}, Float("alpha", 2))
	list, fill := b.Ints(1, 2), b.Fill(Float32, 1, 3)
	if b.Op("Elu", []*Value{x}, Float("alpha", 2)) != first || b.Ints(1, 2) != list || b.Fill(Float32, 1, 3) != fill {
		t.Error("the same was added twice")
	}
	if b.Op("Elu", []*Value{x}, Float("alpha", 3)) == first || b.Fill(Float32, 1, 3) == b.Fill(Float64, 1, 3) {
		t.Error("different calls share a value")
	}
	tensor := NewScalar(float32(1))
	if a, b := b.Op("Elu", []*Value{x}, TensorAttr("a", tensor)), b.Op("Elu", []*Value{x}, TensorAttr("b", tensor)); a == b {
		t.Error("calls that differ in the name of an attribute share a value")
	}
	if elsewhere := b.OpOf("d", "Elu", []*Value{x}); elsewhere.Producer().Domain() != "d" || b.OpOf("d", "Elu", []*Value{x}) != elsewhere || b.Op("Elu", []*Value{x}) == elsewhere {
		t.Error("operators of two domains share a value, or those of one do not")
	}
	if parts := b.Ops("Split", 3, []*Value{x}); len(parts) != 3 || b.Ops("Split", 3, []*Value{x})[2] != parts[2] || len(b.Ops("Split", 2, []*Value{x})) != 2 {
		t.Errorf("a Split in three has outputs %s", valueList(parts))
	}
	if split := b.Ops("Split", 2, []*Value{x})[0].Producer(); split.NeedOutput(2) == nil || len(b.Ops("Split", 2, []*Value{x})) != 2 {
		t.Error("a node that got an output more since counts as one with fewer")
	}
	bits := func(dtype DType, dims ...int64) *Tensor { return NewRawTensor(dtype, dims, make([]byte, 8)) }
	lazy := func(v float32) *Tensor {
		return NewLazyTensor(Float32, []int64{1}, func() (*Tensor, error) { return floats(v), nil })
	}
	text := func() *Tensor {
		return &Tensor{proto: &onnxpb.TensorProto{DataType: proto.Int32(int32(String)), StringData: [][]byte{{'a'}}}}
	}
	broken := text()
	for i, c := range []struct {
		a, b *Tensor
		same bool
	}{
		{bits(Float32, 2), bits(Float32, 2), true},
		{bits(Float32, 2), bits(Int32, 2), false},
		{bits(Float32, 2), bits(Float32, 1, 2), false},
		{lazy(1), lazy(1), true},
		{lazy(1), floats(1), true},
		{lazy(1), lazy(2), false},
		{text(), text(), false}, // whose elements cannot be compared
		{broken, broken, true},
	} {
		if same := b.Op("Constant", nil, TensorAttr("value", c.a)) == b.Op("Constant", nil, TensorAttr("value", c.b)); same != c.same {
			t.Errorf("row %d: calls with two tensors share a value: %v, want %v", i, same, c.same)
		}
	}
	constant := b.Op("Constant", nil, TensorAttr("value", tensor))
	RemoveUnused(constant)
	if again := b.Op("Constant", nil, TensorAttr("value", tensor)); again == constant || again.Graph() == nil {
		t.Error("a removed node without inputs was returned")
	}
	RemoveUnused(first)
	if again := b.Op("Elu", []*Value{x}, Float("alpha", 2)); again == first {
		t.Error("a removed value was returned")
	}
}

// TestBuilderSeesEdits edits what a builder made, in every way that makes it something else, and asks for the same again:
// the builder must give what computes that, and not what it made at first. What was edited away and back counts again.
func TestBuilderSeesEdits(t *testing.T) {
	body := func(m *Model) *Graph { return m.newGraph(&onnxpb.GraphProto{}, nil) }
	one, two := NewScalar(float32(1)), NewScalar(float32(2))
	for name, edit := range map[string]func(m *Model, x, y, built *Value){
		"input replaced":         func(_ *Model, x, y, _ *Value) { ReplaceUses(x, y) },
		"input set":              func(_ *Model, _, y, built *Value) { built.Producer().SetInput(0, y) },
		"input added":            func(_ *Model, _, y, built *Value) { built.Producer().SetInput(1, y) },
		"input removed":          func(_ *Model, _, _, built *Value) { built.Producer().SetInput(0, nil) },
		"operator set":           func(_ *Model, _, _, built *Value) { built.Producer().SetOpType("Neg") },
		"number set":             func(_ *Model, _, _, built *Value) { built.Producer().SetAttr(Float("alpha", 2)) },
		"tensor set":             func(_ *Model, _, _, built *Value) { built.Producer().SetAttr(TensorAttr("value", two)) },
		"attribute removed":      func(_ *Model, _, _, built *Value) { built.Producer().RemoveAttr("alpha") },
		"attribute added":        func(_ *Model, _, _, built *Value) { built.Producer().SetAttr(Int("axis", 1)) },
		"body set":               func(m *Model, _, _, built *Value) { built.Producer().attrs[2].graphs = []*Graph{body(m)} },
		"removed":                func(m *Model, _, _, built *Value) { m.Graph.Remove(built.Producer()) },
		"output taken":           func(m *Model, _, _, built *Value) { m.Graph.AddNode("Abs", nil).TakeOutput(0, built.Producer()) },
		"output made a constant": func(m *Model, _, _, built *Value) { m.Graph.MakeConstant(built, one) },
	} {
		m, relu, neg := chain(t)
		x, y := relu.Output(0), neg.Output(0)
		b := NewBuilder(m.Graph)
		branch := body(m)
		ask := func() *Value {
			bodies := attribute("body", onnxpb.AttributeProto_GRAPH, func(*onnxpb.AttributeProto) {})
			bodies.graphs = []*Graph{branch}
			return b.Op("Elu", []*Value{x, nil}, Float("alpha", 1), TensorAttr("value", one), bodies)
		}
		built := ask()
		if ask() != built {
			t.Fatal("the same was added twice")
		}
		edit(m, x, y, built)
		again := ask()
		n := again.Producer()
		if again == built && n == nil || !n.Is("Elu") || !slices.Equal(n.Inputs(), []*Value{x}) || n.Float("alpha", 0) != 1 || n.Has("axis") ||
			n.Tensor("value") != one || n.attrs[2].graphs[0] != branch || again.Graph() != m.Graph || !slices.Contains(m.Graph.nodes, n) {
			t.Errorf("%s: got %v of inputs %v", name, n, n.Inputs())
		}
		if ask() != again {
			t.Errorf("%s: what replaces it was added twice", name)
		}
	}

	m, _, neg := chain(t)
	b := NewBuilder(m.Graph)
	fill, elu := b.Fill(Float32, 1, 2), b.Op("Elu", []*Value{neg.Output(0)})
	fill.SetConstant(NewTensor([]int64{2}, []float32{5, 6}))
	if data, err := b.Fill(Float32, 1, 2).Constant().Float64s(); err != nil || !slices.Equal(data, []float64{1, 1}) {
		t.Errorf("asked for a constant whose data was changed: got %v, %v", data, err)
	}
	neg.SwapOutput(0, elu.Producer(), 0) // each now produces the other's value
	if again := b.Op("Elu", elu.Producer().Inputs()); again.Producer().OpType() != "Elu" {
		t.Errorf("after a swap of outputs: got what %v produces", again.Producer())
	}
	m.Graph.MakeInput(b.Ints(3))
	if b.Ints(3).Constant() == nil {
		t.Error("a constant that was made an input was returned")
	}
}

// TestHalfFloats converts every 16-bit number to float64 and back, and rounds half-way cases to even.
func TestHalfFloats(t *testing.T) {
	for bits := range 1 << 16 {
		h := uint16(bits)
		if v := float64FromFloat16(h); !math.IsNaN(v) && float16FromFloat64(v) != h {
			t.Fatalf("float16 %#04x is %g and comes back as %#04x", h, v, float16FromFloat64(v))
		}
		if v := float64FromBFloat16(h); !math.IsNaN(v) && bfloat16FromFloat64(v) != h {
			t.Fatalf("bfloat16 %#04x is %g and comes back as %#04x", h, v, bfloat16FromFloat64(v))
		}
	}
	for _, c := range []struct {
		v     float64
		f, bf uint16
	}{
		{1 + 1.0/2048, 0x3c00, 0x3f80},                // half-way in float16: to even
		{1 + 3.0/2048, 0x3c02, 0x3f80},                // likewise, upwards
		{1 + 1.0/256, 0x3c04, 0x3f80},                 // half-way in bfloat16
		{1 + 3.0/256, 0x3c0c, 0x3f82},                 // likewise, upwards
		{1 + 3.0/256 - 1e-12, 0x3c0c, 0x3f81},         // below half-way by less than float32 sees
		{-1 - 1.0/256 - 1e-12, 0xbc04, 0xbf81},        // above it, with a sign
		{1 + 1.0/256 + 1e-12, 0x3c04, 0x3f81},         // above half-way by less than float32 sees
		{1 + 32769.0/(1<<23) - 1e-12, 0x3c04, 0x3f81}, // above half-way, between two numbers that float32 sees
		{65519.99, 0x7bff, 0x4780},                    // rounds down to the largest float16
		{65520, 0x7c00, 0x4780},                       // half-way to infinity
		{-math.Ldexp(1, -25), 0x8000, 0xb300},         // half the smallest float16: to even, zero
		{math.Ldexp(1.5, -25), 0x0001, 0x3340},        // above it
		{math.Inf(-1), 0xfc00, 0xff80},
	} {
		if f, bf := float16FromFloat64(c.v), bfloat16FromFloat64(c.v); f != c.f || bf != c.bf {
			t.Errorf("%g is %#04x and %#04x, want %#04x and %#04x", c.v, f, bf, c.f, c.bf)
		}
	}
	for _, sign := range []float64{1, -1} { // as other programs do: of NaN, the sign is kept
		nan := math.Copysign(math.NaN(), sign)
		f, bf := float16FromFloat64(nan), bfloat16FromFloat64(nan)
		if bit := math.Signbit(nan); f != map[bool]uint16{false: 0x7e00, true: 0xfe00}[bit] || bf != map[bool]uint16{false: 0x7fc0, true: 0xffc0}[bit] {
			t.Errorf("NaN is %#04x and %#04x", f, bf)
		}
		if !math.IsNaN(float64FromFloat16(f)) || !math.IsNaN(float64FromBFloat16(bf)) {
			t.Error("NaN was lost")
		}
	}
}

func TestRemoveInput(t *testing.T) {
	m := New("net", 8, 18)
	x, err := m.Graph.AddInput("x", Float32, nil)
	if err != nil {
		t.Fatal(err)
	}
	y, err := m.Graph.AddInput("y", Float32, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.AddOutput(m.Graph.AddNode("Relu", []*Value{y}).Output(0), Float32, nil)
	m.Graph.RemoveInput(x)
	if inputs := m.Graph.Inputs(); len(inputs) != 1 || inputs[0] != y || m.Graph.Value("x") != nil {
		t.Errorf("the inputs are %v, want y alone", inputs)
	}
	defer func() {
		if recover() == nil {
			t.Error("an input that a node reads is removed")
		}
	}()
	m.Graph.RemoveInput(y)
}

// TestNoEmptyNames asks for values without a name, which in a file would be absent.
func TestNoEmptyNames(t *testing.T) {
	m, relu, _ := chain(t)
	v := m.Graph.AddConstant("", NewScalar(float32(1)))
	if m.Graph.Rename(v, "") || v.Name() == "" {
		t.Errorf("a constant is called %q", v.Name())
	}
	if relu.Output(0).Name() == "" || m.Graph.AddNode("", nil).Output(0).Name() == "" {
		t.Error("an output has no name")
	}
	if _, err := m.Graph.AddInput("", Float32, nil); err == nil {
		t.Error("an input without a name was added")
	}
}

// TestMetadata checks that entries are found, changed and removed as in a list, also where a file has a key twice.
func TestMetadata(t *testing.T) {
	m := New("g", 8, 18)
	twice := func(key, value string) {
		m.proto.MetadataProps = append(m.proto.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(value)})
	}
	twice("a", "1")
	twice("a", "2")
	m.SetMetadata("b", "3")
	m.SetMetadata("a", "4")
	if a, b, none := m.Metadata("a"), m.Metadata("b"), m.Metadata("c"); a != "4" || b != "3" || none != "" {
		t.Errorf("got %q, %q, %q", a, b, none)
	}
	if keys := m.MetadataKeys(); !slices.Equal(keys, []string{"a", "a", "b"}) {
		t.Errorf("keys %q", keys)
	}
	m.RemoveMetadata("a", "c")
	m.SetMetadata("a", "5")
	if keys, a, copied := m.MetadataKeys(), m.Metadata("a"), m.Clone().Metadata("a"); !slices.Equal(keys, []string{"b", "a"}) || a != "5" || copied != "5" {
		t.Errorf("after removal: keys %q, a is %q, %q in a copy", keys, a, copied)
	}
}

// TestRemoveAbsentOutput removes outputs that a node does not have: nothing happens.
func TestRemoveAbsentOutput(t *testing.T) {
	m := New("g", 8, 18)
	n := m.Graph.AddNodeOf("", "Split", []*Value{m.Graph.AddConstant("c", zeros(4))}, 3)
	n.RemoveOutput(0)
	for _, i := range []int{0, 7} {
		n.RemoveOutput(i)
	}
	if got := n.Outputs(); len(got) != 3 || got[0] != nil || got[1] == nil || got[2] == nil {
		t.Errorf("the outputs are %v", got)
	}
}
