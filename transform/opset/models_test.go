package opset_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/opset"
)

// noReference lists the operators whose outputs are drawn at random.
var noReference = []string{"Bernoulli"}

// TestConformance upgrades ONNX's own test models, of opsets 1 to 17. The outputs must be those that come
// with the model, or at least those of ONNX Runtime for the model as it was.
func TestConformance(t *testing.T) {
	folder := peer.ConformanceModels(t)
	orttest.Init(t)
	paths, err := filepath.Glob(filepath.Join(folder, "*", "*", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for _, path := range paths {
		m, err := onnxgraph.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		inputs, want, ok := readExample(m, filepath.Join(filepath.Dir(path), "test_data_set_0"))
		if !ok || m.Opset("") == 0 || slices.ContainsFunc(m.Graph.AllNodes(), func(n *onnxgraph.Node) bool { return slices.Contains(noReference, n.OpType()) }) {
			continue // not of numbers only, or of the training domain only, or random
		}
		if err := opset.Upgrade(m, opset.Newest); err != nil {
			if !strings.Contains(err.Error(), "node Scan") {
				t.Error(err)
			}
			continue
		}
		got, err := run(m, inputs)
		if err == nil {
			err = differ(got, want)
		}
		if err != nil && !sameAsBefore(path, inputs, got) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		compared[filepath.Base(filepath.Dir(filepath.Dir(path)))]++
	}
	t.Logf("compared: %v of %d models", compared, len(paths))
	if compared["pytorch-converted"] == 0 || compared["node"] == 0 {
		t.Error("nothing was compared")
	}
}

// sameAsBefore reports whether ONNX Runtime makes of the model as it was the same outputs, or nothing either.
func sameAsBefore(path string, inputs, got tensors) bool {
	m, err := onnxgraph.Load(path)
	if err != nil {
		return false
	}
	before, err := run(m, inputs)
	if err != nil {
		return got == nil
	}
	return got != nil && differ(got, before) == nil
}

// readExample reads the inputs and the outputs of a test model; ok is false if not all of them are tensors
// of real numbers.
func readExample(m *onnxgraph.Model, folder string) (inputs, outputs tensors, ok bool) {
	free := slices.DeleteFunc(m.Graph.Inputs(), func(v *onnxgraph.Value) bool { return v.Constant() != nil })
	inputs, ok = readTensors(free, filepath.Join(folder, "input_%d.pb"))
	if !ok {
		return nil, nil, false
	}
	outputs, ok = readTensors(m.Graph.Outputs(), filepath.Join(folder, "output_%d.pb"))
	return inputs, outputs, ok
}

func readTensors(values []*onnxgraph.Value, pattern string) (tensors, bool) {
	read := tensors{}
	for i, v := range values {
		data, err := os.ReadFile(fmt.Sprintf(pattern, i))
		if err != nil {
			return nil, false
		}
		x, err := onnxgraph.ParseTensor(data)
		if err != nil || x.DType() != v.DType() || v.DType().Bits() < 8 {
			return nil, false
		}
		read[v.Name()] = x
	}
	return read, true
}

// TestModels upgrades real CNNs: the outputs must stay as they were.
func TestModels(t *testing.T) {
	folder := peer.Models(t)
	orttest.Init(t)
	paths, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no ONNX files in %s (%v)", folder, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := onnxgraph.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if m.Opset("") >= opset.Newest {
				t.Skipf("is of opset %d already", m.Opset(""))
			}
			feed := tensors{}
			for _, v := range m.Graph.Inputs() {
				if v.Constant() == nil {
					feed[v.Name()] = example(t, v)
				}
			}
			got, err := run(upgraded(t, m), feed)
			if err != nil {
				t.Fatal(err)
			}
			if trainsWithoutRuntime(m) {
				t.Skip("was upgraded and run, but ONNX Runtime ignores the training mode before opset 14: nothing to compare with")
			}
			want, err := run(m, feed)
			if err != nil {
				t.Fatal(err)
			}
			if err := differ(got, want); err != nil {
				t.Error(err)
			}
		})
	}
}

// trainsWithoutRuntime reports whether the model has a BatchNormalization in training mode of a version in
// which ONNX Runtime runs it in test mode nevertheless.
func trainsWithoutRuntime(m *onnxgraph.Model) bool {
	return m.Opset("") < 14 && slices.ContainsFunc(m.Graph.AllNodes(), func(n *onnxgraph.Node) bool {
		return n.Is("BatchNormalization") && len(n.Outputs()) > 1
	})
}

// example returns numbers for a graph input; the first dimension that is not fixed becomes 2, others 64.
func example(t *testing.T, v *onnxgraph.Value) *onnxgraph.Tensor {
	t.Helper()
	shape, ok := v.Shape()
	if !ok {
		t.Fatalf("input %q has no rank", v.Name())
	}
	size := make([]int64, len(shape))
	for i, d := range shape {
		size[i] = d.Size
		if d.Size < 0 {
			size[i] = 64
			if i == 0 {
				size[i] = 2
			}
		}
	}
	x, err := onnxgraph.FromFloat64s(v.DType(), size, numbers(t, waves(size...)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}
