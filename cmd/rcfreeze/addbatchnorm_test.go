package main

import (
	"math"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestAddBatchNorm converts a model without normalizations, trains it, and exports it.
func TestAddBatchNorm(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "plain.onnx")
	r := succeedJSON[rcfreeze.Converted](t, "convert", "model.onnx", "-o", "blocks.onnx", "--add-batchnorm", "--data", "bands", "--calibration-images", "48")
	if len(r.Norms) != 2 || r.Norms[0].Status != transform.Added || r.After.Statistics != 2*(3+8) {
		t.Errorf("added %+v, %d running statistics", r.Norms, r.After.Statistics)
	}
	loss := func(path string) float64 {
		return succeedJSON[rcfreeze.Evaluation](t, "eval", path, "--data", "bands").Loss
	}
	if before, after := loss("plain.onnx"), loss("blocks.onnx"); math.Abs(before-after) > 1e-5 {
		t.Errorf("the loss is %v without, %v with BatchNorm that is to change nothing", before, after)
	}
	// a tiny learning rate shows the loss that training starts with, by the statistics of batches
	start := succeedJSON[rcfreeze.Trained](t, trainArgs("blocks.onnx", "start.onnx", "--lr", "1e-9", "--epochs", "1", "-b", "48", "--smoothing", "0")...)
	identity := "identity.onnx"
	_, talk, _ := call("convert", "model.onnx", "-o", identity, "--add-batchnorm")
	if !strings.Contains(talk, "--data") {
		t.Errorf("without data it says %q", talk)
	}
	other := succeedJSON[rcfreeze.Trained](t, trainArgs(identity, "other.onnx", "--lr", "1e-9", "--epochs", "1", "-b", "48", "--smoothing", "0")...)
	want := succeedJSON[rcfreeze.Evaluation](t, "eval", "plain.onnx", "--data", "bands", "--split", "train").Loss
	if got, far := math.Abs(start.History[0].TrainLoss-want), math.Abs(other.History[0].TrainLoss-want); got > 1e-3 || far < 10*got {
		t.Errorf("training starts at a loss that differs by %v from that of the model, and by %v without data", got, far)
	}
	succeed(t, trainArgs("blocks.onnx", "tuned.onnx")...)
	exported := succeedJSON[rcfreeze.Exported](t, "export", "tuned.onnx", "-o", "merged.onnx")
	if n := exported.Models[1].Operators["BatchNormalization"]; n != 0 || exported.Models[1].Operators["Conv"] != 2 {
		t.Errorf("the exported model has %v", exported.Models[1].Operators)
	}
}

// TestAddBatchNormIsQuietWhereItIsRight has models that need no data, and those that have BatchNorm already.
func TestAddBatchNormIsQuietWhereItIsRight(t *testing.T) {
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	for args, want := range map[string]string{
		"convert model.onnx -o a.onnx --add-batchnorm --pointwise random": "",
		"convert model.onnx -o a.onnx --add-batchnorm --reinit":           "",
		"convert net.onnx -o a.onnx --add-batchnorm":                      "every block has one already",
	} {
		_, talk, code := call(strings.Fields(args)...)
		if code != exitDone || want == "" && talk != "" || !strings.Contains(talk, want) {
			t.Errorf("%s: exit code %d, says %q, want %q", args, code, talk, want)
		}
	}
}
