package transformtest

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Builder builds the end of a classifier.
type Builder struct {
	G    *onnxgraph.Graph
	seed uint64
}

// Constant adds random numbers.
func (b *Builder) Constant(name string, dims ...int64) *onnxgraph.Value {
	b.seed++
	return b.G.AddConstant(name, convcases.Draw(onnxgraph.Float32, b.seed, dims...))
}

// Ints adds a list of whole numbers.
func (b *Builder) Ints(v ...int64) *onnxgraph.Value {
	return b.G.AddConstant("ints", onnxgraph.NewTensor([]int64{int64(len(v))}, v))
}

// Op adds a node whose first input is data.
func (b *Builder) Op(opType string, x *onnxgraph.Value, rest ...any) *onnxgraph.Value {
	inputs := []*onnxgraph.Value{x}
	var attrs []onnxgraph.Attribute
	for _, r := range rest {
		switch r := r.(type) {
		case *onnxgraph.Value:
			inputs = append(inputs, r)
		case onnxgraph.Attribute:
			attrs = append(attrs, r)
		}
	}
	return b.G.AddNode(opType, inputs, attrs...).Output(0)
}

// Classifier returns a model from feature maps x, [2, 6, 3, 3], to the output that build makes of them, which is declared with shape.
func Classifier(t *testing.T, build func(b *Builder, x *onnxgraph.Value) *onnxgraph.Value, shape ...int64) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 6, 3, 3))
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.AddOutput(build(&Builder{G: m.Graph}, x), onnxgraph.Float32, onnxgraph.Static(shape...))
	return m
}
