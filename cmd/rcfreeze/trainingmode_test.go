package main

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
)

// TestTrainingMode takes a model whose normalizations are in training mode, with statistics that their training form does
// not use: convert keeps the mode, export writes what the model computes in inference.
func TestTrainingMode(t *testing.T) {
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	m, err := onnxgraph.Load("net.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range m.Graph.Nodes() {
		if n.Is("BatchNormalization") {
			shift := n.Input(3).Constant()
			data, err := shift.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for i := range data {
				data[i] = 0.1 * float32(i+1)
			}
			n.Input(3).SetConstant(onnxgraph.NewTensor(shift.Dims(), data))
		}
	}
	want := m.Clone()
	norms := 0
	for _, n := range m.Graph.Nodes() {
		if n.Is("BatchNormalization") {
			n.SetAttr(onnxgraph.Int("training_mode", 1))
			n.NeedOutput(2) // running mean and variance
			n.NeedOutput(1)
			norms++
		}
	}
	if err := m.Save("train.onnx", onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
	_, said, code := call("convert", "train.onnx", "-o", "blocks.onnx", "-E", "13", "--layout", "depthwise")
	if code != exitDone || !strings.Contains(said, "training mode") {
		t.Errorf("convert: exit code %d, said %q", code, said)
	}
	for _, path := range []string{"train.onnx", "blocks.onnx"} {
		for _, fold := range []string{"--fold-batchnorm", "--fold-batchnorm=false"} {
			_, said, code := call("export", path, "-o", "deploy.onnx", fold, "--source", "train.onnx", "--time", "--time-runs", "1")
			if code != exitDone || !strings.Contains(said, "training mode") {
				t.Fatalf("export %s: exit code %d, said %q", path, code, said)
			}
			deployed, err := onnxgraph.Load("deploy.onnx")
			if err != nil {
				t.Fatal(err)
			}
			left := 0
			for _, n := range deployed.Graph.Nodes() {
				if n.Is("BatchNormalization") {
					left++
					if n.Has("training_mode") || len(n.Outputs()) != 1 {
						t.Errorf("%s is still in training mode", n)
					}
				}
			}
			if folded := fold == "--fold-batchnorm"; folded != (left == 0) || left > norms {
				t.Errorf("%d of %d normalizations are left with %s", left, norms, fold)
			}
			report, err := verify.Outputs(t.Context(), want, deployed, verify.Options{Batch: 2, Seed: 1})
			if err != nil || !(report.Differences[0].MaxRel < 1e-5) {
				t.Errorf("export %s: %+v, %v", path, report, err)
			}
		}
	}
}
