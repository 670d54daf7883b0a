package precision_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// TestConformance converts ONNX's own test models to float32: what ONNX Runtime could run it still runs, with the same result.
func TestConformance(t *testing.T) {
	folder := peer.ConformanceModels(t)
	orttest.Init(t)
	paths, err := filepath.Glob(filepath.Join(folder, "node", "*", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	// For float16 ONNX Runtime lacks much on CPUs: only operators are tried that stay in float32.
	stay := regexp.MustCompile(`node/test_(celu|isinf|range_float|upsample|resize|nonmax|dynamicq|quantizel|dequantizel|qlinear|layer_norm)`)
	for to, tolerance := range map[onnxgraph.DType]float64{single: 2e-3, half: 2e-2} {
		compared := 0
		for _, path := range paths {
			if to == half && !stay.MatchString(path) {
				continue
			}
			m, err := onnxgraph.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if compareConverted(t, path, m, to, tolerance) {
				compared++
			}
		}
		t.Logf("to %v: compared %d of %d models", to, compared, len(paths))
		if compared < 10 {
			t.Errorf("to %v: only %d models were compared", to, compared)
		}
	}
}

// compareConverted reports whether the model can be run, and is converted.
func compareConverted(t *testing.T, path string, m *onnxgraph.Model, to onnxgraph.DType, tolerance float64) bool {
	t.Helper()
	inputs := map[string]*onnxgraph.Tensor{}
	for i, v := range m.Graph.Inputs() {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(path), "test_data_set_0", fmt.Sprintf("input_%d.pb", i)))
		if err != nil {
			return false
		}
		x, err := onnxgraph.ParseTensor(data)
		if err != nil || !x.DType().IsNumber() {
			return false
		}
		inputs[v.Name()] = x
	}
	return compareOn(t, path, m, inputs, to, tolerance)
}

// compareOn is compareConverted on given inputs.
func compareOn(t *testing.T, path string, m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor, to onnxgraph.DType, tolerance float64) bool {
	t.Helper()
	random := func(n *onnxgraph.Node) bool {
		return slices.Contains([]string{"Bernoulli", "RandomUniformLike"}, n.OpType())
	}
	if m.Opset("") == 0 || slices.ContainsFunc(m.Graph.AllNodes(), random) {
		return false
	}
	want, err := execute(m, inputs)
	if err != nil {
		return false
	}
	r, err := precision.Convert(m, to)
	if err != nil {
		t.Logf("%s: %v", path, err)
		return false
	}
	if !r.Changed() {
		return false
	}
	for name, x := range inputs {
		if x.DType().IsFloat() {
			inputs[name] = in(t, to, x)
		}
	}
	got, err := execute(m, inputs)
	if err != nil && regexp.MustCompile("cannot be passed to ONNX Runtime from Go|only with fixed dims").MatchString(err.Error()) {
		return false // float16 without dims; but the model was loaded
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return true
	}
	for name, v := range want {
		if v.DType().IsNumber() {
			near(t, path+" "+name, convcases.ArrayOf(got[name]), convcases.ArrayOf(v), tolerance)
		}
	}
	return true
}

func execute(m *onnxgraph.Model, inputs map[string]*onnxgraph.Tensor) (map[string]*onnxgraph.Tensor, error) {
	data, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	s, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(inputs)
}

// TestModels converts real models of other types to float32.
func TestModels(t *testing.T) {
	folder := peer.Models(t)
	orttest.Init(t)
	paths, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		m, err := onnxgraph.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		inputs := map[string]*onnxgraph.Tensor{}
		for _, v := range m.Graph.Inputs() {
			if shape, ok := v.Shape(); ok && v.Constant() == nil && v.DType().IsFloat() {
				var dims []int64
				for _, d := range shape {
					dims = append(dims, max(d.Size, 1))
				}
				inputs[v.Name()] = convcases.Draw(v.DType(), 1, dims...)
			}
		}
		if compareOn(t, path, m, inputs, single, 5e-3) {
			t.Logf("compared %s", path)
		}
	}
}
