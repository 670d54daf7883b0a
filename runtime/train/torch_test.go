package train_test

import (
	"archive/zip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/ort/orttest"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

const (
	torchSteps = 20
	torchBatch = 32
)

// TestAgreesWithPyTorch trains 20 steps from the same weights on the same batches, here and in PyTorch: the
// losses agree within 1e-3. Parameters and running statistics after the last step agree within 0.1 (L2,
// relative): where rounding flips a single ReLU, shifts that are still small differ by a few per cent, and
// without one by 1e-6.
func TestAgreesWithPyTorch(t *testing.T) {
	python := pythonWithTorch(t)
	orttest.Init(t)
	source, err := architecture.New("cifar-resnet", architecture.Options{Depth: 8, Width: 8, Classes: 10, Channels: 3, ImageHeight: 16, ImageWidth: 16})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		variant transform.Variant
		options transform.Options
	}{
		{"source", transform.Baseline, transform.Options{}},
		{"frozen", transform.Frozen, transform.Options{Pointwise: transform.Random}},
		{"frozen x4 folded", transform.Frozen, transform.Options{Pointwise: transform.Random, Expansion: 4}},
		{"learned", transform.Learned, transform.Options{Pointwise: transform.Random}},
		{"depthwise", transform.Frozen, transform.Options{Pointwise: transform.Random, Expansion: 3, Layout: transform.Depthwise}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			m := source.Clone()
			if c.variant.HasBlocks() {
				if _, err := transform.Convert(m, c.options); err != nil {
					t.Fatal(err)
				}
			}
			images, labels := torchBatches()
			folder := t.TempDir()
			writeNPZ(t, filepath.Join(folder, "batches.npz"), images, labels)
			model := filepath.Join(folder, "model.onnx")
			if err := m.Save(model, onnxgraph.ExternalAsRead); err != nil {
				t.Fatal(err)
			}
			trained, err := c.variant.Trained(m)
			if err != nil {
				t.Fatal(err)
			}
			want, wantValues := torchLosses(t, python, folder, frozenNames(m, trained))
			got, values := ourLosses(t, m, trained, images, labels)
			worst := 0.0
			for i := range want {
				worst = max(worst, math.Abs(got[i]-want[i])/want[i])
			}
			t.Logf("largest relative difference of %d losses: %.2g", len(want), worst)
			if len(want) != torchSteps || !(worst < 1e-3) {
				t.Errorf("losses are\n%v, PyTorch's\n%v", got, want)
			}
			compareValues(t, values, wantValues)
		})
	}
}

// compareValues compares parameters and statistics by name.
func compareValues(t *testing.T, got, want map[string][]float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d parameters and statistics, PyTorch has %d", len(got), len(want))
	}
	worst := 0.0
	for name, data := range got {
		d := distance(data, want[name])
		worst = max(worst, d)
		if !(d < 0.1) {
			t.Errorf("%s differs by %.2g", name, d)
		}
	}
	t.Logf("largest relative difference of %d parameters and statistics: %.2g", len(got), worst)
}

// distance is |a - b| / |b|, infinite if the lengths differ.
func distance(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	difference, size := 0.0, 0.0
	for i := range b {
		difference += math.Pow(float64(a[i])-float64(b[i]), 2)
		size += math.Pow(float64(b[i]), 2)
	}
	return math.Sqrt(difference / size)
}

// pythonWithTorch returns a Python that has PyTorch and ONNX.
func pythonWithTorch(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import torch, onnx").Run() == nil {
			return python
		}
	}
	t.Skip("no Python with torch and onnx here: install Debian's python3-torch and python3-onnx (make peers)")
	return ""
}

// frozenNames returns the initializers that do not train.
func frozenNames(m *onnxgraph.Model, trained []string) []string {
	trains := map[string]bool{}
	for _, name := range trained {
		trains[name] = true
	}
	var names []string
	for _, v := range m.Graph.Initializers() {
		if !trains[v.Name()] {
			names = append(names, v.Name())
		}
	}
	return names
}

func torchBatches() (images []float32, labels []int64) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range torchSteps * torchBatch {
		labels = append(labels, rng.Int64N(10))
		for range 3 * 16 * 16 {
			images = append(images, float32(rng.NormFloat64()))
		}
	}
	return images, labels
}

// torchLosses returns the losses, and parameters and statistics after the last step.
func torchLosses(t *testing.T, python, folder string, frozen []string) ([]float64, map[string][]float32) {
	t.Helper()
	list, values := filepath.Join(folder, "frozen.txt"), filepath.Join(folder, "values.npz")
	if err := os.WriteFile(list, []byte(strings.Join(frozen, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "../../testdata/torch/reference.py", "losses", filepath.Join(folder, "model.onnx"),
		"--batches", filepath.Join(folder, "batches.npz"), "--frozen", list, "--lr", "0.01", "--momentum", "0.9", "--nesterov",
		"--weight-decay", "0.01", "--label-smoothing", "0.1", "--params", values, "--threads", "1").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var result struct{ Losses []float64 }
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	return result.Losses, readNPZ(t, values)
}

// ourLosses returns the same as torchLosses.
func ourLosses(t *testing.T, m *onnxgraph.Model, trained []string, images []float32, labels []int64) ([]float64, map[string][]float32) {
	t.Helper()
	step, err := train.Step(m, []int64{torchBatch, 3, 16, 16}, trainstep.Options{
		Trained: trained, LabelSmoothing: 0.1, Optimizer: trainstep.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.01},
	})
	if err != nil {
		t.Fatal(err)
	}
	stepper, err := train.OpenStep(step, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer stepper.Close()
	var losses []float64
	for i := range torchSteps {
		size := torchBatch * 3 * 16 * 16
		put(t, stepper, step.Image, images[i*size:(i+1)*size])
		put(t, stepper, trainstep.LabelsInput, labels[i*torchBatch:(i+1)*torchBatch])
		put(t, stepper, trainstep.LearningRateInput, []float32{0.01})
		if err := stepper.Step(); err != nil {
			t.Fatal(err)
		}
		loss, err := ort.OutputData[float32](stepper, trainstep.LossOutput)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, float64(loss[0]))
	}
	values := map[string][]float32{}
	for slot, segments := range map[string][]trainstep.Segment{trainstep.ParametersSlot: step.Parameters, trainstep.StatisticsSlot: step.Statistics} {
		state, err := stepper.State(slot)
		if err != nil {
			t.Fatal(err)
		}
		data, err := state.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range segments {
			values[s.Name] = data[s.Offset : s.Offset+s.Len()]
		}
	}
	return losses, values
}

func put[T onnxgraph.Element](t *testing.T, s *ort.Stepper, name string, data []T) {
	t.Helper()
	memory, err := ort.InputData[T](s, name)
	if err != nil {
		t.Fatal(err)
	}
	copy(memory, data)
}

// writeNPZ writes the batches as NumPy arrays: images [steps, N, 3, 16, 16] and labels [steps, N].
func writeNPZ(t *testing.T, path string, images []float32, labels []int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, a := range []struct {
		name, kind, shape string
		data              *onnxgraph.Tensor
	}{
		{"images", "<f4", fmt.Sprintf("(%d, %d, 3, 16, 16)", torchSteps, torchBatch), onnxgraph.NewTensor([]int64{int64(len(images))}, images)},
		{"labels", "<i8", fmt.Sprintf("(%d, %d)", torchSteps, torchBatch), onnxgraph.NewTensor([]int64{int64(len(labels))}, labels)},
	} {
		w, err := z.Create(a.name + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := a.data.Raw()
		if err != nil {
			t.Fatal(err)
		}
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", a.kind, a.shape)
		header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
		if _, err := w.Write(append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(header)), byte(len(header) >> 8)})+header), raw...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// readNPZ reads arrays of float32, each as a flat slice.
func readNPZ(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	arrays := map[string][]float32{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		start := 10 + int(binary.LittleEndian.Uint16(raw[8:])) // behind the header
		if !strings.Contains(string(raw[:start]), "'descr': '<f4', 'fortran_order': False") {
			t.Fatalf("%s of %s is no float32 array: %q", f.Name, path, raw[:start])
		}
		data := make([]float32, (len(raw)-start)/4)
		if _, err := binary.Decode(raw[start:], binary.LittleEndian, data); err != nil {
			t.Fatal(err)
		}
		arrays[strings.TrimSuffix(f.Name, ".npy")] = data
	}
	return arrays
}
