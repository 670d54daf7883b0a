package transformtest

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"google.golang.org/protobuf/encoding/protowire"
)

// AddNorm puts a batch normalization behind the model's node, in front of its output.
func AddNorm(m *onnxgraph.Model, channels int64) *onnxgraph.Node {
	g := m.Graph
	n := g.Nodes()[0]
	dtype := g.Outputs()[0].DType()
	inputs := []*onnxgraph.Value{n.Output(0)}
	for _, name := range []string{"scale", "shift", "mean", "var"} {
		ones := make([]float64, channels)
		for i := range ones {
			ones[i] = 1
		}
		t, err := onnxgraph.FromFloat64s(dtype, []int64{channels}, ones)
		if err != nil {
			panic(err)
		}
		inputs = append(inputs, g.AddConstant("norm."+name, t))
	}
	norm := g.AddNode("BatchNormalization", nil, onnxgraph.Float("epsilon", 1e-3))
	norm.SwapOutput(0, n, 0)
	inputs[0] = n.Output(0)
	for i, v := range inputs {
		norm.SetInput(i, v)
	}
	return norm
}

// Converted returns a case as a frozen block.
func Converted(t *testing.T, c convcases.Case, o transform.Options) *onnxgraph.Model {
	t.Helper()
	m := c.Model()
	if _, err := transform.Convert(m, o); err != nil {
		t.Fatal(err)
	}
	return m
}

// OnlyBlock returns the only block of a model.
func OnlyBlock(t *testing.T, m *onnxgraph.Model) transform.Block {
	t.Helper()
	blocks, err := transform.Blocks(m)
	if err != nil || len(blocks) != 1 {
		t.Fatalf("%d blocks, want 1: %v", len(blocks), err)
	}
	return blocks[0]
}

// ModelBytes returns the model as a file.
func ModelBytes(t *testing.T, m *onnxgraph.Model) []byte {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Sparse returns the model with a constant as a sparse initializer, which holds its first number and its last.
func Sparse(t *testing.T, m *onnxgraph.Model, name string) *onnxgraph.Model {
	t.Helper()
	tensor := m.Graph.Value(name).Constant()
	numbers, err := tensor.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	// the initializer takes another name, that of a graph's field 15 in its place; messages that are appended are merged
	named := func(name string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, 8, protowire.BytesType), name)
	}
	data = bytes.Replace(data, named(name), named(strings.Repeat("o", len(name))), 1)
	message := func(number protowire.Number, parts ...[]byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), slices.Concat(parts...))
	}
	number := func(field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
	}
	float := func(v float32) []byte {
		return protowire.AppendFixed32(protowire.AppendTag(nil, 4, protowire.Fixed32Type), math.Float32bits(v))
	}
	last := len(numbers) - 1
	values := message(1, number(1, 2), number(2, 1), float(numbers[0]), float(numbers[last]), named(name))
	indices := message(2, number(1, 2), number(2, 7), number(7, 0), number(7, uint64(last)))
	var dims []byte
	for _, d := range tensor.Dims() {
		dims = append(dims, number(3, uint64(d))...)
	}
	m, err = onnxgraph.Parse(append(data, message(7, message(15, values, indices, dims))...), "")
	if err != nil {
		t.Fatal(err)
	}
	if m.Graph.Value(name).Constant() != nil {
		t.Fatalf("%s is not sparse", name)
	}
	return m
}

// ModelFiles returns the ONNX files in the folder that RCFREEZE_MODELS names.
func ModelFiles(t *testing.T) []string {
	t.Helper()
	folder := peer.Models(t)
	paths, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no ONNX files in %s: %v", folder, err)
	}
	return paths
}

// DisturbNorm gives the batch normalizations of a model statistics and parameters as after training.
func DisturbNorm(t *testing.T, m *onnxgraph.Model) {
	t.Helper()
	for _, n := range m.Graph.Nodes() {
		for i := 1; n.Is("BatchNormalization") && i <= 4; i++ {
			old := n.Input(i).Constant()
			data, err := convcases.Draw(old.DType(), uint64(i), old.Dims()...).Float64s()
			if err != nil {
				t.Fatal(err)
			}
			for j := range data {
				if i == 1 || i == 4 {
					data[j] = data[j]/2 + 1
				}
			}
			drawn, err := onnxgraph.FromFloat64s(old.DType(), old.Dims(), data)
			if err != nil {
				t.Fatal(err)
			}
			n.Input(i).SetConstant(drawn)
		}
	}
}

// RolesOf returns the role of each constant by its name.
func RolesOf(t *testing.T, m *onnxgraph.Model) map[string]parameter.Role {
	t.Helper()
	parameters, err := parameter.List(m)
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]parameter.Role{}
	for _, p := range parameters {
		roles[p.Value.Name()] = p.Role
	}
	return roles
}
