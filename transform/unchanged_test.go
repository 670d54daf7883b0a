package transform_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// oneAll is a calibration that has seen independent inputs of variance 1, and outputs that are the source's.
type oneAll struct{}

func (oneAll) Reach(transform.Layer) error { return nil }

func (oneAll) Moments(l transform.Layer) (projection.Moments, error) {
	n, o := len(l.Filters)/l.Out, l.Out/l.Groups
	m := projection.Moments{Groups: l.Groups, O: o, N: n, Positions: 1}
	for i := range l.Groups * n * n {
		same := 0.0
		if i/n%n == i%n {
			same = 1
		}
		m.Inputs = append(m.Inputs, same)
	}
	m.Cross, m.Input = make([]float64, l.Out*n), make([]float64, l.Groups*n)
	m.Shift, m.Squares, m.Output = make([]float64, l.Out), make([]float64, l.Out), make([]float64, l.Out)
	m.Energy = slices.Repeat([]float64{1}, l.Out)
	return m, nil
}

func (oneAll) Replace(transform.Layer, []float64, []float64) error { return nil }

// TestFailedConversionChangesNothing converts two convolutions, of which only the first can be: the model stays as it is.
func TestFailedConversionChangesNothing(t *testing.T) {
	gone := func(m *onnxgraph.Model, second *onnxgraph.Node) {
		second.SetInput(1, m.Graph.Value("lost"))
	}
	mean := func(m *onnxgraph.Model, second *onnxgraph.Node) {
		norm := []*onnxgraph.Value{second.Output(0)}
		for range 4 {
			norm = append(norm, m.Graph.AddConstant("short", convcases.Draw(onnxgraph.Float32, 1, 3)))
		}
		y := m.Graph.AddNode("BatchNormalization", norm)
		m.Graph.RemoveOutputs()
		m.Graph.AddOutput(y.Output(0), onnxgraph.Float32, nil)
	}
	calibrate := transform.Options{Pointwise: transform.Calibrate, Calibration: oneAll{}}
	for _, c := range []struct {
		name  string
		o     transform.Options
		spoil func(m *onnxgraph.Model, second *onnxgraph.Node)
		want  string
	}{
		{"project, data gone", transform.Options{}, gone, "convolution \"second\": "},
		{"identity, data gone", transform.Options{Pointwise: transform.Identity}, gone, "convolution \"second\": "},
		{"identity in a larger kernel, data gone", transform.Options{Pointwise: transform.Identity, KernelSize: 5}, gone, "convolution \"second\": "},
		{"calibrate, data gone", calibrate, gone, "convolution \"second\": "},
		{"calibrate, mean of other channels", calibrate, mean, "has 3 numbers as input 3, needs 8"},
	} {
		m := convcases.Case{Input: []int64{1, 3, 9, 9}, Filters: 8, Kernel: []int64{3, 3}}.Model()
		m.Graph.AddOutput(m.Graph.AddConstant("lost", convcases.Draw(onnxgraph.Float32, 1, 8, 8, 3, 3)), onnxgraph.Float32, nil)
		folder := t.TempDir()
		if err := m.Save(filepath.Join(folder, "m.onnx"), onnxgraph.ExternalAll); err != nil {
			t.Fatal(err)
		}
		m, err := onnxgraph.Load(filepath.Join(folder, "m.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		first := m.Graph.Value(convcases.Weight)
		first.SetConstant(convcases.Draw(onnxgraph.Float32, 1, first.Constant().Dims()...))
		w := m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 2, 8, 8, 3, 3))
		second := m.Graph.AddNode("Conv", []*onnxgraph.Value{m.Graph.Value(convcases.Y), w})
		second.Rename("second")
		m.Graph.AddOutput(second.Output(0), onnxgraph.Float32, nil)
		if _, err := transform.Convert(m.Clone(), c.o); err != nil {
			t.Fatalf("%s: before: %v", c.name, err)
		}
		c.spoil(m, second)
		data, err := filepath.Glob(filepath.Join(folder, "*.data"))
		if err != nil || len(data) != 1 {
			t.Fatalf("data files: %v, %v", data, err)
		}
		if err := os.Remove(data[0]); err != nil {
			t.Fatal(err)
		}
		operators, parameters, names := transformtest.Census(m)
		_, err = transform.Convert(m, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
		after, count, left := transformtest.Census(m)
		if !maps.Equal(operators, after) || parameters != count || !maps.Equal(names, left) || len(m.MetadataKeys()) > 0 {
			t.Errorf("%s: the model was changed: it has %v and %v, had %v and %v", c.name, after, left, operators, names)
		}
	}
}
