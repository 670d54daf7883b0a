package train_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

const (
	side    = datasettest.Side
	classes = datasettest.Classes
)

// newData returns a train split of 70 images, and a test split of 30.
func newData(t *testing.T) (training, test *dataset.Dataset) {
	t.Helper()
	return datasettest.OpenCorners(t, 70, 30)
}

// otherData returns as many images with other pixels.
func otherData(t *testing.T, training, test int) (train, held *dataset.Dataset) {
	t.Helper()
	folder := t.TempDir()
	for prefix, count := range map[string]int{"train": training, "t10k": test} {
		labels := make([]byte, count)
		for i := range labels {
			labels[i] = byte(i % classes)
		}
		datasettest.WriteIDX(t, folder, prefix, side, labels, func(i, x, y int) byte { return byte(i + x*y) })
	}
	open := func(s dataset.Split) *dataset.Dataset {
		d, err := dataset.Open(folder, dataset.Options{Split: s, Classes: classes})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	return open(dataset.Train), open(dataset.Test)
}

// newModel builds an architecture for the images.
func newModel(t *testing.T, name string, depth, width int) *onnxgraph.Model {
	t.Helper()
	m, err := architecture.New(name, architecture.Options{
		Depth: depth, Width: width, Classes: classes, Channels: 1, ImageHeight: side, ImageWidth: side, Seed: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func resNet(t *testing.T) *onnxgraph.Model { return newModel(t, "cifar-resnet", 8, 4) }
func leNet(t *testing.T) *onnxgraph.Model  { return newModel(t, "lenet", 5, 3) }
func normed(t *testing.T) *onnxgraph.Model { return transformtest.ResNet(t, 1, side, classes) }

// linear is the smallest model: a layer that reads the pixels.
func linear(t *testing.T) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("linear", 8, 18)
	image, err := m.Graph.AddInput("image", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1, Param: "N"}}, onnxgraph.Static(1, side, side)...))
	if err != nil {
		t.Fatal(err)
	}
	data := make([]float32, side*side*classes)
	for i := range data {
		data[i] = float32(i%7-3) / side
	}
	weight := m.Graph.AddConstant("weight", onnxgraph.NewTensor([]int64{side * side, classes}, data))
	bias := m.Graph.AddConstant("bias", onnxgraph.NewTensor([]int64{classes}, make([]float32, classes)))
	flat := m.Graph.AddNode("Flatten", []*onnxgraph.Value{image}).Output(0)
	m.Graph.AddOutput(m.Graph.AddNode("Gemm", []*onnxgraph.Value{flat, weight, bias}).Output(0), onnxgraph.Float32, nil)
	return m
}

// withDropout puts Dropouts before and after the ReLU that leads to the last layer of a LeNet.
func withDropout(t *testing.T, m *onnxgraph.Model) *onnxgraph.Model {
	t.Helper()
	for _, name := range []string{"relu4", "fc3"} {
		for _, n := range m.Graph.Nodes() {
			if n.Name() == name {
				drop := m.Graph.AddNode("Dropout", []*onnxgraph.Value{n.Input(0)})
				n.SetInput(0, drop.Output(0))
			}
		}
	}
	return m
}

// newRun returns a run of 4 epochs of 4 steps of a variant of a model, in a folder of its own.
func newRun(t *testing.T, m *onnxgraph.Model, v parameter.Variant) *train.Run {
	t.Helper()
	orttest.Init(t)
	trained, err := v.Trained(m)
	if err != nil {
		t.Fatal(err)
	}
	recipe := train.PaperRecipe()
	recipe.Epochs, recipe.BatchSize, recipe.LearningRate, recipe.WeightDecay = 4, 16, 0.05, 1e-3
	recipe.Trained = trained
	r := &train.Run{
		Model: m, Recipe: recipe, Folder: train.Folder(filepath.Join(t.TempDir(), "run")), Keep: train.KeepLast,
		Normalize: dataset.Normalization{Mean: []float64{0.3}, Std: []float64{0.2}}, Session: orttest.Options(t),
	}
	r.Train, r.Test = newData(t)
	return r
}

// isAlone reports whether the test is the only one of its process; if not, it runs it in one of its own.
func isAlone(t *testing.T) bool {
	t.Helper()
	const child = "RCFREEZE_TEST_ALONE"
	if os.Getenv(child) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	t.Logf("%s", out)
	return false
}

func do(t *testing.T, r *train.Run) *train.Result {
	t.Helper()
	result, err := r.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func modelBytes(t *testing.T, m *onnxgraph.Model) []byte {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func constant(t *testing.T, m *onnxgraph.Model, name string) []float32 {
	t.Helper()
	v := m.Graph.Value(name)
	if v == nil || v.Constant() == nil {
		t.Fatalf("no constant %q", name)
	}
	data, err := v.Constant().Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
