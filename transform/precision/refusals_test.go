package precision_test

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"google.golang.org/protobuf/encoding/protowire"
)

// TestConvertRefuses names everything that the type cannot hold, and changes nothing.
func TestConvertRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		to    onnxgraph.DType
		dtype onnxgraph.DType
		build func(g *network, x *onnxgraph.Value) *onnxgraph.Value
		want  []string
	}{
		{"weights beyond float16", half, single, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
			t, _ := onnxgraph.FromFloat64s(single, []int64{1}, []float64{-1e6})
			v := g.AddNode("Constant", nil, onnxgraph.TensorAttr("value", t)).Output(0)
			return g.op("Sum", x, g.numbers(7e4), v, g.numbers(math.Inf(1)))
		}, []string{`"numbers"`, "70000", "65504", "1e+06"}},
		{"constants beyond float16, in words of their own", half, single, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
			one := g.AddNode("Constant", nil, onnxgraph.Float("value_float", 7e4)).Output(0)
			list := g.AddNode("Constant", nil, onnxgraph.Floats("value_floats", 1, -8e4)).Output(0)
			shape := g.AddNode("ConstantOfShape", []*onnxgraph.Value{g.ints(1)}, onnxgraph.TensorAttr("value", onnxgraph.NewTensor([]int64{1}, []float32{9e4}))).Output(0)
			return g.op("Sum", x, one, g.op("ReduceMean", list), shape)
		}, []string{"70000", "80000", `attribute "value": it holds 90000`}},
		{"weights beyond float32", single, double, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
			return g.op("Sum", x, g.numbers(1e300))
		}, []string{"1e+300"}},
		{"an operator of another domain", half, single, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
			return g.AddNodeOf("com.microsoft", "Gelu", []*onnxgraph.Value{x}, 1).Output(0)
		}, []string{"com.microsoft"}},
		{"a type that is no choice", double, single, func(g *network, x *onnxgraph.Value) *onnxgraph.Value { return g.op("Relu", x) }, []string{"float32 and float16"}},
	} {
		m := newModel(t, c.dtype, c.dtype, c.build)
		before, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		_, err = precision.Convert(m, c.to)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want it to say %q", c.name, err, want)
			}
		}
		if after, err := m.Bytes(); err != nil || !slices.Equal(before, after) {
			t.Errorf("%s: the model was changed", c.name)
		}
	}
}

// TestConvertAtTheBounds converts the largest numbers that a type holds, and what is not finite, which every type has.
func TestConvertAtTheBounds(t *testing.T) {
	for _, c := range []struct {
		from, to onnxgraph.DType
		largest  float64
	}{{single, half, 65504}, {double, half, 65504}, {double, single, math.MaxFloat32}} {
		want := []float64{c.largest, -c.largest, math.Inf(1), math.Inf(-1), math.NaN(), 0}
		m := newModel(t, c.from, c.from, func(g *network, x *onnxgraph.Value) *onnxgraph.Value { return g.op("Add", x, g.numbers(want...)) })
		if _, err := precision.Convert(m, c.to); err != nil {
			t.Errorf("%v to %v: %v", c.from, c.to, err)
			continue
		}
		got, err := m.Graph.Value("numbers").Constant().Float64s()
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.to.String(), convcases.Array{Data: got}, convcases.Array{Data: want}, 0)
		if data := m.Graph.Value("numbers").Constant(); data.DType() != c.to {
			t.Errorf("%v to %v: the numbers are %v", c.from, c.to, data.DType())
		}
		beyond := newModel(t, c.from, c.from, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
			return g.op("Add", x, g.numbers(0, math.NaN(), 0, -1.001*c.largest, 0, 0))
		})
		if _, err := precision.Convert(beyond, c.to); err == nil || !strings.Contains(err.Error(), "beyond the largest") {
			t.Errorf("%v to %v, beyond: error %v", c.from, c.to, err)
		}
	}
}

// TestConvertUnreadable names the constant whose data is gone, and changes nothing.
func TestConvertUnreadable(t *testing.T) {
	m := newModel(t, single, single, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
		return g.op("Conv", x, g.constant(20, 2, 5, 5))
	})
	m = convcases.WithoutData(t, m)
	if _, err := precision.Convert(m, half); err == nil || !strings.Contains(err.Error(), `constant "drawn": `) {
		t.Errorf("got error %v", err)
	}
	if m.Graph.Inputs()[0].DType() != single || m.Graph.Value("drawn").DType() != single {
		t.Error("the model was changed")
	}
}

// TestConvertSparse converts a sparse initializer, which is dense then; one whose indices are wrong it names.
func TestConvertSparse(t *testing.T) {
	orttest.Init(t)
	const name, other = "sparse", "others"
	number := func(field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
	}
	message := func(field protowire.Number, parts ...[]byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), slices.Concat(parts...))
	}
	build := func(index uint64) *onnxgraph.Model {
		m := newModel(t, single, single, func(g *network, x *onnxgraph.Value) *onnxgraph.Value {
			return g.op("Add", x, g.cast(g.AddConstant(name, onnxgraph.NewTensor([]int64{6}, make([]float64, 6))), single))
		})
		data, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		// The dense one takes another name, and a sparse one, field 15 of a graph, its place.
		data = []byte(strings.Replace(string(data), string(message(8, []byte(name))), string(message(8, []byte(other))), 1))
		raw := binary.LittleEndian.AppendUint64(nil, math.Float64bits(2.5))
		values := message(1, number(1, 1), number(2, uint64(double)), message(9, raw), message(8, []byte(name)))
		indices := message(2, number(1, 1), number(2, 7), number(7, index))
		m, err = onnxgraph.Parse(append(data, message(7, message(15, values, indices, number(3, 6)))...), "")
		if err != nil {
			t.Fatal(err)
		}
		onnxgraph.RemoveUnused(m.Graph.Value(other))
		return m
	}
	m := build(4)
	if precision.IsAll(m, single) {
		t.Error("a sparse float64 constant counts as float32")
	}
	r, err := precision.Convert(m, single)
	if err != nil || r.Constants != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if !precision.IsAll(m, single) {
		t.Error("not all is float32")
	}
	got := m.Graph.Value(name).Constant()
	if got == nil || got.DType() != single {
		t.Fatalf("the constant is %v", got)
	}
	near(t, name, convcases.ArrayOf(got), convcases.Array{Dims: []int64{6}, Data: []float64{0, 0, 0, 0, 2.5, 0}}, 0)
	run(t, m, convcases.Draw(single, 1, 1, 2, 6, 6))
	if _, err := precision.Convert(build(6), single); err == nil || !strings.Contains(err.Error(), `constant "sparse": `) {
		t.Errorf("an index that is none: error %v", err)
	}
}
